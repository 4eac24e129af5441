"""What the tests of HubSpot share. A test module takes the fixtures by naming them: `world = hubspot.world`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from integrations.hubspot.twin import HubspotTwin
from tests.contracts import PATIENT, impatient
from tests.twins import Inbox, Served, receiving, serving

ENV = {
    "HUBSPOT_ACCESS_TOKEN": "pat-eu1-test-token",
    "HUBSPOT_CLIENT_SECRET": "hubspot-test-secret",
    "HUBSPOT_ACCOUNT_PROPERTY": "account_id",
    "BASE_URL": "https://desk.example.com",
}
DAY = 0.001  # HubSpot takes a month


@pytest.fixture(scope="module")
def app() -> Iterator[Inbox]:
    with receiving() as inbox:
        yield inbox


@pytest.fixture(scope="module")
def shared_world(app: Inbox) -> Iterator[Served]:
    with serving(HubspotTwin, env=ENV, app_url=app.url, day=DAY) as served:
        yield served


@pytest.fixture
def world(shared_world: Served, app: Inbox, monkeypatch: pytest.MonkeyPatch) -> Served:
    impatient(monkeypatch, **PATIENT)
    shared_world.twin(HubspotTwin).reset()
    app.deliveries.clear()
    return shared_world


@pytest.fixture
def twin(world: Served) -> HubspotTwin:
    return world.twin(HubspotTwin)
