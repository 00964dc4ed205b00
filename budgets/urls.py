"""Addresses of the pages about money."""

from django.urls import path

from budgets import views

urlpatterns = [
    path("budgets/", views.budget_list, name="budgets"),
    path("budgets/units/<uuid:pk>/", views.unit_detail, name="budgets_of_unit"),
    path("budgets.csv", views.sheet, name="budgets_csv"),
]
