"""Addresses of the approval pages."""

from django.urls import path

from approvals import views

urlpatterns = [
    path("", views.queue, name="approvals"),
    path("<uuid:pk>/", views.review, name="approval"),
    path("<uuid:pk>/decisions/", views.decide, name="approval_decisions"),
    path("<uuid:pk>/questions/", views.questions, name="approval_questions"),
    path("<uuid:pk>/replies/", views.replies, name="approval_replies"),
]
