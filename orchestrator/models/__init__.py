from orchestrator.models.action import Action, Denial, StoredReply
from orchestrator.models.alert import Alert, Severity
from orchestrator.models.cost import Cost, CostFold, CostRollup
from orchestrator.models.dead_letter import DeadLetter, DiscardCode
from orchestrator.models.definition import Agent, ServiceToken, Tool
from orchestrator.models.execution import Attempt, Execution, Step
from orchestrator.models.failure_group import FailureGroup
from orchestrator.models.health import HealthSample, WorkerHost
from orchestrator.models.level import LevelRollup, RunLevel
from orchestrator.models.limit import Breaker, Limit
from orchestrator.models.operation import Operation, OperationAct, OperationItem
from orchestrator.models.outcome_cost import OutcomeRollup, RunCost
from orchestrator.models.patch import StepPatch
from orchestrator.models.release import Channel, Release
from orchestrator.models.run_total import RunTotal
from orchestrator.models.service_level import Figure, ServiceLevel
from orchestrator.models.trace_export import TraceExport, TraceSetAside
from orchestrator.models.verdict import OutcomeAnswer, OutcomeCode, OutcomeVerdict

__all__ = [
    "Action",
    "Agent",
    "Alert",
    "Attempt",
    "Breaker",
    "Channel",
    "Cost",
    "CostFold",
    "CostRollup",
    "DeadLetter",
    "Denial",
    "DiscardCode",
    "Execution",
    "FailureGroup",
    "Figure",
    "HealthSample",
    "LevelRollup",
    "Limit",
    "Operation",
    "OperationAct",
    "OperationItem",
    "OutcomeAnswer",
    "OutcomeCode",
    "OutcomeRollup",
    "OutcomeVerdict",
    "Release",
    "RunCost",
    "RunLevel",
    "RunTotal",
    "ServiceLevel",
    "ServiceToken",
    "Severity",
    "Step",
    "StepPatch",
    "StoredReply",
    "Tool",
    "TraceExport",
    "TraceSetAside",
    "WorkerHost",
]
