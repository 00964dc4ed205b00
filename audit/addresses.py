"""The site's addresses in full, for whoever is not on one of its pages: in mails, webhooks and on the command line."""

from django.conf import settings


def in_full(path: str) -> str:
    return f"{settings.SITE_URL.rstrip('/')}{path}"
