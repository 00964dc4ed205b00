"""`manage.py import_tools FILE...`: register tools from JSON lists; running it twice changes nothing."""

from orchestrator.management.commands._imports import ImportCommand
from orchestrator.operations import registry


class Command(ImportCommand):
    help = "Register tools from JSON files. Idempotent; all or nothing per file."
    noun = "tools"
    verb = staticmethod(registry.import_tools)
