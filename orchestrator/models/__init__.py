from orchestrator.models.action import Action, StoredReply
from orchestrator.models.dead_letter import DeadLetter, DiscardCode
from orchestrator.models.definition import Agent, ServiceToken, Tool
from orchestrator.models.execution import Attempt, Execution, Step
from orchestrator.models.failure_group import FailureGroup
from orchestrator.models.operation import Operation, OperationAct, OperationItem
from orchestrator.models.patch import StepPatch
from orchestrator.models.release import Channel, Release

__all__ = [
    "Action",
    "Agent",
    "Attempt",
    "Channel",
    "DeadLetter",
    "DiscardCode",
    "Execution",
    "FailureGroup",
    "Operation",
    "OperationAct",
    "OperationItem",
    "Release",
    "ServiceToken",
    "Step",
    "StepPatch",
    "StoredReply",
    "Tool",
]
