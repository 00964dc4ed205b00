"""A world for engine tests, and the check after each of them that the trail agrees with the rows."""

import pytest

from tests import trail
from tests import worlds as make
from tests.engine import provider as providers


@pytest.fixture(autouse=True)
def world(transactional_db):
    """People, a unit, tools and an agent. Whatever the test does to it, trail and rows agree in the end."""
    trail.install()
    yield make.world()
    trail.assert_whole()


@pytest.fixture
def publish(world, tmp_path):
    """Publish a workflow written in the test, with its handlers."""

    def publish(workflow: str, handlers: str = make.HANDLERS, **definitions: object) -> None:
        make.publish(tmp_path / "workflow", workflow, handlers, **definitions)

    return publish


@pytest.fixture
def provider(settings):
    """The system outside, reachable for handlers."""
    with providers.running() as running:
        settings.HANDLER_ENV = {"ERP_URL": running.url}
        yield running


@pytest.fixture
def governed(publish, provider):
    """Publish a workflow whose steps use the provider's tools."""

    def governed(steps: str, handlers: str = providers.HANDLERS, head: str = "", **definitions: object) -> None:
        text = f"workflow: outside\nversion: 1.0.0\n{head}steps:\n{steps}"
        publish(text, handlers, **{"tools": providers.TOOLS, "release": providers.RELEASE, **definitions})

    return governed
