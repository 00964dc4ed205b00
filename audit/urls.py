"""Addresses of the trail and of the site's own pages."""

from django.urls import path

from audit import views

urlpatterns = [
    path("audit/", views.trail, name="audit"),
    path("audit/<uuid:pk>/", views.event, name="audit_event"),
    path("preferences/", views.preferences, name="preferences"),
    path("help/", views.help_page, name="help"),
    path("gallery/", views.gallery, name="gallery"),
]
