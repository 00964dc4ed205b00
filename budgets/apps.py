from django.apps import AppConfig


class BudgetsConfig(AppConfig):
    name = "budgets"

    def ready(self) -> None:
        from audit import scope  # noqa: PLC0415
        from budgets.permissions import sees_every_unit, unit_ids  # noqa: PLC0415

        scope.answer_with(unit_ids, everywhere=sees_every_unit)
