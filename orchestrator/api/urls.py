"""Every address of the API, below /api/v1/. Nouns; an act is a sub-resource one creates by POST."""

from django.urls import path, re_path

from orchestrator.api import actions, approvals, dead_letters, executions, failure_groups, money, schema, trail
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
    path("dead-letters/", dead_letters.DeadLetters.as_view(), name="api-dead-letters"),
    path("dead-letters/<uuid:letter_id>/", dead_letters.OneDeadLetter.as_view(), name="api-dead-letter"),
    path("dead-letters/<uuid:letter_id>/retries/", dead_letters.Retries.as_view(), name="api-retries"),
    path("failure-groups/", failure_groups.FailureGroups.as_view(), name="api-failure-groups"),
    path("failure-groups/<uuid:group_id>/", failure_groups.OneFailureGroup.as_view(), name="api-failure-group"),
    path("failure-groups/<uuid:group_id>/redrives/", failure_groups.Redrives.as_view(), name="api-redrives"),
    path("operations/<uuid:operation_id>/", failure_groups.OneOperation.as_view(), name="api-operation"),
    path("audit/events/", trail.Events.as_view(), name="api-events"),
    path("usage/", money.UsageReports.as_view(), name="api-usage"),
    path("costs/", money.Costs.as_view(), name="api-costs"),
    re_path("", UnknownAddress.as_view()),
]
