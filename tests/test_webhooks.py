"""The door in: what happens to forged, oversized, misshapen, doubled and ill-timed deliveries."""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import create_app
from demo.run import environment
from dsr.errors import ConfigurationError
from dsr.settings import Settings
from dsr.store.migrate import upgrade
from dsr.store.tables import deliveries, messages, quarantine
from integrations.mailgun.channel import MailgunChannel
from integrations.webhooks import MAX_BYTES

SECRET = "a client secret"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    folder = tmp_path_factory.mktemp("webhooks")
    env = environment(9, folder, folder / "demo.env") | {
        "INTERCOM_CLIENT_SECRET": SECRET,
        "MAILGUN_WEBHOOK_SIGNING_KEY": SECRET,
    }
    made = create_app(env)
    upgrade(made.extensions["desk"].db.engine)
    yield made
    made.extensions["desk"].db.engine.dispose()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def event(id: str, **item: Any) -> bytes:
    source = {"id": "1", "body": "hello", "author": {"type": "user", "id": "c1", "email": "a@example.com"}}
    item = {"type": "conversation", "id": f"conv-{id}", "created_at": 1_770_000_000, "source": source, **item}
    data = {"type": "notification_event_data", "item": item}
    return json.dumps(
        {"type": "notification_event", "id": id, "topic": "conversation.user.created", "created_at": 1, "data": data}
    ).encode()


def send(client: FlaskClient, body: bytes, signature: str | None = None) -> TestResponse:
    signature = signature or "sha1=" + hmac.new(SECRET.encode(), body, hashlib.sha1).hexdigest()
    return client.post("/webhooks/intercom", data=body, headers={"X-Hub-Signature": signature})


def count(app: Flask, table: sa.Table, *where: sa.ColumnElement[bool]) -> int:
    with app.extensions["desk"].db.read() as conn:
        return int(conn.execute(sa.select(sa.func.count()).select_from(table).where(*where)).scalar_one())


def test_a_genuine_delivery_is_stored_before_it_is_answered(app: Flask, client: FlaskClient) -> None:
    assert send(client, event("genuine")).status_code == 200
    assert count(app, messages, messages.c.event_id == "genuine") == 1


def test_the_same_event_twice_has_one_effect_and_both_are_answered(app: Flask, client: FlaskClient) -> None:
    assert [send(client, event("twice")).status_code for _ in range(3)] == [200] * 3
    assert count(app, messages, messages.c.event_id == "twice") == 1
    assert count(app, deliveries, deliveries.c.event_id == "twice") == 1


@pytest.mark.parametrize("signature", ["sha1=00", "sha1=" + "0" * 40, "nonsense", "sha1=ü", "sha256=abc", " "])
def test_a_forged_delivery_is_refused_and_nothing_is_kept(app: Flask, client: FlaskClient, signature: str) -> None:
    before = count(app, messages)
    assert send(client, event("forged"), signature).status_code == 401
    assert count(app, messages) == before


def test_a_missing_signature_is_refused(client: FlaskClient) -> None:
    assert client.post("/webhooks/intercom", data=event("unsigned")).status_code == 401


def test_an_oversized_delivery_is_refused_before_it_is_read(client: FlaskClient) -> None:
    assert send(client, b"x" * (MAX_BYTES + 1)).status_code == 413


@pytest.mark.parametrize("body", [b"not json", b"[]", b"{}", b'{"topic": "conversation.user.created"}', b"\xff\xfe"])
def test_what_is_authentic_but_not_understood_is_kept_for_the_operator(
    app: Flask, client: FlaskClient, body: bytes
) -> None:
    before = count(app, messages)
    assert send(client, body).status_code == 200
    assert count(app, messages) == before


def test_quarantine_is_listed_and_holds_a_body_once(app: Flask, client: FlaskClient) -> None:
    for _ in range(3):
        send(client, b"certainly not json")
    assert count(app, quarantine, quarantine.c.channel == "intercom") >= 1
    listed = app.test_cli_runner().invoke(args=["replay", "--json"])
    assert listed.exit_code == 0
    assert "certainly" not in listed.output


def test_a_mail_that_was_not_understood_is_read_again_from_its_form(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    timestamp, token = str(int(time.time())), "a8ce0edb2dd8301dee6c2405235584e45aa91d1e9f979f3de0"
    form = {
        "recipient": "dpo@intellimails.com",
        "sender": "ana@example.com",
        "body-plain": "Șterge datele mele, te rog",
        "message-headers": json.dumps([["From", "ana@example.com"], ["Message-Id", "<replay@example.com>"]]),
        "timestamp": timestamp,
        "token": token,
        "signature": hmac.new(SECRET.encode(), (timestamp + token).encode(), hashlib.sha256).hexdigest(),
        "attachment-1": (io.BytesIO(b"\xff\xd8\x00"), "photo.jpg"),
    }
    with monkeypatch.context() as before_it_was_mended:
        before_it_was_mended.setattr(MailgunChannel, "parse", lambda *_: {}["a field that nobody thought of"])
        assert client.post("/webhooks/mailgun", data=form, content_type="multipart/form-data").status_code == 200
    with app.extensions["desk"].db.read() as conn:
        (number,) = conn.execute(sa.select(quarantine.c.id).where(quarantine.c.channel == "mailgun")).scalars()
    again = app.test_cli_runner().invoke(args=["replay", str(number)])
    assert again.output == "1 new event(s)\n"
    with app.extensions["desk"].db.read() as conn:
        row = conn.execute(sa.select(messages).where(messages.c.event_id == token)).one()
        assert app.extensions["desk"].vault.open(conn, row.key_id, row.body_enc)["text"] == form["body-plain"]
    assert count(app, quarantine, quarantine.c.id == number) == 0


def test_without_the_database_a_delivery_is_answered_with_503_and_never_acknowledged(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = app.extensions["desk"]
    gone = sa.create_engine("sqlite:////nonexistent-folder/gone.sqlite")
    monkeypatch.setattr(desk.db, "engine", gone)
    answer = send(client, event("database-down"))
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0


def test_an_unknown_channel_is_404(client: FlaskClient) -> None:
    assert client.post("/webhooks/nobody").status_code == 404


def test_health_readiness_and_metrics_answer(client: FlaskClient) -> None:
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").status_code == 200
    assert b"privacy_desk_deliveries_total" in client.get("/metrics").data


def test_every_missing_or_wrong_setting_is_named_at_once_and_never_its_value(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Settings.from_env({"SECRET_KEY": "short-value", "BASE_URL": "no-url", "HASH_KEY": "h" * 40})
    text = str(caught.value)
    assert all(name in text for name in ("SECRET_KEY", "DATA_KEYS", "AUDIT_KEY", "BASE_URL"))
    assert "short-value" not in text
    assert "HASH_KEY" not in text


def test_a_vendor_with_half_of_its_variables_is_a_problem_that_check_names() -> None:
    result = create_app({"INTERCOM_ACCESS_TOKEN": "t"}).test_cli_runner().invoke(args=["check", "--offline"])
    assert result.exit_code == 1
    assert "INTERCOM_CLIENT_SECRET" in result.output
    assert "SECRET_KEY" in result.output
