"""The API paths of the twin. Each answers as https://developers.hubspot.com/docs/api-reference shows."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from flask import Blueprint, jsonify, request

if TYPE_CHECKING:
    from integrations.hubspot.twin import HubspotTwin

Object = dict[str, Any]
Answer = tuple[Any, int]
THREADS = "/conversations/v3/conversations/threads"
STATUSES = "/communication-preferences/v4/statuses/<address>"


def register(twin: HubspotTwin, api: Blueprint) -> None:
    """Every path, under the twin's lock."""
    routes = Routes(twin)
    for method, path, act in routes.table():
        api.add_url_rule(path, f"{method} {path}".replace(".", "_"), _locked(twin, act), methods=[method])


def _locked(twin: HubspotTwin, act: Callable[..., Answer]) -> Callable[..., Any]:
    def view(**ids: str) -> Any:
        with twin.records.lock:
            twin.purge()
            body, status = act(**ids)
            return ("", status) if status == 204 else (jsonify(body), status)

    return view


class Routes:
    """The views; they run under the lock."""

    def __init__(self, twin: HubspotTwin) -> None:
        self.twin = twin
        self.records = twin.records

    def table(self) -> list[tuple[str, str, Callable[..., Answer]]]:
        return [
            ("GET", "/crm/v3/properties/contacts", self.properties),
            ("POST", "/crm/v3/properties/contacts", self.new_property),
            ("GET", "/crm/v3/properties/contacts/<name>", self.property),
            ("POST", "/crm/v3/objects/contacts/search", self.search),
            ("POST", "/crm/v3/objects/contacts/gdpr-delete", self.gdpr_delete),
            ("GET", "/crm/v3/objects/contacts/<id>", self.contact),
            ("PATCH", "/crm/v3/objects/contacts/<id>", self.update),
            ("DELETE", "/crm/v3/objects/contacts/<id>", self.soft_delete),
            ("POST", "/crm/v3/objects/<kind>/batch/read", self.batch_read),
            ("POST", "/crm/v3/objects/<kind>/batch/archive", self.batch_archive),
            ("GET", "/crm/v4/objects/contacts/<id>/associations/<kind>", self.associations),
            ("POST", "/crm/v4/associations/<kind>/contacts/batch/read", self.owners),
            ("GET", THREADS, self.threads),
            ("GET", THREADS + "/<id>", self.thread),
            ("DELETE", THREADS + "/<id>", self.delete_thread),
            ("GET", THREADS + "/<id>/messages", self.messages),
            ("GET", STATUSES, self.statuses),
            ("GET", STATUSES + "/unsubscribe-all", self.opted_out),
            ("POST", STATUSES + "/unsubscribe-all", self.opt_out),
            ("GET", "/marketing/v3/forms/", self.forms),
            ("GET", "/form-integrations/v1/submissions/forms/<form>", self.submissions),
        ]

    # -- properties -------------------------------------------------------------------------------------------------

    def properties(self) -> Answer:
        return {"results": list(self.records["properties"].values())}, 200

    def property(self, name: str) -> Answer:
        found = self.records["properties"].get(name)
        return (found, 200) if found else self.twin.error(404)

    def new_property(self) -> Answer:
        given = request.get_json(force=True)
        if given["name"] in self.records["properties"]:
            return self.twin.error(409)
        self.records["properties"][given["name"]] = given
        return given, 201

    # -- contacts ---------------------------------------------------------------------------------------------------

    def search(self) -> Answer:
        given = request.get_json(force=True)
        filters = [one for group in given["filterGroups"] for one in group["filters"]]
        if len(filters) > 5:
            return self.twin.error(400)
        ghosts = [g["contact"] for g in self.records["ghosts"].values() if g["until"] > time.time()]
        live = [c for c in self.records["contacts"].values() if not c["archived"]]
        hits = [_shown(c) for c in (*live, *ghosts) if any(_matches(c, one) for one in filters)]
        return {"total": len(hits), **self._page(hits, str(given.get("after") or ""))}, 200

    def contact(self, id: str) -> Answer:
        archived = request.args.get("archived") == "true"
        by_email = request.args.get("idProperty") == "email"
        found = self.twin.by_address(id) if by_email else self.records["contacts"].get(id)
        if found is None or found["archived"] != archived:
            return self.twin.error(404)
        return _shown(found, request.args.get("properties", "").split(",")), 200

    def update(self, id: str) -> Answer:
        found, given = self.records["contacts"].get(id), request.get_json(force=True)["properties"]
        if found is None or found["archived"]:
            return self.twin.error(404)
        unknown = [name for name in given if name not in self.records["properties"]]
        if unknown:
            body, _ = self.twin.error(400)
            return {**body, "category": "VALIDATION_ERROR", "message": "Property values were not valid"}, 400
        if "email" in given:
            holder = self.twin.by_address(given["email"])
            if holder is not None and holder["id"] != id:
                return self.twin.error(409)
            given = {**given, "email": given["email"].lower()}
        self.records["contacts"][id] = {**found, "properties": {**found["properties"], **given}}
        return _shown(self.records["contacts"][id], given), 200

    def soft_delete(self, id: str) -> Answer:
        if id in self.records["contacts"]:
            self.records["contacts"][id] = {**self.records["contacts"][id], "archived": True}
        return None, 204

    def gdpr_delete(self) -> Answer:
        given = request.get_json(force=True)
        if given.get("idProperty") == "email":
            found = self.twin.by_address(str(given["objectId"]))
            if found is None:  # as the specification says: an unknown address is blocked
                self.twin.block(str(given["objectId"]))
                return None, 204
        else:
            found = self.records["contacts"].get(str(given["objectId"]))
            if found is None or found["archived"]:  # whether HubSpot reaches into its recycle bin is not documented
                return self.twin.error(404)
        self.twin.erase(found)
        return None, 204

    # -- what hangs on contacts -------------------------------------------------------------------------------------

    def batch_read(self, kind: str) -> Answer:
        given = request.get_json(force=True)
        live = {i: r for i, r in self.records[kind].items() if not r.get("archived_at") and not r.get("archived")}
        found = [live[one["id"]] for one in given["inputs"] if one["id"] in live]
        results = [_shown(record, given["properties"]) for record in found]
        if given.get("propertiesWithHistory"):
            for shown in results:
                shown["propertiesWithHistory"] = {
                    name: [{"value": value, "sourceType": "CRM_UI"}] for name, value in shown["properties"].items()
                }
        return {"status": "COMPLETE", "results": results}, 200

    def batch_archive(self, kind: str) -> Answer:
        for one in request.get_json(force=True)["inputs"]:
            record = self.records[kind].get(one["id"])
            if record and not record["archived_at"]:
                self.records[kind][one["id"]] = {**record, "archived_at": time.time()}
        return None, 204

    def associations(self, id: str, kind: str) -> Answer:
        if id not in self.records["contacts"]:
            return self.twin.error(404)
        links = [
            {"toObjectId": int(r["id"]), "associationTypes": [{"category": "HUBSPOT_DEFINED", "typeId": 202}]}
            for r in self.records[kind].values()
            if id in r["contacts"] and not r["archived_at"]
        ]
        return self._page(links, request.args.get("after", "")), 200

    def owners(self, kind: str) -> Answer:
        asked = [one["id"] for one in request.get_json(force=True)["inputs"]]
        records = [self.records[kind][id] for id in asked if id in self.records[kind]]
        results = [
            {"from": {"id": r["id"]}, "to": [{"toObjectId": int(c), "associationTypes": []} for c in r["contacts"]]}
            for r in records
        ]
        return {"status": "COMPLETE", "results": results}, 200

    # -- conversations ----------------------------------------------------------------------------------------------

    def threads(self) -> Answer:
        contact, archived = request.args.get("associatedContactId"), request.args.get("archived") == "true"
        found = [t for t in self.records["threads"].values() if t["contact"] == contact]
        hits = [_thread(t) for t in found if bool(t["archived_at"]) is archived]
        return self._page(hits, request.args.get("after", "")), 200

    def thread(self, id: str) -> Answer:
        found = self.records["threads"].get(id)
        return (_thread(found), 200) if found and not found["archived_at"] else self.twin.error(404)

    def delete_thread(self, id: str) -> Answer:
        found = self.records["threads"].get(id)
        if found is None or found["archived_at"]:
            return self.twin.error(404)
        self.records["threads"][id] = {**found, "archived_at": time.time()}
        return None, 204

    def messages(self, id: str) -> Answer:
        found = self.records["threads"].get(id)
        if found is None:
            return self.twin.error(404)
        return self._page(found["messages"], request.args.get("after", "")), 200

    # -- mail and forms ---------------------------------------------------------------------------------------------

    def statuses(self, address: str) -> Answer:
        out = address.lower() in self.records["optouts"]
        kinds = (("201", "Marketing Information"), ("202", "One to One"))
        results = [
            {
                "channel": "EMAIL",
                "subscriberIdString": address.lower(),
                "subscriptionId": int(id),
                "subscriptionName": name,
                "status": "UNSUBSCRIBED" if out else "NOT_SPECIFIED",
                "source": "API",
            }
            for id, name in kinds
        ]
        return _complete(results), 200

    def opted_out(self, address: str) -> Answer:
        found = self.records["optouts"].get(address.lower())
        status = {"channel": "EMAIL", "subscriberIdString": address.lower(), "status": "UNSUBSCRIBED"}
        results = [{**status, "wideStatusType": "PORTAL_WIDE", "timestamp": found["at"]}] if found else []
        return _complete(results), 200

    def opt_out(self, address: str) -> Answer:
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        wanted = address.lower()
        known = wanted in self.records["optouts"]
        if not known:
            self.records["optouts"][wanted] = {"id": wanted, "email": wanted, "at": now}
        reason = "NO_STATUS_CHANGE" if known else "UNSUBSCRIBE_FROM_ALL_OCCURRED"
        body, _ = self.statuses(address)
        return _complete([{**one, "setStatusSuccessReason": reason} for one in body["results"]]), 200

    def forms(self) -> Answer:
        return self._page(list(self.records["forms"].values()), request.args.get("after", "")), 200

    def submissions(self, form: str) -> Answer:
        sent = [s for s in self.records["submissions"].values() if s["form"] == form]
        shown = [{"submittedAt": s["submittedAt"], "values": s["values"], "pageUrl": s["pageUrl"]} for s in sent]
        return self._page(shown, request.args.get("after", "")), 200

    def _page(self, items: Sequence[Object], after: str) -> Object:
        start = int(after) if after.isdigit() else 0
        end = start + self.twin.page_size
        page: Object = {"results": list(items[start:end])}
        if end < len(items):
            page["paging"] = {"next": {"after": str(end), "link": f"{request.path}?after={end}"}}
        return page


def _shown(record: Object, names: Sequence[str] | Object = ()) -> Object:
    always = ("hs_object_id", "createdate", "lastmodifieddate")
    kept = {k: v for k, v in record["properties"].items() if k in names or k in always}
    shown = {k: v for k, v in record.items() if k not in ("contacts", "archived_at")}
    return {**shown, "properties": kept, "archived": bool(record.get("archived"))}


def _matches(contact: Object, asked: Object) -> bool:
    value = str(contact["properties"].get(asked["propertyName"]) or "").lower()
    wanted = str(asked["value"]).lower()
    # CONTAINS_TOKEN splits at punctuation, so it also shows addresses that merely contain this one
    return value == wanted or (asked["operator"] == "CONTAINS_TOKEN" and wanted in value)


def _thread(thread: Object) -> Object:
    shown = {k: v for k, v in thread.items() if k not in ("contact", "archived_at", "messages")}
    return {**shown, "associatedContactId": thread["contact"], "archived": bool(thread["archived_at"])}


def _complete(results: list[Object]) -> Object:
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return {"status": "COMPLETE", "results": results, "startedAt": now, "completedAt": now}
