"""How page tests ask: as a person with a browser of their own, for a page or, as htmx does, for a part of it."""

from django.test import Client

PART = {"HX-Request": "true"}


def browser_of(user):
    client = Client()
    client.force_login(user)
    return client
