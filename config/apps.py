"""Which admin site the console has: named in INSTALLED_APPS in place of django.contrib.admin."""

from django.contrib.admin.apps import AdminConfig


class HoldpointAdminConfig(AdminConfig):
    default_site = "config.admin_site.HoldpointAdmin"
