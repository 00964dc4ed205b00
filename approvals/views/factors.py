"""The pages of one's own second factors and password, and what a browser asks a passkey to sign."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from allauth.mfa.totp.internal.auth import generate_totp_secret
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_safe

from approvals.authentication import factor_secrets, factors, own_factors, own_password
from approvals.authentication.factors import OWN_FACTORS, Binding
from approvals.forms.factors import AppForm, FactorForm, PasskeyForm, PasswordForm
from approvals.models import ApprovalRequest
from audit.queries import visible_or_refuse
from audit.refusals import Invalid, NotVisible
from audit.web import actor_of, crumbs, record_refusal

PENDING_FOR = timedelta(hours=1)
READ_OR_SEND = require_http_methods(["GET", "HEAD", "POST"])


@require_safe
def own(request: HttpRequest) -> HttpResponse:
    """What one has, and the ways to add and remove."""
    context = {"factors": factors.of_person(actor_of(request)), "next": _next(request.GET), "crumbs": _crumbs()}
    return render(request, "approvals/factors.html", context)


@READ_OR_SEND
def app(request: HttpRequest) -> HttpResponse:
    """Add an authenticator app. Its secret is not stored until it has shown a code; the form carries it, encrypted."""
    by = actor_of(request)
    pending = request.POST.get("pending") or factor_secrets.seal(by.key, generate_totp_secret())
    secret = factor_secrets.unseal(by.key, pending, PENDING_FOR)
    form = _form(AppForm, request, pending=pending)
    if request.method == "POST" and form.is_valid():
        code, proof = form.cleaned_data["app_code"], form.proof()
        if _done(request, form, lambda: own_factors.add_app(by=by, secret=secret, code=code, proof=proof)):
            return _back(request, form, "Your authenticator app is added. Its next code is good to sign with.")
    spaced = " ".join(secret[at : at + 4] for at in range(0, len(secret), 4))
    return _page(request, "approvals/factor_app.html", form, "Authenticator app", secret=spaced, pending=pending)


@require_safe
def qr(request: HttpRequest) -> HttpResponse:
    """The secret of the form as a picture. The address holds it encrypted, and opens for its owner only."""
    by = actor_of(request)
    secret = factor_secrets.unseal(by.key, request.GET.get("pending", ""), PENDING_FOR)
    adapter = factor_secrets.Adapter()
    picture = adapter.build_totp_svg(adapter.build_totp_url(request.user, secret))
    return HttpResponse(picture, content_type="image/svg+xml")


@READ_OR_SEND
def passkey(request: HttpRequest) -> HttpResponse:
    """Add a passkey that the browser has made."""
    form = _form(PasskeyForm, request)
    if request.method == "POST" and form.is_valid():
        given, by = form.cleaned_data, actor_of(request)
        new = {"name": given["name"], "credential": form.made(), "note": given["made_for"], "proof": form.proof()}
        if _done(request, form, lambda: own_factors.add_passkey(by=by, **new)):
            return _back(request, form, "Your passkey is added.")
    return _page(request, "approvals/factor_passkey.html", form, "Passkey")


@READ_OR_SEND
def recovery_codes(request: HttpRequest) -> HttpResponse:
    """Make recovery codes. They are on the answer's page and on no other."""
    form, made = _form(FactorForm, request), []
    if request.method == "POST" and form.is_valid():
        proof = form.proof()
        _done(request, form, lambda: made.extend(own_factors.make_recovery_codes(by=actor_of(request), proof=proof)))
    return _page(request, "approvals/factor_codes.html", form, "Recovery codes", made=made)


