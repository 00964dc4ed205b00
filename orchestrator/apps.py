from django.apps import AppConfig


class OrchestratorConfig(AppConfig):
    name = "orchestrator"

    def ready(self) -> None:
        from orchestrator import receivers  # noqa: F401, PLC0415  (request_resolved resumes what waited)
