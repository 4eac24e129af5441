"""A local stand-in of Azure: Entra's tokens, one storage account, suppression lists, one Log Analytics workspace.

A purge takes a day of the twin's, and its rows stay until then. The storage account is in `twin_blobs`.
"""

from __future__ import annotations

import hmac
import json
import re
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

from flask import Blueprint, Response, jsonify, request

from integrations.microsoft.twin_blobs import Account, failed
from integrations.twin import Person, Twin, World

Object = dict[str, Any]
Answer = tuple[Any, int]

RICHLY = "maria.pop@example.com"
PURGE_DAYS = 1.0
_GROUP = "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/desk/providers"
DOMAIN = f"{_GROUP}/Microsoft.Communication/emailServices/mailing/domains/intellimails.com"
WORKSPACE = f"{_GROUP}/Microsoft.OperationalInsights/workspaces/logs"
WORKSPACE_ID = "00000000-0000-4000-8000-0000000000aa"
SCOPES = {
    "blob": "https://storage.azure.com/.default",
    "management": "https://management.azure.com/.default",
    "logs": "https://api.loganalytics.azure.com/.default",
}
_TEXT = r'"(?:[^"\\]|\\.)*"'
_CLAUSE = rf"tostring\((\w+)\) (in~?) \(({_TEXT}(?:, {_TEXT})*)\)"
CLAUSE = re.compile(_CLAUSE)
BY_VALUE = r" \| summarize Count = count\(\) by Value = tostring\((?P<by>\w+)\)"
QUERY = re.compile(rf"(?P<table>\w+) \| where (?P<where>{_CLAUSE}(?: or {_CLAUSE})?)(?P<counted>{BY_VALUE})?")


