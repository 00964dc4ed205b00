"""The WSGI entry point."""

import os

from django.core.wsgi import get_wsgi_application

from config import telemetry

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

# Before the handler reads MIDDLEWARE, which the instrumentation extends.
telemetry.start()
application = get_wsgi_application()
