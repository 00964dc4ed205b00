from django.apps import AppConfig


class OrchestratorConfig(AppConfig):
    name = "orchestrator"

    def ready(self) -> None:
        from approvals import vocabulary  # noqa: PLC0415
        from approvals.queries import consequences, trial  # noqa: PLC0415
        from audit import naming  # noqa: PLC0415
        from orchestrator import receivers  # noqa: F401, PLC0415  (request_resolved resumes what waited)
        from orchestrator.gate.redeem import obstacle_of  # noqa: PLC0415
        from orchestrator.queries.contracts import argument_names  # noqa: PLC0415
        from orchestrator.queries.naming import names  # noqa: PLC0415
        from orchestrator.queries.past_actions import past_actions  # noqa: PLC0415

        vocabulary.answer_with(argument_names)
        naming.answer_with(names)
        trial.answer_with(past_actions)
        consequences.answer_with(obstacle_of)
