"""The site's own settings, and the word that this is a test: for processes that a test starts to break them."""

from config.settings import *  # noqa: F403
from config.settings import INSTALLED_APPS as OURS

UNDER_TEST = True
INSTALLED_APPS = [*OURS, "tests.faults"]
