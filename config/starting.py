"""How a process that is not the web server becomes Django."""

import gc

import django


def load() -> None:
    """Load the apps that the environment's settings name.

    What is loaded stays. The collector would walk through it again and again while it grows, which is a fifth of every
    start, and later at each full collection; and in doing so copy every page that forked processes share.
    """
    gc.disable()
    django.setup()
    gc.freeze()
    gc.enable()
