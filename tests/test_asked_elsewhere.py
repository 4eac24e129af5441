"""Facebook passes on that a person wants their data erased; the real app, the real worker, the real twins."""

from __future__ import annotations

import time
from typing import Any

import requests
import sqlalchemy as sa

from dsr.store.database import make_engine
from dsr.store.tables import requests as requests_table
from tests.house import House


def _callback(house: House, user_id: str, issued_at: int) -> dict[str, Any]:
    twin: Any = house.twins["meta"]
    answer = requests.post(
        f"{house.app_url}/webhooks/meta/data-deletion",
        data={"signed_request": twin.signed_request(user_id, issued_at)},
        timeout=10,
    )
    assert answer.status_code == 200
    told: dict[str, Any] = answer.json()
    return told


def _status_page(house: House, url: str) -> str:
    assert url.startswith(f"{house.app_url}/status/")
    return house.wait(lambda: (a := requests.get(url, timeout=10)).ok and a.text, "the status page")


def _request(house: House, reference: str) -> sa.Row[Any]:
    with house.desk.db.read() as conn:
        return conn.execute(sa.select(requests_table).where(requests_table.c.reference == reference)).one()


def test_a_deletion_asked_at_facebook_asks_the_owner_of_the_account_for_proof(house: House) -> None:
    person = house.person("own_database")
    own = make_engine(house.twins["own_database"].world.env["OWN_DATABASE_URL"], pool_size=1)
    with own.begin() as conn:
        conn.exec_driver_sql("INSERT INTO external_ids VALUES (?, 'meta', 'user', '7001')", (person.account_id,))
    asked_at = int(time.time()) - 3 * 86400
    told = _callback(house, "7001", asked_at)
    assert _callback(house, "7001", asked_at) == told
    page = _status_page(house, told["url"])
    reference = house.reference(page)
    assert person.email not in page
    row = _request(house, reference)
    assert (row.right, row.status, row.opened_by) == ("erasure", "identity_pending", "processor:meta")
    assert int(row.received_at.timestamp()) == asked_at, "the clock starts when the person asked, not when we heard"
    mail = house.mail(person.email, reference)
    assert "/verify/" in mail["text"]
    with house.desk.db.read() as conn:
        c = requests_table.c
        same = conn.execute(sa.select(c.reference).where(c.address_hash == row.address_hash, c.right == "erasure"))
        assert [r.reference for r in same] == [reference], "told twice, opened once"


def test_an_id_that_no_account_has_becomes_a_request_for_an_agent(house: House) -> None:
    told = _callback(house, "999123", 1790000000)
    reference = house.reference(_status_page(house, told["url"]))
    row = _request(house, reference)
    assert (row.status, row.address_masked) == ("waiting_for_agent", "")
    assert "cannot" in house.command(f"approve {reference}") or "not proved" in house.command(f"approve {reference}")
    assert reference in house.command("list")
