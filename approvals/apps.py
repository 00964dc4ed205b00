from django.apps import AppConfig


class ApprovalsConfig(AppConfig):
    name = "approvals"

    def ready(self) -> None:
        from approvals.queries import sealed  # noqa: PLC0415
        from audit import sealing  # noqa: PLC0415

        sealing.answer_with(sealed)
