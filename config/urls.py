"""Every address of the site. URLs are nouns; an act is a sub-resource one creates by POST."""

from django.contrib import admin
from django.urls import path

urlpatterns = [path("admin/", admin.site.urls)]
