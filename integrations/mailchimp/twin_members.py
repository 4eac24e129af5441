"""Members of the MailChimp twin's audiences."""

from __future__ import annotations

import hashlib
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, jsonify, request

if TYPE_CHECKING:
    from integrations.mailchimp.twin import MailchimpTwin

INNER = ("tags", "notes", "activity", "events", "goals")  # shown by calls of their own
KEYS = {"activity-feed": "activity"}


def hash_of(address: str) -> str:
    return hashlib.md5(address.lower().encode(), usedforsecurity=False).hexdigest()


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S+00:00")


def routes(twin: MailchimpTwin, api: Blueprint) -> None:
    base = "/3.0/lists/<audience>/members"

    def locked(handle: Any) -> Any:
        def answer(audience: str, id: str, **more: str) -> Any:
            with twin.records.lock:
                member = find(twin, audience, id)
                return handle(twin, audience, member, **more) if member else twin.refuse(404)

        return answer

    def put(audience: str, id: str) -> Any:
        with twin.records.lock:
            return _put(twin, audience, find(twin, audience, id))

    def post(audience: str) -> Any:
        with twin.records.lock:
            if find(twin, audience, hash_of(request.get_json()["email_address"])):
                return twin.refuse(400, "Member Exists")
            return _put(twin, audience, None)

    def members(audience: str) -> Any:
        found = [shown(m) for m in twin.records["members"].values() if m["list_id"] == audience]
        return twin.page("members", found, list_id=audience)

    api.add_url_rule(base, "members", members)
    api.add_url_rule(base, "member_add", post, methods=["POST"])
    api.add_url_rule(f"{base}/<id>", "member", locked(lambda t, a, m: jsonify(shown(m))))
    api.add_url_rule(f"{base}/<id>", "member_patch", locked(_patch), methods=["PATCH"])
    api.add_url_rule(f"{base}/<id>", "member_put", put, methods=["PUT"])
    api.add_url_rule(f"{base}/<id>", "member_archive", locked(_archive), methods=["DELETE"])
    api.add_url_rule(f"{base}/<id>/actions/delete-permanent", "member_delete", locked(_forget), methods=["POST"])
    api.add_url_rule(f"{base}/<id>/tags", "member_tags", locked(_tag), methods=["POST"])
    api.add_url_rule(f"{base}/<id>/notes", "member_note", locked(_note), methods=["POST"])
    api.add_url_rule(f"{base}/<id>/<kind>", "member_inner", locked(_inner))


def find(twin: MailchimpTwin, audience: str, id: str) -> dict[str, Any] | None:
    """By subscriber hash, e-mail address or contact id."""
    for key in (id.lower(), hash_of(id)):
        found: dict[str, Any] | None = twin.records["members"].get(f"{audience}/{key}")
        if found:
            return found
    return next(
        (m for m in twin.records["members"].values() if m["list_id"] == audience and m["contact_id"] == id), None
    )


def put(twin: MailchimpTwin, audience: str, member: dict[str, Any]) -> dict[str, Any]:
    """Store a member under its hash, and tell the index, which learns it later."""
    made = {**member, "id": hash_of(member["email_address"]), "email": member["email_address"], "last_changed": now()}
    twin.records["members"][f"{audience}/{made['id']}"] = made
    unindex(twin, audience, made["id"])
    entry = {"member": shown(made), "since": time.time(), "until": None}
    twin.records["index"][f"{audience}/{made['id']}/{time.time_ns()}"] = entry
    return made


def unindex(twin: MailchimpTwin, audience: str, hash: str) -> None:
    """The index forgets too, later."""
    index = twin.records["index"]
    for id in [id for id, e in index.items() if id.startswith(f"{audience}/{hash}/") and e["until"] is None]:
        index[id] = {**index[id], "until": time.time()}


def shown(member: dict[str, Any]) -> dict[str, Any]:
    """The member as the API gives it: the newest 50 tags, the rest by calls of their own."""
    return {
        **{k: v for k, v in member.items() if k not in (*INNER, "email")},
        "tags_count": len(member["tags"]),
        "tags": [{"id": t["id"], "name": t["name"]} for t in member["tags"][:50]],
        "_links": [],
    }


def _refused(twin: MailchimpTwin, old: str, new: str | None) -> Response | None:
    if new == "subscribed" and old in ("unsubscribed", "cleaned"):
        detail = f"a contact is in a compliance state due to {old} and cannot be subscribed."
        return twin.refuse(400, "Member In Compliance State", detail)
    return None


