"""A local stand-in of Google: tokens, Analytics Admin v1alpha, and Data Manager v1.

Like Google it accepts a deletion without saying whether the person was there, lets it take effect days later, works
removals off as jobs, hashes what it is given of an address, and counts deletions a day and property. State:
`properties`, `users` (one for each browser), `user_lists`, `members`, `removals` and `deletions` without identifiers.
"""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from flask import Blueprint, Response, jsonify, request

from integrations.google import twin_tokens
from integrations.twin import Person, Twin

Object = dict[str, Any]
Answer = tuple[Any, int]

REPORT_DAYS, JOB_DAYS = 3.0, 0.5
STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
}
SCOPE = {"analyticsadmin": "analytics.edit", "datamanager": "datamanager"}
LISTS = (
    ("7001", "Newsletter readers", "CONTACT_ID", False),
    ("7002", "Paying customers", "CONTACT_ID", False),
    ("7003", "App users", "MOBILE_ID", False),
    ("7004", "Trial ended", "CONTACT_ID", False),
    ("7005", "Webinar of a partner", "CONTACT_ID", True),
    ("7006", "Customers of last year", "CONTACT_ID", False),
)
IDENTIFIERS = {"userId": "userId", "clientId": "id", "appInstanceId": "appInstanceId", "userProvidedData": "email"}


