"""Mailing lists of the Mailgun twin."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from flask import Blueprint, jsonify, request

if TYPE_CHECKING:
    from integrations.mailgun.twin import MailgunTwin

SHOWN = ("address", "name", "vars", "subscribed")


def routes(twin: MailgunTwin, api: Blueprint) -> None:
    def pages() -> Any:
        return jsonify(_page(twin, list(twin.records["lists"].values())))

    def members(name: str) -> Any:
        return jsonify(_page(twin, [_shown(m) for m in twin.records["members"].values() if m["list"] == name]))

    def member(name: str, address: str) -> Any:
        with twin.records.lock:
            return _member(twin, name, address.lower())

    def add(name: str) -> Any:
        with twin.records.lock:
            return _add(twin, name)

    api.add_url_rule("/v3/lists/pages", "list_pages", pages)
    api.add_url_rule("/v3/lists/<name>/members/pages", "list_member_pages", members)
    api.add_url_rule("/v3/lists/<name>/members", "list_add", add, methods=["POST"])
    api.add_url_rule("/v3/lists/<name>/members/<address>", "list_member", member, methods=["GET", "PUT", "DELETE"])


def put_member(twin: MailgunTwin, list_address: str, address: str, **fields: Any) -> dict[str, Any]:
    id = f"{list_address}/{address}"
    old = twin.records["members"].get(id, {"name": "", "vars": {}, "subscribed": True})
    made = {**old, **fields, "id": id, "email": address, "list": list_address, "address": address}
    twin.records["members"][id] = made
    return made


def paging(offset: int, limit: int) -> dict[str, str]:
    """Addresses of the pages around; Mailgun names a next page even after the last."""
    asked = {k: v for k, v in request.args.items() if k != "_offset"}

    def url(at: int) -> str:
        return f"{request.base_url}?{urlencode({**asked, '_offset': at})}"

    return {"first": url(0), "previous": url(max(0, offset - limit)), "next": url(offset + limit), "last": url(0)}


def _page(twin: MailgunTwin, found: list[Any]) -> dict[str, Any]:
    offset = int(request.args.get("_offset", "0"))
    limit = min(int(request.args.get("limit", "100")), twin.page_size)
    return {"items": found[offset : offset + limit], "paging": paging(offset, limit)}


def _member(twin: MailgunTwin, name: str, address: str) -> Any:
    if name not in twin.records["lists"]:
        return jsonify({"message": f"Mailing list {name} not found"}), 404
    held = twin.records["members"].get(f"{name}/{address}")
    if not held:
        return jsonify({"message": f"Member {address} of mailing list {name} not found"}), 404
    if request.method == "DELETE":
        del twin.records["members"][held["id"]]
        return jsonify({"member": {"address": address}, "message": "Mailing list member has been deleted"})
    if request.method == "PUT":
        changes = _fields()
        new = changes.pop("address", address)
        if new != address:
            del twin.records["members"][held["id"]]
        kept = {k: held[k] for k in ("name", "vars", "subscribed")}
        held = put_member(twin, name, new, **{**kept, **changes})
        return jsonify({"member": _shown(held), "message": "Mailing list member has been updated"})
    return jsonify({"member": _shown(held)})


def _add(twin: MailgunTwin, name: str) -> Any:
    fields = _fields()
    address = fields.pop("address", "")
    upsert = request.form.get("upsert", "no").lower() in ("yes", "true")
    if f"{name}/{address}" in twin.records["members"] and not upsert:
        return jsonify({"message": f"Address already exists '{address}'"}), 400
    made = put_member(twin, name, address, **fields)
    return jsonify({"member": _shown(made), "message": "Mailing list member has been created"})


def _fields() -> dict[str, Any]:
    form = request.form
    fields: dict[str, Any] = {}
    for name in ("address", "name"):
        if name in form:
            fields[name] = form[name].lower() if name == "address" else form[name]
    if "subscribed" in form:
        fields["subscribed"] = form["subscribed"].lower() in ("yes", "true", "1")
    if "vars" in form:
        fields["vars"] = json.loads(form["vars"])
    return fields


def _shown(member: dict[str, Any]) -> dict[str, Any]:
    return {name: member[name] for name in SHOWN}
