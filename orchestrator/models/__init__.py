from orchestrator.models.action import Action, StoredReply
from orchestrator.models.dead_letter import DeadLetter
from orchestrator.models.definition import Agent, ServiceToken, Tool
from orchestrator.models.execution import Attempt, Execution, Step
from orchestrator.models.health import HealthSample, WorkerHost
from orchestrator.models.limit import Breaker, Limit
from orchestrator.models.release import Channel, Release
from orchestrator.models.verdict import OutcomeAnswer, OutcomeCode, OutcomeVerdict

__all__ = [
    "Action",
    "Agent",
    "Attempt",
    "Breaker",
    "Channel",
    "DeadLetter",
    "Execution",
    "HealthSample",
    "Limit",
    "OutcomeAnswer",
    "OutcomeCode",
    "OutcomeVerdict",
    "Release",
    "ServiceToken",
    "Step",
    "StoredReply",
    "Tool",
    "WorkerHost",
]
