"""What a reviewer does to a held call beside signing for it: other arguments, or the result in the tool's place."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_POST

from approvals import operations
from approvals.forms.by_hand import ByHandForm
from approvals.forms.confirming import voice_of
from approvals.forms.deciding import DecisionForm
from approvals.forms.exchange import EditForm, ResultForm
from approvals.views.review import beside, recorded
from audit.web import actor_of
from orchestrator.gate.answer import answer_instead
from orchestrator.gate.edit import edit
from orchestrator.operations.by_hand import hand_in


@require_POST
def edits(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Edit the arguments. What waits then is the edited call, to be read and signed like any other."""

    def change(form: EditForm) -> None:
        given = form.cleaned_data
        edit(request_id=pk, by=actor_of(request), digest=given["digest"], revision=given["revision"],
             arguments=form.arguments(), note=given["note"])  # fmt: skip

    return beside(request, pk, EditForm, change, "Your edit is in place. Read it as it stands now, then sign.")


@require_POST
def results(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Give the result yourself; nothing is carried out."""

    def give(form: ResultForm) -> None:
        by = actor_of(request)
        answer_instead(request_id=pk, by=by, voice=voice_of(form, by), result=form.cleaned_data["result"])

    return beside(request, pk, ResultForm, give, "Your result is recorded. Nothing was carried out.")


@require_POST
def by_hand(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Give the result of a step done by hand, or reject it."""

    def act(form: DecisionForm) -> None:
        by = actor_of(request)
        voice = voice_of(form, by)
        if form.says_yes:
            # Of anything else there is no such form; the verb says so.
            result = form.result() if isinstance(form, ByHandForm) else {}
            hand_in(request_id=pk, by=by, voice=voice, result=result)
        else:
            operations.reject(request_id=pk, by=by, voice=voice)

    return recorded(request, pk, act)