@READ_OR_SEND
def removal(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a factor away."""
    by = actor_of(request)
    factor = next((row for row in factors.of_person(by).rows if row.pk == pk), None)
    if factor is None:
        raise NotVisible("You have no such factor.")
    form = _form(FactorForm, request)
    if request.method == "POST" and form.is_valid():
        proof = form.proof()
        if _done(request, form, lambda: own_factors.remove(by=by, factor_id=pk, proof=proof)):
            return _back(request, form, "The factor is removed.")
    return _page(request, "approvals/factor_removal.html", form, "Remove", factor=factor)


@READ_OR_SEND
def password(request: HttpRequest) -> HttpResponse:
    """Change one's password. This sign-in goes on; all others of the person end, because a session belongs to a password."""
    form, changed = _form(PasswordForm, request), []
    if request.method == "POST" and form.is_valid():
        by, new, proof = actor_of(request), form.cleaned_data["new"], form.proof()
        if _done(request, form, lambda: changed.append(own_password.change(by=by, new=new, proof=proof))):
            update_session_auth_hash(request, changed[0])
            messages.success(request, "Your password is changed.")
            return redirect("preferences")
    way = crumbs("Preferences", "preferences", "Password")
    return _page(request, "approvals/password.html", form, "Password", crumbs=way)


# --- What a browser asks for -------------------------------------------------------------------------------------


@require_safe
def to_create(request: HttpRequest) -> HttpResponse:
    return _json(*factors.to_create(by=actor_of(request)))


@require_safe
def to_sign(request: HttpRequest) -> HttpResponse:
    """For a change of one's own factors."""
    return _json(*factors.to_sign(by=actor_of(request), binding=OWN_FACTORS))


@require_safe
def to_sign_decision(request: HttpRequest, pk: UUID) -> HttpResponse:
    """For a decision on this request, over exactly the digest and revision that stand on the page."""
    by = actor_of(request)
    asked = visible_or_refuse(ApprovalRequest.objects.visible_to(by), pk, "approval request")
    digest, revision = request.GET.get("digest", ""), request.GET.get("revision", "")
    if (digest, revision) != (asked.digest, str(asked.revision)):
        raise NotVisible("What was shown is not what waits now. Reload the page and read it again.")
    return _json(*factors.to_sign(by=by, binding=Binding(asked.pk, digest, asked.revision)))


def _json(options: dict[str, Any], note: str) -> HttpResponse:
    return JsonResponse({"publicKey": options, "challenge": note})


# --- Parts of the views ------------------------------------------------------------------------------------------


def _form(kind: type[Any], request: HttpRequest, **initial: Any) -> Any:
    found = factors.of_person(actor_of(request))
    begins = {"next": _next(request.GET), **initial}
    return kind(request.POST if request.method == "POST" else None, factors=found, initial=begins)


def _done(request: HttpRequest, form: Any, act: Any) -> bool:
    """What cannot be used is said beside its field, and recorded; every other "no" is the middleware's."""
    try:
        act()
    except Invalid as refusal:
        record_refusal(request, refusal)
        for pointer, _, message in refusal.errors:
            name = pointer.removeprefix("/")
            form.add_error(name if name in form.fields else None, message)
        return False
    return True


def _page(request: HttpRequest, template: str, form: Any, title: str, **more: Any) -> HttpResponse:
    context = {"form": form, "title": title, "next": _next(request.GET), "crumbs": _crumbs(title), **more}
    return render(request, template, context, status=422 if form.errors else 200)


def _back(request: HttpRequest, form: Any, done: str) -> HttpResponse:
    """To where the person came from: perhaps a request that waits for their signature."""
    messages.success(request, done)
    return redirect(_next(form.cleaned_data) or "factors")


def _next(given: Any) -> str:
    """A page of ours."""
    address = str(given.get("next") or "")
    ours = address.startswith("/") and url_has_allowed_host_and_scheme(address, allowed_hosts=None)
    return address if ours else ""


def _crumbs(*last: str) -> list[dict[str, str]]:
    if not last:
        return crumbs("Preferences", "preferences", "Second factors")
    first, _ = crumbs("Preferences", "preferences", "")
    return [first, {"label": "Second factors", "url": reverse("factors")}, *({"label": label} for label in last)]
