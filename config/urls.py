"""Every address of the site. URLs are nouns; an act is a sub-resource one creates by POST."""

from django.contrib import admin
from django.contrib.auth.views import LogoutView
from django.urls import include, path

from approvals.views.factors import password
from approvals.views.notifications import notifications
from approvals.views.sign_in import SignIn
from orchestrator.api.metrics import Metrics
from orchestrator.api.otlp import Traces

handler500 = "audit.web.broken"

urlpatterns = [
    path("admin/", admin.site.urls),
    path("login/", SignIn.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("api/v1/", include("orchestrator.api.urls")),
    # Where exporters send to and scrapers ask: OpenTelemetry and Prometheus say the address, not we.
    path("v1/traces", Traces.as_view(), name="otlp-traces"),
    path("metrics", Metrics.as_view(), name="metrics"),
    path("approvals/", include("approvals.urls")),
    path("preferences/notifications/", notifications, name="notifications"),
    path("preferences/password/", password, name="password"),
    path("preferences/factors/", include("approvals.factor_urls")),
    path("", include("audit.urls")),
    path("", include("budgets.urls")),
    path("", include("orchestrator.urls")),
]
