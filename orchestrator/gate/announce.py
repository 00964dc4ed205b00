"""Ring the doorbell for whoever waits on an action. A hint only: waiters also poll."""

from django.db import connection

from orchestrator.models import Action

CHANNEL = "holdpoint_actions"


def announce(action: Action) -> None:
    """Delivered by PostgreSQL when the surrounding transaction commits, and not at all when it does not."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, str(action.pk)])
