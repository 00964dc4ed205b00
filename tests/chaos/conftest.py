"""A world for trials, and the settings of a test."""

import pytest

from tests import trail
from tests.faults import driver


@pytest.fixture
def broken_world(transactional_db, tmp_path, settings, postgres_server):
    """Everything a trial needs; nothing in it is ever reset between trials."""
    settings.UNDER_TEST = True
    trail.install()
    with driver.world(tmp_path, postgres_server) as world:
        yield world
