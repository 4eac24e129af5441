"""What the tests of Sentry share. A test module takes the fixtures by naming them: `world = sentry.world`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from integrations.sentry.processor import SentryProcessor
from integrations.sentry.settings import SentrySettings
from integrations.sentry.twin import SentryTwin
from tests.contracts import PATIENT, impatient
from tests.twins import Inbox, Served, receiving, serving

ENV = {
    "SENTRY_AUTH_TOKEN": "sentry-test-token",
    "SENTRY_ORG": "intellimails",
    "SENTRY_PROJECTS": "web,api",
    "SENTRY_CLIENT_SECRET": "sentry-test-secret",
}


@pytest.fixture(scope="module")
def app() -> Iterator[Inbox]:
    with receiving() as inbox:
        yield inbox


@pytest.fixture(scope="module")
def shared_world(app: Inbox) -> Iterator[Served]:
    with serving(SentryTwin, env=ENV, app_url=app.url) as served:
        yield served


@pytest.fixture
def world(shared_world: Served, app: Inbox, monkeypatch: pytest.MonkeyPatch) -> Served:
    impatient(monkeypatch, **PATIENT)
    shared_world.twin(SentryTwin).reset()
    app.deliveries.clear()
    return shared_world


@pytest.fixture
def twin(world: Served) -> SentryTwin:
    return world.twin(SentryTwin)


@pytest.fixture
def processor(world: Served) -> SentryProcessor:
    return SentryProcessor(world.settings(SentrySettings))