class MicrosoftTwin(Twin):
    """One subscription."""

    name: ClassVar[str] = "microsoft"
    variables: ClassVar[Mapping[str, str]] = {
        "MICROSOFT_API_URL": "{twin}",
        "MICROSOFT_TENANT_ID": "intellimails.onmicrosoft.com",
        "MICROSOFT_CLIENT_ID": "00000000-0000-4000-8000-0000000000bb",
        "MICROSOFT_CLIENT_SECRET": "{secret}",
        "MICROSOFT_STORAGE_ACCOUNT": "intellimails",
        "MICROSOFT_STORAGE_PREFIXES": "customers/{{account_id}}/",
        "MICROSOFT_STORAGE_TAG": "account",
        "MICROSOFT_EMAIL_DOMAIN": DOMAIN,
        "MICROSOFT_EMAIL_SENDERS": "newsletter, offers",
        "MICROSOFT_LOG_WORKSPACE": WORKSPACE,
        "MICROSOFT_LOG_WORKSPACE_ID": WORKSPACE_ID,
        "MICROSOFT_LOG_COLUMNS": "AppRequests.UserAuthenticatedId, ACSEmailStatusUpdateOperational.RecipientId",
    }

    def __init__(self, world: World) -> None:
        self.account = Account(self)
        super().__init__(world)

    # -- what it holds ----------------------------------------------------------------------------------------------

    def seed(self, people: Iterable[Person]) -> None:
        self.account.permanent = True
        for person in people:
            folder = f"{person.account_id}/"
            of: Object = {"metadata": {"email": person.email}}
            self.account.add("customers", f"{folder}list.csv", f"email\n{person.email}\n", versioned=True, **of)
            self._row("AppRequests", UserAuthenticatedId=person.account_id, Name="POST /lists")
            if person.email != RICHLY:
                continue
            self.account.add("customers", f"{folder}list.csv", f"email\n{person.email}\nlater\n", versioned=True, **of)
            for n in range(3):
                report = f"{folder}reports/report {n}.csv"
                self.account.add("customers", report, f"n,valid\n{n},yes\n", versioned=True, **of)
            tags = {"account": person.account_id}
            tagged = self.account.add("uploads", "2026/09/01-a7.csv", "uploaded\n", tags=tags, **of)
            self.account.put({**tagged, "id": self.new_id("blob"), "snapshot": "2026-09-02T00:00:00.0000000Z"})
            for n in range(4):
                self._row("AppRequests", UserAuthenticatedId=person.account_id, Name=f"GET /reports/{n}")
            self._row("ACSEmailStatusUpdateOperational", RecipientId=person.email, DeliveryStatus="Delivered")

    def state(self) -> dict[str, Any]:
        self._finish()
        self.account.expire()
        return {
            "blobs": list(self.records["blobs"].values()),
            "rows": list(self.records["rows"].values()),
            "suppressionLists": list(self.records["lists"].values()),
            "suppressionListAddresses": list(self.records["addresses"].values()),
            "operations": list(self.records["operations"].values()),
        }

    def _row(self, table: str, **columns: Any) -> None:
        id = self.new_id("row")
        self.records["rows"][id] = {"id": id, "table": table, **columns}

    # -- HTTP -------------------------------------------------------------------------------------------------------

    def routes(self, api: Blueprint) -> None:
        api.before_request(self._authenticate)
        self.account.routes(api)
        api.add_url_rule("/login/<tenant>/oauth2/v2.0/token", "token", self._token, methods=["POST"])
        api.add_url_rule("/logs/v1/workspaces/<id>/query", "query", self._view(self._query), methods=["POST"])
        base = f"/management{DOMAIN}/suppressionLists"
        rows = f"{base}/<list>/suppressionListAddresses"
        workspace = f"/management{WORKSPACE}"
        table: list[tuple[str, str, Callable[..., Answer]]] = [
            ("GET", base, lambda: self._listing(list(self.records["lists"].values()))),
            ("PUT", f"{base}/<list>", self._put_list),
            ("GET", rows, self._addresses),
            ("PUT", f"{rows}/<id>", self._put_address),
            ("DELETE", f"{rows}/<id>", self._delete_address),
            ("POST", f"{workspace}/purge", self._purge),
            ("GET", f"{workspace}/operations/<id>", self._operation),
        ]
        for method, path, act in table:
            api.add_url_rule(
                path, f"{method} {path}".replace(".", "_"), self._view(act, versioned=True), methods=[method]
            )

    def error(self, status: int) -> tuple[Any, int]:
        code = {401: "AuthenticationFailed", 403: "AuthorizationFailed", 404: "ResourceNotFound", 409: "Conflict"}
        told = code.get(status, "TooManyRequests" if status == 429 else "InternalServerError")
        return {"error": {"code": told, "message": told}}, status

    def error_in_200(self) -> Any:
        return {"error": {"code": "InternalServerError", "message": "InternalServerError"}}

    def _authenticate(self) -> Any:
        service = request.path.removeprefix("/microsoft/").partition("/")[0]
        if service in ("_twin", "login"):
            return None
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        known = self.records["tokens"].get(token)
        if known and known["scope"] == SCOPES.get(service) and known["until"] > time.time():
            return None
        if service == "blob":
            return failed(401)
        body, status = self.error(401)
        return jsonify(body), status

    def _token(self, tenant: str) -> Any:
        env, form = self.world.env, request.form
        wanted = env.get("MICROSOFT_CLIENT_SECRET", "").encode()
        good = hmac.compare_digest(form.get("client_secret", "").encode(), wanted)
        if not good or form.get("client_id") != env.get("MICROSOFT_CLIENT_ID"):
            return jsonify({"error": "invalid_client", "error_description": "AADSTS7000215"}), 401
        if form.get("grant_type") != "client_credentials" or form.get("scope") not in SCOPES.values():
            return jsonify({"error": "invalid_scope", "error_description": "AADSTS70011"}), 400
        token = secrets.token_urlsafe(24)
        self.records["tokens"][token] = {"scope": form["scope"], "until": time.time() + 3599}
        return jsonify({"token_type": "Bearer", "expires_in": 3599, "access_token": token})

    def _view(self, act: Callable[..., Answer], *, versioned: bool = False) -> Callable[..., Any]:
        def view(**ids: str) -> tuple[Response, int]:
            if versioned and "api-version" not in request.args:
                return jsonify({"error": {"code": "MissingApiVersionParameter", "message": ""}}), 400
            with self.records.lock:
                self._finish()
                body, status = act(**ids)
                return jsonify(body), status

        return view

    # -- suppression lists ------------------------------------------------------------------------------------------

    def _listing(self, items: list[Object]) -> Answer:
        start = int(request.args.get("$skip") or 0)
        end = start + self.page_size
        page: Object = {"value": items[start:end]}
        if end < len(items):
            page["nextLink"] = f"{request.base_url}?api-version={request.args['api-version']}&$skip={end}"
        return page, 200

    def _put_list(self, list: str) -> Answer:
        name = request.get_json(force=True)["properties"]["listName"]
        if any(one["properties"]["listName"] == name and id != list for id, one in self.records["lists"].items()):
            return self.error(409)
        status = 200 if list in self.records["lists"] else 201
        self.records["lists"][list] = {"id": list, "name": list, "properties": {"listName": name}}
        return self.records["lists"][list], status

    def _addresses(self, list: str) -> Answer:
        if list not in self.records["lists"]:
            return self.error(404)
        return self._listing([a for a in self.records["addresses"].values() if a["list"] == list])

    def _delete_address(self, list: str, id: str) -> Answer:
        """200, or 204 if it is not there."""
        there = self.records["addresses"].pop(f"{list}/{id}", None)
        return {}, 200 if there else 204

    def _put_address(self, list: str, id: str) -> Answer:
        if list not in self.records["lists"]:
            return self.error(404)
        key, given = f"{list}/{id}", request.get_json(force=True)["properties"]
        status = 200 if key in self.records["addresses"] else 201
        self.records["addresses"][key] = {
            "id": key,
            "name": id,
            "list": list,
            "email": given["email"],
            "properties": given,
        }
        return self.records["addresses"][key], status

    # -- Log Analytics ----------------------------------------------------------------------------------------------

    def _query(self, id: str) -> Answer:
        kql = str(request.get_json(force=True).get("query"))
        if id != WORKSPACE_ID:
            return self.error(404)
        if kql.startswith("print "):
            return _table([{"Count": 1}]), 200
        asked = QUERY.fullmatch(kql)
        if not asked:
            return {"error": {"code": "BadArgumentError", "message": "The request had some invalid properties"}}, 400
        found = {
            row["id"]: row
            for column, operator, texts in CLAUSE.findall(asked["where"])
            for row in self._rows(asked["table"], column, json.loads(f"[{texts}]"), any_case=operator == "in~")
        }
        if asked["counted"]:
            values = Counter(row[asked["by"]] for row in found.values())
            return _table([{"Value": value, "Count": n} for value, n in values.items()]), 200
        return _table([{k: v for k, v in row.items() if k not in ("id", "table")} for row in found.values()]), 200

    def _rows(self, table: str, column: str, values: list[str], *, any_case: bool = False) -> list[Object]:
        alike = str.lower if any_case else str
        wanted = {alike(value) for value in values}
        return [r for r in self.records["rows"].values() if r["table"] == table and alike(r.get(column, "")) in wanted]

    def _purge(self) -> Answer:
        given = request.get_json(force=True)
        (condition,) = given["filters"]
        if condition["operator"] != "in":
            return self.error(400)
        id = f"purge-{secrets.token_hex(8)}"
        until = time.time() + PURGE_DAYS * self.world.day
        self.records["operations"][id] = {"id": id, "until": until, "status": "pending", **given}
        return {"operationId": id}, 202

    def _operation(self, id: str) -> Answer:
        found = self.records["operations"].get(id)
        return ({"status": found["status"]}, 200) if found else self.error(404)

    def _finish(self) -> None:
        """Purges whose time has come."""
        for id, operation in list(self.records["operations"].items()):
            if operation["status"] == "completed" or operation["until"] > time.time():
                continue
            (condition,) = operation["filters"]
            for row in self._rows(operation["table"], condition["column"], condition["value"]):
                del self.records["rows"][row["id"]]
            self.records["operations"][id] = {"id": id, "table": operation["table"], "status": "completed"}


def _table(rows: list[Object]) -> Object:
    names = list(rows[0]) if rows else []
    columns = [{"name": name, "type": "string"} for name in names]
    return {
        "tables": [{"name": "PrimaryResult", "columns": columns, "rows": [[r.get(n) for n in names] for r in rows]}]
    }
