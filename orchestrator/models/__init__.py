from orchestrator.models.action import Action, StoredReply
from orchestrator.models.dead_letter import DeadLetter
from orchestrator.models.definition import Agent, ServiceToken, Tool
from orchestrator.models.execution import Attempt, Execution, Step
from orchestrator.models.health import HealthSample, WorkerHost
from orchestrator.models.release import Channel, Release

__all__ = [
    "Action",
    "Agent",
    "Attempt",
    "Channel",
    "DeadLetter",
    "Execution",
    "HealthSample",
    "Release",
    "ServiceToken",
    "Step",
    "StoredReply",
    "Tool",
    "WorkerHost",
]
