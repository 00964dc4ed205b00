"""Addresses of one's own second factors, below Preferences."""

from django.urls import path

from approvals.views import factors

urlpatterns = [
    path("", factors.own, name="factors"),
    path("challenge/", factors.to_sign, name="factor_challenge"),
    path("app/", factors.app, name="factor_app"),
    path("app/qr.svg", factors.qr, name="factor_qr"),
    path("passkeys/", factors.passkey, name="factor_passkey"),
    path("passkeys/challenge/", factors.to_create, name="factor_passkey_challenge"),
    path("recovery-codes/", factors.recovery_codes, name="factor_recovery_codes"),
    path("<int:pk>/removal/", factors.removal, name="factor_removal"),
]
