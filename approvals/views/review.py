"""The review page: one request whole, and what is said to it: a decision, a question, a reply, that the record be read again."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from approvals import operations, queries
from approvals.forms.by_hand import decision_form
from approvals.forms.confirming import voice_of
from approvals.forms.deciding import BreakGlassForm, DecisionForm
from approvals.forms.exchange import EditForm, QuestionForm, ReplyForm, ResultForm
from approvals.models import ApprovalRequest
from approvals.operations import readings, second_looks
from approvals.operations.questions import reply, send_back
from approvals.operations.seeding import REVEALED
from approvals.queries import Review
from approvals.views import within
from audit.refusals import Invalid, Refusal, Stale
from audit.templatetags._render import short_id
from audit.web import READING, actor_of, came_from, crumbs, elsewhere, is_part, page, record_refusal, unchanged

# Not how: they may be the one who judges it again.
DECIDED_MEANWHILE = "It was decided meanwhile, so nothing of yours was recorded. You may take the second look at it."
BESIDE = (QuestionForm, ReplyForm, EditForm, ResultForm)


@require_safe
def review(request: HttpRequest, pk: UUID) -> HttpResponse:
    """One request, read in the fixed order: act, change, evidence, policy, and last the agent's own words."""
    shown = queries.review(actor_of(request), pk, now=timezone.now())
    form = decision_form(approval=shown.request)
    return unchanged(request, shown.version) or review_page(request, shown, form)


