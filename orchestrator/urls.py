"""Addresses of the composer's pages. An act is a sub-resource that a POST creates."""

from django.urls import path

from orchestrator.views import actions, approving, dead_letters, executions, frame, health, stops, work

urlpatterns = [
    path("", work.work, name="work"),
    path("go/", work.go, name="go"),
    path("nav/", frame.nav_part, name="nav"),
    path("executions/", executions.execution_list, name="executions"),
    path("executions/<uuid:pk>/", executions.execution_detail, name="execution"),
    path("executions/<uuid:pk>/cancellations/", executions.cancellations, name="execution_cancellations"),
    path("approvals/<uuid:pk>/edits/", approving.edits, name="approval_edits"),
    path("approvals/<uuid:pk>/results/", approving.results, name="approval_results"),
    path("actions/", actions.action_list, name="actions"),
    path("actions/<uuid:pk>/", actions.action_detail, name="action"),
    path("actions/<uuid:pk>/answers/", actions.answers, name="action_answers"),
    path("dead-letters/", dead_letters.dead_letter_list, name="dead_letters"),
    path("dead-letters/<uuid:pk>/", dead_letters.dead_letter_detail, name="dead_letter"),
    path("dead-letters/<uuid:pk>/retries/", dead_letters.retries, name="dead_letter_retries"),
    path("dead-letters/<uuid:pk>/discards/", dead_letters.discards, name="dead_letter_discards"),
    path("health/", health.health, name="health"),
    path("stops/", stops.stop_list, name="stops"),
    path("stops/band/", stops.stop_band, name="stop_band"),
    path("stops/new/", stops.engage, name="stop_new"),
    path("stops/<uuid:pk>/", stops.stop_detail, name="stop"),
    path("stops/<uuid:pk>/lifts/", stops.lifts, name="stop_lifts"),
]
