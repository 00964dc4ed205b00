"""Addresses of the approval pages."""

from django.urls import path

from approvals import (
    bulk_views,
    case_views,
    claim_views,
    emergency_views,
    queue_views,
    saved_view_views,
    second_look_views,
    standing_views,
    views,
)

urlpatterns = [
    path("", queue_views.queue, name="approvals"),
    path("views/", saved_view_views.save, name="approval_views"),
    path("views/default/none/", saved_view_views.prefer_none, name="approval_no_default_view"),
    path("views/<uuid:pk>/default/", saved_view_views.prefer, name="approval_default_view"),
    path("views/<uuid:pk>/deletion/", saved_view_views.delete, name="approval_view_deletion"),
    path("standing-in/", standing_views.show, name="standing"),
    path("standing-in/delegations/", standing_views.delegate, name="standing_delegations"),
    path("standing-in/delegations/<uuid:pk>/revocation/", standing_views.revoke, name="standing_revocation"),
    path("standing-in/absences/", standing_views.go_away, name="standing_absences"),
    path("standing-in/absences/<uuid:pk>/return/", standing_views.come_back, name="standing_return"),
    path("bulk/", bulk_views.choose, name="approval_bulk"),
    path("bulk/<uuid:pk>/", bulk_views.show, name="approval_bulk"),
    path("bulk/<uuid:pk>/confirmation/", bulk_views.confirm, name="approval_bulk_confirmation"),
    path("<uuid:pk>/", views.review, name="approval"),
    path("<uuid:pk>/decisions/", views.decide, name="approval_decisions"),
    path("<uuid:pk>/questions/", views.questions, name="approval_questions"),
    path("<uuid:pk>/replies/", views.replies, name="approval_replies"),
    path("<uuid:pk>/claim/", claim_views.claim, name="approval_claim"),
    path("<uuid:pk>/claim/renewal/", claim_views.renew, name="approval_claim_renewal"),
    path("<uuid:pk>/claim/release/", claim_views.release, name="approval_claim_release"),
    path("second-looks/", second_look_views.look_list, name="second_looks"),
    path("second-looks/<uuid:pk>/", second_look_views.look, name="second_look"),
    path("second-looks/<uuid:pk>/verdicts/", second_look_views.verdicts, name="second_look_verdicts"),
    path("second-looks/<uuid:pk>/disclosures/", second_look_views.disclosures, name="second_look_disclosures"),
    path("cases/", case_views.case_list, name="cases"),
    path("cases/export/", case_views.export, name="case_export"),
    path("cases/<uuid:pk>/", case_views.case, name="case"),
    path("cases/<uuid:pk>/judgements/", case_views.judgements, name="case_judgements"),
    path("break-glass/", emergency_views.glass_list, name="emergencies"),
    path("<uuid:pk>/break-glass/", emergency_views.break_glass, name="break_glass"),
    path("break-glass/<uuid:pk>/looks/", emergency_views.looks, name="emergency_looks"),
]