@require_POST
def decide(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Record one voice."""

    def act(form: DecisionForm) -> None:
        by = actor_of(request)
        verb = operations.approve if form.says_yes else operations.reject
        verb(request_id=pk, by=by, voice=voice_of(form, by))

    return recorded(request, pk, act)


def recorded(request: HttpRequest, pk: UUID, act: Callable[[Any], object]) -> HttpResponse:
    """A decision, and the page again. A refusal keeps what was typed and shows what is different now."""
    actor = actor_of(request)
    shown = queries.review(actor, pk, now=timezone.now())
    form = decision_form(request.POST, approval=shown.request)
    if not form.is_valid():
        return review_page(request, shown, form, status=422)
    try:
        act(form)
    except Refusal as refusal:
        return refused(request, pk, form, refusal)
    if is_part(request):
        shown = queries.review(actor, pk, now=timezone.now())
        return review_page(request, shown, _fresh(shown), just_decided=True)
    messages.success(request, "Your decision is recorded.")
    return redirect(f"{shown.request.get_absolute_url()}{within.suffix(within.came_through(request))}")


@require_POST
def questions(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Send the request back with a question."""

    def ask(form: QuestionForm) -> None:
        given = form.cleaned_data
        send_back(request_id=pk, by=actor_of(request), digest=given["digest"], revision=given["revision"],
                  question=given["question"])  # fmt: skip

    return beside(request, pk, QuestionForm, ask, "Your question is sent. It comes back with the answer.")


@require_POST
def replies(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Answer the question that sent it back."""
    return beside(
        request, pk, ReplyForm,
        lambda form: reply(request_id=pk, by=actor_of(request), text=form.cleaned_data["reply"]),
        "Your answer is recorded. The reviewers have it now.",
    )  # fmt: skip


@require_POST
def read_again(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Ask a worker to read the record again; the page's live region shows what it found."""
    actor = actor_of(request)
    try:
        readings.ask(request_id=pk, by=actor, by_itself="by_itself" in request.POST)
    except Stale as refusal:
        return too_late(request, pk, refusal)
    if not is_part(request):
        messages.success(request, "The record is being read again. What it says now will be on this page.")
        return redirect(came_from(request) or reverse("approval", args=[pk]))
    shown = queries.review(actor, pk, now=timezone.now())
    return render(request, "approvals/_reading.html", {"shown": shown, "approval": shown.request})


def too_late(request: HttpRequest, pk: UUID, refusal: Stale) -> HttpResponse:
    """What was decided meanwhile is refused in words that say how, except to whoever could judge it anew: they are led there."""
    approval = ApprovalRequest.objects.visible_to(actor_of(request)).filter(pk=pk).first()
    led = _to_look(request, approval) if approval else None
    if led is None:
        raise refusal
    record_refusal(request, refusal)
    return led


def _to_look(request: HttpRequest, approval: ApprovalRequest) -> HttpResponse | None:
    """Where whoever could judge it anew is led instead of being told how it was decided, wherever they come from."""
    look = None if approval.is_open else second_looks.blind_for(approval, actor_of(request))
    if look is None:
        return None
    if request.method not in READING:
        messages.info(request, DECIDED_MEANWHILE)
    return elsewhere(request, look.get_absolute_url())


def beside(request: HttpRequest, pk: UUID, kind: type[Any], act: Callable[[Any], object], done: str) -> HttpResponse:
    """What is done beside signing: one form, one verb, and the review page again. A "no" keeps what was typed."""
    shown = queries.review(actor_of(request), pk, now=timezone.now())
    form = kind(request.POST, **_given(kind, shown))
    if not form.is_valid():
        return review_page(request, shown, _fresh(shown), status=422, **{_name(kind): form})
    try:
        act(form)
    except Refusal as refusal:
        return refused(request, pk, form, refusal)
    said = REVEALED if shown.request.is_test else done
    if is_part(request):
        shown = queries.review(actor_of(request), pk, now=timezone.now())
        return review_page(request, shown, _fresh(shown), done=said)
    messages.success(request, said)
    return redirect(f"{shown.request.get_absolute_url()}{within.suffix(within.came_through(request))}")


def _given(kind: type[Any], shown: Review) -> dict[str, Any]:
    values = {"values": shown.reading.arguments} if kind is EditForm else {}
    return {"approval": shown.request, **values}


def _name(kind: type[Any]) -> str:
    return f"{kind.__name__.removesuffix('Form').lower()}_form"


def _fresh(shown: Review) -> DecisionForm:
    return decision_form(approval=shown.request)


def refused(request: HttpRequest, pk: UUID, form: Any, refusal: Refusal) -> HttpResponse:
    """The same page with the refusal in it: typed text stays, and what was read is compared with what waits."""
    shown = queries.review(actor_of(request), pk, now=timezone.now())
    read = form.cleaned_data["digest"]
    is_decision = isinstance(form, DecisionForm)
    # What is said beside its field is said there alone.
    said = isinstance(refusal, Invalid) and isinstance(form, DecisionForm | EditForm) and form.blame(refusal)
    if isinstance(refusal, operations.Changed):
        form = _read_again(form, shown)
    name = _name(type(form))
    typed = {} if is_decision else {name: form, "unrecorded": form.typed, "refused_at": "" if said else name}
    answer = review_page(
        request, shown, form if is_decision else _fresh(shown), status=refusal.status_code, refusal=None if said else refusal,
        reference=record_refusal(request, refusal),
        read=read if read != shown.request.digest else "",
        difference=queries.difference_from(shown.request, read), **typed,
    )  # fmt: skip
    # Said in its own place: without this, htmx would put the refusal among the page's messages.
    answer["HX-Retarget"], answer["HX-Reswap"] = "#review", "outerHTML"
    return answer


def _read_again(form: Any, shown: Review) -> Any:
    """The same words over what waits now, which this page shows. A decision is to be made anew, and parts read anew."""
    if isinstance(form, DecisionForm):
        return decision_form(
            approval=shown.request, kept={name: form.data.get(name) for name in ("note", "reason_code")}
        )
    fresh = type(form)(**_given(type(form), shown))
    data = form.data.copy()
    data.update({name: fresh[name].initial for name in ("digest", "revision", "view") if name in fresh.fields})
    return type(form)(data, **_given(type(form), shown))


def review_page(
    request: HttpRequest, shown: Review, form: DecisionForm, *, status: int = 200, **more: Any
) -> HttpResponse:
    if led := _to_look(request, shown.request):
        return led
    if shown.may_reject_still:
        form.offer_only_no()
    filters = within.came_through(request)
    among = within.rows(request, filters, now=timezone.now())
    if among is not None:
        shown = replace(shown, **queries.place(shown.request, among))
    next_one = (
        queries.next_waiting(actor_of(request), but=shown.request.pk, among=among) if shown.is_over_for_reader else None
    )
    place = crumbs("Approvals", "approvals", f"APR-{short_id(shown.request.pk)}")
    if filters:
        place[0]["url"] += f"?{filters}"
    context = {"crumbs": place, "shown": shown, "approval": shown.request, "form": form, "next_one": next_one,
               "reads_by_itself": request.method == "GET" and not is_part(request) and shown.is_stale,
               "within": within.suffix(filters)}  # fmt: skip
    edit_form = EditForm(**_given(EditForm, shown))
    context |= {_name(kind): kind(**_given(kind, shown)) for kind in BESIDE} | {"edit_form": edit_form}
    context["glass_form"] = BreakGlassForm(approval=shown.request) if shown.may_break else None
    offers = _offers(shown, edit_form)
    context["offers"] = offers
    if more.get("refused_at") not in offers:
        more["refused_at"] = ""
    return page(request, "approvals/request_detail.html", "approvals/_review.html", {**context, **more}, status=status)


def _offers(shown: Review, edit_form: EditForm) -> set[str]:
    """The forms beside the decision that stand on the page: a refusal of one is said there, else with the decision."""
    if not shown.may.allowed:
        return {"reply_form"} if shown.may_answer else set()
    is_call = shown.request.is_call
    offers = {"question_form": True, "edit_form": is_call and not shown.lock and bool(edit_form.offered),
              "result_form": is_call and shown.request.required == 1}  # fmt: skip
    return {name for name, offered in offers.items() if offered}
