"""All processors of one request at once: nobody waits for the slowest, and agents see who is still at it."""

from __future__ import annotations

from typing import Any

import requests as http
import sqlalchemy as sa

from dsr import commands, requests
from dsr.model import RequestStatus, Right
from dsr.store.tables import receipts
from tests.house import House

DOWN = "zendesk"


def _erase(house: House, address: str) -> str:
    desk = house.desk
    with desk.db.write() as conn:
        reference = requests.open_request(
            desk,
            conn,
            Right.ERASURE,
            address,
            received_at=desk.now(),
            channel="agent",
            status=RequestStatus.IDENTITY_PENDING,
            opened_by="agent:test",
        )
        commands.verified(desk, conn, reference, by="code")
    return reference


def _rows(house: House, reference: str) -> dict[str, sa.Row[Any]]:
    with house.desk.db.read() as conn:
        rows = conn.execute(sa.select(receipts).where(receipts.c.reference == reference)).all()
    return {row.processor: row for row in rows}


def _answered(row: sa.Row[Any]) -> bool:
    return row.status == "completed" or row.outcome == "manual" or bool(row.handle)


def test_a_vendor_that_is_down_does_not_delay_the_others(house: House) -> None:
    person = house.person("own_database", "intercom")
    http.post(f"{house.twins_url}/{DOWN}/_twin/fault", json={"fault": "503", "times": 10_000}, timeout=10)
    try:
        reference = _erase(house, person.email)
        house.wait(
            lambda: (rows := _rows(house, reference)) and all(_answered(r) for n, r in rows.items() if n != DOWN),
            "everybody but the one that is down",
        )
        house.wait(lambda: _rows(house, reference)[DOWN].problem, "why the one that is down failed to be kept")
        rows = _rows(house, reference)
        assert len(rows) >= 19
        assert rows[DOWN].status == "pending"
    finally:
        house.twins[DOWN].faults.clear()
    house.wait(lambda: _answered(_rows(house, reference)[DOWN]), "the one that was down")


def test_agents_see_by_when_a_vendor_is_done(house: House) -> None:
    """HubSpot takes up to thirty days after a deletion: until then nobody may call it done."""
    person = house.person("hubspot")
    reference = _erase(house, person.email)

    def line() -> str:
        found = [x for x in house.command(f"show {reference}").splitlines() if "hubspot erase" in x]
        return found[0] if found else ""

    house.wait(lambda: "done there by" in line(), "the day")
