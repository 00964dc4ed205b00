"""Addresses of the approval pages."""

from django.urls import path

from approvals import emergency_views, views

urlpatterns = [
    path("", views.queue, name="approvals"),
    path("<uuid:pk>/", views.review, name="approval"),
    path("<uuid:pk>/decisions/", views.decide, name="approval_decisions"),
    path("break-glass/", emergency_views.glass_list, name="emergencies"),
    path("<uuid:pk>/break-glass/", emergency_views.break_glass, name="break_glass"),
    path("break-glass/<uuid:pk>/looks/", emergency_views.looks, name="emergency_looks"),
]
