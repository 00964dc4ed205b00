"""The one page to sign in. A password is looked at only where its try is counted."""

from typing import Any

from django.contrib.auth import authenticate
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse

from approvals.authentication import sign_ins
from approvals.authentication.sign_ins import TooManyTries
from audit.web import record_refusal


class SignInForm(AuthenticationForm):
    """Django's, with every try counted."""

    request: HttpRequest

    def clean(self) -> dict[str, Any]:
        name, password = self.cleaned_data.get("username"), self.cleaned_data.get("password")
        if name and password:
            self.user_cache = self._judged(name, password)
            if self.user_cache is None:
                raise self.get_invalid_login_error()
            self.confirm_login_allowed(self.user_cache)
        return self.cleaned_data

    def _judged(self, name: str, password: str) -> Any:
        origin = sign_ins.origin_of(self.request, name)
        try:
            return sign_ins.judge(origin, lambda: authenticate(self.request, username=name, password=password))
        except TooManyTries as refusal:
            record_refusal(self.request, refusal)
            raise ValidationError(refusal.message, code=refusal.code) from None


class SignIn(LoginView):
    """Signing in. Whoever is right is remembered by their device."""

    authentication_form = SignInForm

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        response = super().form_valid(form)
        sign_ins.remember_device(self.request, response, form.cleaned_data["username"])
        return response
