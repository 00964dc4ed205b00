"""Every address of the API, below /api/v1/. Nouns; an act is a sub-resource one creates by POST."""

from django.urls import path, re_path

from orchestrator.api import actions, approvals, bulk, dead_letters, executions, money, schema, standing, trail
from orchestrator.api.problems import UnknownAddress

urlpatterns = [
    path("schema/", schema.Schema.as_view(), name="api-schema"),
    path("docs/", schema.Docs.as_view(), name="api-docs"),
    path("actions/", actions.Actions.as_view(), name="api-actions"),
    path("actions/<uuid:action_id>/", actions.OneAction.as_view(), name="api-action"),
    path("actions/<uuid:action_id>/redemptions/", actions.Redemptions.as_view(), name="api-redemptions"),
    path("actions/<uuid:action_id>/outcomes/", actions.Outcomes.as_view(), name="api-outcomes"),
    path("actions/<uuid:action_id>/withdrawals/", actions.Withdrawals.as_view(), name="api-withdrawals"),
    path("actions/<uuid:action_id>/undo/", actions.Undo.as_view(), name="api-undo"),
    path("executions/", executions.Executions.as_view(), name="api-executions"),
    path("executions/<uuid:execution_id>/", executions.OneExecution.as_view(), name="api-execution"),
    path("executions/<uuid:execution_id>/cancellations/", executions.Cancellations.as_view(), name="api-cancellations"),
    path("executions/<uuid:execution_id>/steps/", executions.Steps.as_view(), name="api-steps"),
    path("executions/<uuid:execution_id>/evidence/", executions.Evidence.as_view(), name="api-evidence"),
    path("approvals/", approvals.Approvals.as_view(), name="api-approvals"),
    path("approvals/<uuid:request_id>/", approvals.OneApproval.as_view(), name="api-approval"),
    path("approvals/<uuid:request_id>/decisions/", approvals.Decisions.as_view(), name="api-decisions"),
    path("approvals/<uuid:request_id>/edits/", approvals.Edits.as_view(), name="api-edits"),
    path("approvals/<uuid:request_id>/questions/", approvals.Questions.as_view(), name="api-questions"),
    path("approvals/<uuid:request_id>/replies/", approvals.Replies.as_view(), name="api-replies"),
    path("approvals/<uuid:request_id>/results/", approvals.Results.as_view(), name="api-results"),
    path("approvals/<uuid:request_id>/claims/", approvals.Claims.as_view(), name="api-claims"),
    path("approvals/<uuid:request_id>/releases/", approvals.Releases.as_view(), name="api-releases"),
    path("bulk-operations/", bulk.BulkOperations.as_view(), name="api-bulk-operations"),
    path("bulk-operations/<uuid:operation_id>/", bulk.OneBulkOperation.as_view(), name="api-bulk-operation"),
    path("delegations/", standing.Delegations.as_view(), name="api-delegations"),
    path("delegations/<uuid:delegation_id>/revocations/", standing.Revocations.as_view(), name="api-revocations"),
    path("absences/", standing.Absences.as_view(), name="api-absences"),
    path("absences/<uuid:absence_id>/returns/", standing.Returns.as_view(), name="api-returns"),
    path("dead-letters/", dead_letters.DeadLetters.as_view(), name="api-dead-letters"),
    path("dead-letters/<uuid:letter_id>/retries/", dead_letters.Retries.as_view(), name="api-retries"),
    path("audit/events/", trail.Events.as_view(), name="api-events"),
    path("usage/", money.UsageReports.as_view(), name="api-usage"),
    path("costs/", money.Costs.as_view(), name="api-costs"),
    re_path("", UnknownAddress.as_view()),
]
