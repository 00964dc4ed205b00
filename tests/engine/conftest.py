"""A world for engine tests, and the check after each of them that the trail agrees with the rows."""

import pytest

from tests import trail
from tests import worlds as make


@pytest.fixture(autouse=True)
def world(transactional_db, settings, tmp_path):
    """People, a unit, tools and an agent. Whatever the test does to it, trail and rows agree in the end."""
    settings.RELEASES_DIR = tmp_path / "releases"
    trail.install()
    yield make.world()
    trail.assert_whole()
