"""The playground page, and the small JSON doors that it uses. Only the demo has them: they show everything."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from flask import Blueprint, Response, current_app, jsonify, render_template, request

from demo.people import CHILD, ION, MARIA
from dsr import receipts
from dsr.desk import Desk
from dsr.store.tables import requests as requests_table
from integrations.registry import VENDORS
from integrations.transport import Transport
from integrations.twin import Twin

bp = Blueprint("demo", __name__, url_prefix="/demo", template_folder="templates", static_folder="static")

CHANNELS = {
    "intercom": "Intercom",
    "zendesk": "Zendesk ticket",
    "zendesk-messaging": "Zendesk messaging",
    "slack": "Slack message",
    "mailgun": "E-mail",
}
IDEAS = (
    "please delete my account and everything you have on me",
    "Trimiteți-mi vă rog toate datele pe care le aveți despre mine.",
    "Bitte keine Werbemails mehr!",
    "My son is 12 and has an account with you: luca.matei@example.com",
    "Je m'oppose au traitement de mes données à des fins de profilage.",
    "Actually, no. Keep my account.",
    "How do I export my contacts to CSV?",
)


@bp.route("")
def play() -> str:
    people = [MARIA, ION, CHILD, *list(current_app.extensions["twins"]["intercom"].world.people[3:12])]
    return render_template("play.html", channels=CHANNELS, people=people, ideas=IDEAS)


@bp.route("/now")
def now() -> Response:
    """Everything that the page shows about one person, in one answer."""
    address = request.args.get("person", MARIA.email)
    twins: dict[str, Twin] = current_app.extensions["twins"]
    return jsonify(
        conversations=_conversations(twins, address),
        mails=_mails(twins, address),
        processors=_processors(twins, address),
        requests=_requests(address),
        agents=_agents(twins),
    )


@bp.route("/say", methods=["POST"])
def say() -> tuple[Response, int]:
    """A customer writes: handed to the channel's twin, which sends its signed webhook."""
    said = request.get_json()
    return _twin_post(f"{said.pop('channel')}/_twin/say", {**said, "deliver": True})


@bp.route("/command", methods=["POST"])
def command() -> tuple[Response, int]:
    """An agent types a slash command in Slack."""
    return _twin_post("slack/_twin/command", {"user": "U0AGENT", **request.get_json()})


def _twin_post(path: str, body: dict[str, Any]) -> tuple[Response, int]:
    world = current_app.extensions["twins"]["intercom"].world
    answer = Transport("twin", world.base_url).call("POST", path, json=body, accept=range(300, 600), retry=False)
    return jsonify(answer.json()), answer.status


def _conversations(twins: dict[str, Twin], address: str) -> list[dict[str, Any]]:
    found = []
    for channel, label in CHANNELS.items():
        state = twins[channel].state() if channel in twins else {}
        people = {str(p.get("id")) for p in _all_people(state) if _mentions(p, address)}
        for conversation in [*state.get("conversations", []), *state.get("tickets", [])]:
            messages = conversation.get("messages") or conversation.get("comments") or []
            mine = _mentions(conversation, address) or any(f'"{p}"' in json.dumps(conversation) for p in people)
            if messages and mine:
                seen = [shown(m, str(conversation.get("requester_id", ""))) for m in messages]
                found.append({"channel": channel, "label": label, "id": str(conversation["id"]), "messages": seen})
    return found


def _all_people(state: dict[str, Any]) -> list[dict[str, Any]]:
    return [*state.get("contacts", []), *state.get("users", [])]


def shown(message: dict[str, Any], requester: str) -> dict[str, Any]:
    """Who wrote what, from each vendor's own shape (Zendesk names authors by number only)."""
    author = message.get("author") or {}
    ours = author.get("type") in ("admin", "business") or message.get("bot_id")
    ours = ours or str(message.get("author_id", requester)) != requester
    note = message.get("part_type") == "note" or message.get("public") is False or message.get("note")
    text = message.get("body") or message.get("text") or (message.get("content") or {}).get("text") or ""
    return {"who": "note" if note else "desk" if ours else "customer", "text": text}


def _mails(twins: dict[str, Twin], address: str) -> list[dict[str, Any]]:
    messages = twins["mailgun"].state().get("messages", []) if "mailgun" in twins else []
    return [
        {"subject": m["subject"], "text": m["text"], "html": m.get("html", "")}
        for m in reversed(messages)
        if address in str(m["to"])
    ]


def _processors(twins: dict[str, Twin], address: str) -> list[dict[str, Any]]:
    policy = current_app.extensions["desk"].policy
    named = [("own_database", policy.own_database.label), *((p.name, p.label) for p in policy.processors)]
    built = {v.name for v in VENDORS if v.processor}
    found = []
    for name, label in named:
        held = sum(
            _records(twin.state(), address) for key, twin in twins.items() if key == name or key.startswith(f"{name}-")
        )
        found.append({"name": name, "label": label, "held": held, "connected": name in built})
    return found


def _records(state: dict[str, Any], address: str) -> int:
    """How many records at a vendor name the person, by address or by the vendor's own id of them."""
    ids = {address, *(str(p["id"]) for p in _all_people(state) if _mentions(p, address) and p.get("id"))}
    ids |= {str(a["id"]) for a in state.get("accounts", []) if a.get("email") == address}
    rows = [
        r for kind, rows in state.items() if isinstance(rows, list) and kind not in ("requests", "meta") for r in rows
    ]
    return sum(any(f'"{i}"' in json.dumps(row) for i in ids) for row in rows)


def _mentions(record: dict[str, Any], address: str) -> bool:
    return f'"{address}"' in json.dumps(record)


def _requests(address: str) -> list[dict[str, Any]]:
    desk: Desk = current_app.extensions["desk"]
    mine = desk.vault.hash("address", address)
    with desk.db.read() as conn:
        rows = conn.execute(sa.select(requests_table).order_by(requests_table.c.received_at.desc()).limit(8)).all()
        return [
            {
                "reference": row.reference,
                "right": row.right,
                "mine": row.address_hash == mine,
                "status": row.status,
                "who": row.address_masked,
                "due": row.due_at.date().isoformat(),
                "steps": [
                    {
                        "processor": s.processor,
                        "operation": s.operation,
                        "state": s.verdict or ("with_a_person" if s.outcome == "manual" else s.status),
                    }
                    for s in receipts.rows(conn, row.reference)
                ],
            }
            for row in rows
        ]


def _agents(twins: dict[str, Twin]) -> list[str]:
    """What stands in the agents' channel of Slack, newest first."""
    if "slack" not in twins:
        return []
    channel = twins["slack"].world.env["SLACK_AGENT_CHANNEL"]
    for conversation in twins["slack"].state().get("conversations", []):
        if conversation["id"] == channel:
            return [m.get("text", "") for m in reversed(conversation.get("messages", []))]
    return []