class GoogleTwin(Twin):
    """Paths: `/google/oauth2`, `/google/analyticsadmin`, `/google/datamanager`."""

    name: ClassVar[str] = "google"
    variables: ClassVar[Mapping[str, str]] = {
        "GOOGLE_API_URL": "{twin}",
        "GOOGLE_ANALYTICS_PROPERTY_IDS": "123456789,987654321",
        "GOOGLE_ADS_CUSTOMER_ID": "123-456-7890",
        "GOOGLE_CLIENT_ID": "demo.apps.googleusercontent.com",
        "GOOGLE_CLIENT_SECRET": "{secret}",
        "GOOGLE_REFRESH_TOKEN": "{secret}",
    }
    deletions_a_day: int = 500  # for each property

    @property
    def account(self) -> str:
        return self.world.env.get("GOOGLE_ADS_CUSTOMER_ID", "1234567890").replace("-", "")

    # -- what it holds ----------------------------------------------------------------------------------------------

    def seed(self, people: Iterable[Person]) -> None:
        properties = [p.strip() for p in self.world.env.get("GOOGLE_ANALYTICS_PROPERTY_IDS", "123456789").split(",")]
        for id in properties:
            name = f"properties/{id}/userProvidedDataSettings"
            self.records["properties"][id] = {"name": name, "userProvidedDataCollectionEnabled": True}
        for id, title, kind, read_only in LISTS:
            self.records["user_lists"][id] = self._user_list(id, title, kind, read_only)
        for n, person in enumerate(people):
            many = person.email == "maria.pop@example.com"
            for k in range(4 if many else 1):
                self._user(person, f"{1_700_000_000 + n}.{1_600_000_000 + 7 * k}", properties[0])
            own = [id for id, _, kind, read_only in LISTS if kind == "CONTACT_ID" and not read_only]
            for id in own if many else own[n % len(own) :][:1]:
                member = f"{id}-{n}"
                self.records["members"][member] = {"id": member, "userListId": id, "email": hashed(person.email)}

    def _user(self, person: Person, client: str, property: str) -> None:
        self.records["users"][client] = {
            "id": client,
            "propertyId": property,
            "userId": person.account_id,
            "appInstanceId": None,
            "email": hashed(person.email),
            "country": {"ro": "Romania", "de": "Germany"}.get(person.language, "Ireland"),
            "events": ["first_visit", "page_view", "sign_up", "page_view"],
        }

    def _user_list(self, id: str, title: str, kind: str, read_only: bool) -> Object:
        info: Object = {"uploadKeyTypes": [kind]}
        if kind == "CONTACT_ID":
            info["contactIdInfo"] = {"dataSourceType": "DATA_SOURCE_TYPE_FIRST_PARTY"}
        return {
            "name": f"accountTypes/GOOGLE_ADS/accounts/{self.account}/userLists/{id}",
            "id": id,
            "displayName": title,
            "membershipStatus": "OPEN",
            "accessReason": "SHARED" if read_only else "OWNED",
            "readOnly": read_only,
            "ingestedUserListInfo": info,
        }

    def state(self) -> dict[str, Any]:
        self.settle()
        kinds = ("properties", "users", "user_lists", "members")
        shown = {kind: list(self.records[kind].values()) for kind in kinds}
        shown["removals"] = [
            {k: v for k, v in job.items() if k != "hashes"} for job in self.records["removals"].values()
        ]
        shown["deletions"] = [
            {k: v for k, v in one.items() if k not in ("field", "value")} for one in self.records["deletions"].values()
        ]
        return shown

    def say(self, said: Mapping[str, Any]) -> dict[str, Any]:
        return {"status": 404, "error": "nobody writes to a company by Google Analytics"}

    def settle(self) -> None:
        """What is due by now takes effect."""
        now, users, members = time.time(), self.records["users"], self.records["members"]
        for id, one in list(self.records["deletions"].items()):
            if one["due"] <= now and one["value"]:
                for user in [u for u in users.values() if u["propertyId"] == one["propertyId"]]:
                    if user[IDENTIFIERS[one["field"]]] == one["value"]:
                        del users[user["id"]]
                self.records["deletions"][id] = {**one, "value": ""}
        for id, job in list(self.records["removals"].items()):
            if job["due"] <= now and job["requestStatus"] == "PROCESSING":
                for member in [m for m in members.values() if m["userListId"] in job["lists"]]:
                    if member["email"] in job["hashes"]:
                        del members[member["id"]]
                self.records["removals"][id] = {**job, "requestStatus": "SUCCESS", "hashes": []}

    # -- HTTP -------------------------------------------------------------------------------------------------------

    def routes(self, api: Blueprint) -> None:
        api.before_request(self._authenticate)
        analytics, ads = "/analyticsadmin/v1alpha/properties", "/datamanager/v1"
        table: list[tuple[str, str, Callable[..., Answer]]] = [
            ("POST", "/oauth2/token", lambda: twin_tokens.token(self.world.env, self.records["tokens"])),
            ("GET", f"{analytics}/<id>/userProvidedDataSettings", self._settings),
            ("POST", f"{analytics}/<id>:submitUserDeletion", self._submit_user_deletion),
            ("GET", f"{ads}/accountTypes/GOOGLE_ADS/accounts/<id>/userLists", self._user_lists),
            ("POST", f"{ads}/audienceMembers:remove", self._remove),
            ("GET", f"{ads}/requestStatus:retrieve", self._job),
        ]
        for method, path, act in table:
            api.add_url_rule(path, f"{method} {path}".replace(".", "_"), self._locked(act), methods=[method])

    def _locked(self, act: Callable[..., Answer]) -> Callable[..., tuple[Response, int]]:
        def view(**ids: str) -> tuple[Response, int]:
            with self.records.lock:
                self.settle()
                body, status = act(**ids)
                return jsonify(body), status

        return view

    def error(self, status: int, reason: str = "", **metadata: str) -> Answer:
        code = STATUS.get(status, "UNKNOWN")
        details = {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": reason or code,
            "domain": "googleapis.com",
            "metadata": metadata,
        }
        text = f"Request failed: {reason or code}"
        return {"error": {"code": status, "message": text, "status": code, "details": [details]}}, status

    def error_in_200(self) -> Any:
        return self.error(500)[0]

    def _authenticate(self) -> Any:
        service = request.path.removeprefix(f"/{self.name}/").partition("/")[0]
        if service not in SCOPE:
            return None
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        token = self.records["tokens"].get(given)
        if token is None or token["until"] < time.time():
            body, status = self.error(401, "ACCESS_TOKEN_EXPIRED" if token else "ACCESS_TOKEN_TYPE_UNSUPPORTED")
            return jsonify(body), status
        if not any(scope.endswith(f"/auth/{SCOPE[service]}") for scope in token["scope"].split()):
            body, status = self.error(403, "ACCESS_TOKEN_SCOPE_INSUFFICIENT")
            return jsonify(body), status
        return None

    # -- Analytics --------------------------------------------------------------------------------------------------

    def _settings(self, id: str) -> Answer:
        found = self.records["properties"].get(id)
        return (found, 200) if found else self.error(404)

    def _submit_user_deletion(self, id: str) -> Answer:
        given = request.get_json(force=True)
        if id not in self.records["properties"]:
            return self.error(404)
        if len(given) != 1 or not given.keys() <= IDENTIFIERS.keys() or not all(map(str, given.values())):
            return self.error(400)
        ((field, value),) = given.items()
        if field == "userProvidedData":
            if value != value.lower() or " " in value or ("@" not in value and not value.startswith("+")):
                return self.error(400)
            value = hashed(value)
        now, day = time.time(), self.world.day
        made = self.records["deletions"]
        today = [d for d in made.values() if d["propertyId"] == id and int(d["at"] / day) == int(now / day)]
        if len(today) >= self.deletions_a_day:
            return self.error(429, "RATE_LIMIT_EXCEEDED", quota_limit="UserDeletionRequestsPerDayPerProperty")
        at = datetime.fromtimestamp(now, UTC).isoformat().replace("+00:00", "Z")
        number = self.new_id("deletion")
        made[number] = {
            "propertyId": id,
            "deletionRequestTime": at,
            "field": field,
            "value": value,
            "at": now,
            "due": now + REPORT_DAYS * day,
        }
        return {"deletionRequestTime": at}, 200

    # -- Ads --------------------------------------------------------------------------------------------------------

    def _user_lists(self, id: str) -> Answer:
        if id != self.account:
            return self.error(403)
        size = min(int(request.args.get("pageSize", "1000")), self.page_size)
        start = int(request.args.get("pageToken", "0"))
        found = list(self.records["user_lists"].values())
        more = {"nextPageToken": str(start + size)} if start + size < len(found) else {}
        return {"userLists": found[start : start + size], **more}, 200

    def _remove(self) -> Answer:
        given = request.get_json(force=True)
        lists = [d["productDestinationId"] for d in given["destinations"]]
        known = self.records["user_lists"]
        if not lists or any(id not in known or known[id]["readOnly"] for id in lists):
            return self.error(400, "INVALID_USER_LIST_ID")
        members = given["audienceMembers"]
        hashes = [one["emailAddress"] for m in members for one in m["userData"]["userIdentifiers"]]
        if given.get("encoding") != "HEX" or any(len(h) != 64 or set(h) - set("0123456789abcdef") for h in hashes):
            return self.error(400, "INVALID_HEX_ENCODING")
        if len(hashes) > 10 * len(members):
            return self.error(400, "TOO_MANY_USER_IDENTIFIERS")
        id = str(uuid.uuid4())
        self.records["removals"][id] = {
            "requestId": id,
            "lists": lists,
            "destinations": given["destinations"],
            "hashes": hashes,
            "records": len(members),
            "identifiers": len(hashes),
            "requestStatus": "PROCESSING",
            "due": time.time() + JOB_DAYS * self.world.day,
        }
        return {"requestId": id}, 200

    def _job(self) -> Answer:
        job = self.records["removals"].get(request.args.get("requestId", ""))
        if job is None:
            return self.error(404, "REQUEST_NOT_FOUND")
        received = {"recordCount": str(job["records"]), "userIdentifierCount": str(job["identifiers"])}
        errors = {"errorInfo": {"errorCounts": job["errors"]}} if job.get("errors") else {}
        each = [
            {
                "destination": destination,
                "requestStatus": job["requestStatus"],
                "audienceMembersRemovalStatus": {"userDataRemovalStatus": received},
                **errors,
            }
            for destination in job["destinations"]
        ]
        return {"requestStatusPerDestination": each}, 200


def hashed(address: str) -> str:
    """As Google keeps an address: lower case, no dots before the @ of Gmail, SHA-256 in hex."""
    local, _, domain = address.strip().lower().rpartition("@")
    if domain in ("gmail.com", "googlemail.com"):
        local = local.replace(".", "")
    return hashlib.sha256(f"{local}@{domain}".encode()).hexdigest()
