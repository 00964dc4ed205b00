"""People of the page tests, each in a browser of their own (no script): who may see, decide, operate, audit, or nothing."""

import pytest

from orchestrator.health.pulse import Pulse
from tests import make
from tests.pages.asking import browser_of


@pytest.fixture
def unit(db):
    return make.unit("finance", "Finance")


@pytest.fixture
def grace(unit):
    """A reviewer."""
    return make.person("grace", "view", "review", of=unit)


@pytest.fixture
def linus(unit):
    """Another reviewer."""
    return make.person("linus", "view", "review", of=unit)


@pytest.fixture
def ada(unit):
    """An operator, who asks for things."""
    return make.person("ada", "view", "operate", of=unit)


@pytest.fixture
def vera(unit):
    """May look, and nothing else."""
    return make.person("vera", "view", of=unit)


@pytest.fixture
def kay(unit):
    """An auditor of the unit and of the site's own trail."""
    return make.person("kay", "view", "audit", of=unit, site=True)


@pytest.fixture
def eve(db):
    """Signed in, with a role elsewhere."""
    return make.person("eve", "view", "review", "operate", "audit", of=make.unit("elsewhere", "Elsewhere"))


@pytest.fixture
def as_grace(grace):
    return browser_of(grace)


@pytest.fixture
def as_linus(linus):
    return browser_of(linus)


@pytest.fixture
def as_ada(ada):
    return browser_of(ada)


@pytest.fixture
def as_vera(vera):
    return browser_of(vera)


@pytest.fixture
def as_kay(kay):
    return browser_of(kay)


@pytest.fixture
def as_eve(eve):
    return browser_of(eve)


@pytest.fixture
def worker(db):
    """A worker that has said how it is, in this process."""
    pulse = Pulse()
    pulse.swept(0.01)
    pulse.beat(cluster="here:1:abc")
    return pulse