def _patch(twin: MailchimpTwin, audience: str, member: dict[str, Any]) -> Any:
    changes = request.get_json()
    refusal = _refused(twin, member["status"], changes.get("status"))
    if refusal:
        return refusal
    wanted = str(changes.get("email_address", member["email_address"]))
    if hash_of(wanted) != member["id"]:
        if find(twin, audience, hash_of(wanted)):
            return twin.refuse(400, "Member Exists")
        del twin.records["members"][f"{audience}/{member['id']}"]
        unindex(twin, audience, member["id"])
    allowed = ("status", "email_address", "sms_subscription_status", "language", "vip")
    made = {**member, **{k: v for k, v in changes.items() if k in allowed}}
    made["merge_fields"] = {**member["merge_fields"], **changes.get("merge_fields", {})}
    return jsonify(shown(put(twin, audience, made)))


def _put(twin: MailchimpTwin, audience: str, member: dict[str, Any] | None) -> Any:
    changes = request.get_json()
    if member:
        return _patch(twin, audience, member)
    address = str(changes.get("email_address", ""))
    if "@" not in address:
        return twin.refuse(400, "Invalid Resource", "Please provide a valid email address.")
    if f"{audience}/{hash_of(address)}" in twin.records["forgotten"]:
        detail = "the contact was permanently deleted and cannot be re-imported. The contact must re-subscribe."
        return twin.refuse(400, "Forgotten Email Not Subscribed", detail)
    status = changes.get("status") or changes.get("status_if_new") or "subscribed"
    fields = changes.get("merge_fields", {})
    return jsonify(shown(put(twin, audience, new(audience, address, status, fields))))


def new(audience: str, address: str, status: str, merge_fields: dict[str, Any]) -> dict[str, Any]:
    contact = hashlib.sha256(f"{audience}/{address}".encode()).hexdigest()
    return {
        "list_id": audience,
        "email_address": address,
        "contact_id": contact[:32],
        "unique_email_id": contact[32:42],
        "web_id": int(contact[:7], 16),
        "email_type": "html",
        "status": status,
        "merge_fields": merge_fields,
        "interests": {},
        "stats": {"avg_open_rate": 0.4, "avg_click_rate": 0.1},
        "ip_signup": "",
        "timestamp_signup": "",
        "ip_opt": "203.0.113.7",
        "timestamp_opt": now(),
        "member_rating": 3,
        "language": "",
        "vip": False,
        "location": {"latitude": 44.4, "longitude": 26.1, "country_code": "RO", "timezone": "Europe/Bucharest"},
        "source": "Website",
        "tags": [],
        "notes": [],
        "activity": [],
        "events": [],
        "goals": [],
    }


def _archive(twin: MailchimpTwin, audience: str, member: dict[str, Any]) -> Any:
    """DELETE archives: the data stay."""
    if member["status"] in ("cleaned", "pending", "archived"):
        return twin.refuse(405, detail="Can not archive a contact that is bounced, pending or archived")
    put(twin, audience, {**member, "status": "archived"})
    return "", 204


def _forget(twin: MailchimpTwin, audience: str, member: dict[str, Any]) -> Any:
    """All that is personal goes; a mark without the address keeps it from being imported again."""
    del twin.records["members"][f"{audience}/{member['id']}"]
    unindex(twin, audience, member["id"])
    twin.records["forgotten"][f"{audience}/{member['id']}"] = {"list_id": audience, "subscriber_hash": member["id"]}
    return "", 204


def _tag(twin: MailchimpTwin, audience: str, member: dict[str, Any]) -> Any:
    tags = {t["name"]: t for t in member["tags"]}
    for wanted in request.get_json()["tags"]:
        if wanted.get("status") == "inactive":
            tags.pop(wanted["name"], None)
        elif wanted["name"] not in tags:
            tags[wanted["name"]] = {"id": int(twin.new_id("tag")), "name": wanted["name"], "date_added": now()}
    put(twin, audience, {**member, "tags": list(tags.values())})
    return "", 204


def _note(twin: MailchimpTwin, audience: str, member: dict[str, Any]) -> Any:
    note = {"id": int(twin.new_id("note")), "created_at": now(), "note": request.get_json().get("note", "")}
    put(twin, audience, {**member, "notes": [*member["notes"], note]})
    return jsonify({**note, "list_id": audience, "email_id": member["id"]})


def _inner(twin: MailchimpTwin, audience: str, member: dict[str, Any], kind: str) -> Any:
    key = KEYS.get(kind, kind)
    if key not in INNER:
        return twin.refuse(404)
    return twin.page(key, member[key], email_id=member["id"], list_id=audience)
