from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "audit"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from audit import checks, receivers  # noqa: F401, PLC0415  (registers checks, connects sign-in signals)
