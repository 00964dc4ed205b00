"""Addresses of one's own second factors, below Preferences."""

from django.urls import path

from approvals import factor_views

urlpatterns = [
    path("", factor_views.own, name="factors"),
    path("challenge/", factor_views.to_sign, name="factor_challenge"),
    path("app/", factor_views.app, name="factor_app"),
    path("app/qr.svg", factor_views.qr, name="factor_qr"),
    path("passkeys/", factor_views.passkey, name="factor_passkey"),
    path("passkeys/challenge/", factor_views.to_create, name="factor_passkey_challenge"),
    path("recovery-codes/", factor_views.recovery_codes, name="factor_recovery_codes"),
    path("<int:pk>/removal/", factor_views.removal, name="factor_removal"),
]
