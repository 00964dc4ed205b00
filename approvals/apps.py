from django.apps import AppConfig


class ApprovalsConfig(AppConfig):
    name = "approvals"

    def ready(self) -> None:
        from approvals import receivers  # noqa: F401, PLC0415  (a decision draws a second look)
        from approvals.operations.seeding import sealed as tests_sealed  # noqa: PLC0415
        from approvals.queries import sealed  # noqa: PLC0415
        from approvals.rules.accounts import accounts_of  # noqa: PLC0415
        from audit import people, sealing  # noqa: PLC0415

        people.answer_with(accounts_of)
        sealing.answer_with(sealed)
        sealing.answer_with(tests_sealed)
