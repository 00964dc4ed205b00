"""`manage.py import_agents FILE...`: register agents from JSON lists; running it twice changes nothing."""

from orchestrator.management.commands._imports import ImportCommand
from orchestrator.operations import registry


class Command(ImportCommand):
    help = "Register agents from JSON files. Idempotent; all or nothing per file."
    noun = "agents"
    verb = staticmethod(registry.import_agents)
