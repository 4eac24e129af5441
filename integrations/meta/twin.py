"""A local stand-in of Meta's Graph API: custom audiences, leads, and the data deletion callback.

Like Meta it never shows who is in an audience, takes a day to remove somebody, answers errors mostly as HTTP 400 with
a code, and pages by cursor. State: `custom_audiences`, `users` (their members, hashed), `leadgen_forms`, `leads`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar
from urllib.parse import urlencode

from flask import Blueprint, Response, jsonify, request

from integrations.twin import Person, Twin

Object = dict[str, Any]
Answer = tuple[Any, int]

EFFECT_DAYS = 1.0
PAGE = "108000000000001"
AUDIENCES = (
    ("23850000000000001", "Newsletter readers", "CUSTOM"),
    ("23850000000000002", "Paying customers", "CUSTOM"),
    ("23850000000000003", "Visitors of the site", "WEBSITE"),
    ("23850000000000004", "Like paying customers", "LOOKALIKE"),
    ("23850000000000005", "Trial ended", "CUSTOM"),
)
FORMS = (("61000000000001", "Newsletter"), ("61000000000002", "Webinar"))
# status -> code, subcode, type
ERRORS = {
    401: (190, 463, "OAuthException"),
    403: (200, 0, "OAuthException"),
    404: (100, 33, "GraphMethodException"),
    409: (2650, 0, "OAuthException"),
    429: (80003, 2446079, "OAuthException"),
    500: (1, 0, "OAuthException"),
    503: (2, 0, "OAuthException"),
}


class MetaTwin(Twin):
    """Paths without a version: `META_API_URL` ends where the version ends."""

    name: ClassVar[str] = "meta"
    variables: ClassVar[Mapping[str, str]] = {
        "META_API_URL": "{twin}",
        "META_STATUS_URL": "{app}/status",
        "META_ACCESS_TOKEN": "{secret}",
        "META_APP_SECRET": "{secret}",
        "META_AD_ACCOUNT_IDS": "1001,1002",
        "META_PAGE_ID": "108000000000001",
        "META_PAGE_TOKEN": "{secret}",
    }

    # -- what it holds ----------------------------------------------------------------------------------------------

    @property
    def accounts(self) -> list[str]:
        given = self.world.env.get("META_AD_ACCOUNT_IDS", "1001")
        return [f"act_{id.strip().removeprefix('act_')}" for id in given.split(",")]

    @property
    def page(self) -> str:
        return self.world.env.get("META_PAGE_ID") or PAGE

    def seed(self, people: Iterable[Person]) -> None:
        for id, name, subtype in AUDIENCES:
            self.records["custom_audiences"][id] = {
                "id": id,
                "account_id": self.accounts[0].removeprefix("act_"),
                "name": name,
                "subtype": subtype,
                "operation_status": {"code": 200, "description": "Normal"},
            }
        for id, name in FORMS:
            self.records["leadgen_forms"][id] = {"id": id, "name": name, "status": "ACTIVE"}
        for n, person in enumerate(people):
            many = person.email == "maria.pop@example.com"
            own = [id for id, _, subtype in AUDIENCES if subtype == "CUSTOM"]
            for audience in own if many else own[n % len(own) :][:1]:
                self.join(audience, person.email)
            for form, _ in FORMS:
                for _ in range(4 if many and form == FORMS[0][0] else 1):
                    self.submit(form, person)

    def join(self, audience: str, email: str) -> None:
        id = self.new_id("user")
        hash = hashlib.sha256(email.strip().lower().encode()).hexdigest()
        self.records["users"][id] = {"id": id, "audience_id": audience, "email": hash}

    def submit(self, form: str, person: Person, field: str = "email") -> str:
        """Somebody fills in an instant form; the id of the lead."""
        id = self.new_id("lead", 490000000000000)
        answers = {field: person.email, "full_name": person.name, "company_name": person.company or "none"}
        self.records["leads"][id] = {
            "id": id,
            "created_time": time.strftime("%Y-%m-%dT%H:%M:%S+0000", time.gmtime()),
            "form_id": form,
            "ad_id": "120000000000001",
            "platform": "fb",
            "field_data": [{"name": name, "values": [value]} for name, value in answers.items()],
        }
        return id

    def state(self) -> dict[str, Any]:
        self.settle()
        shown = {kind: list(self.records[kind].values()) for kind in ("custom_audiences", "users", "leadgen_forms")}
        leads = [{**lead, "email": _answer(lead, "email")} for lead in self.records["leads"].values()]
        return {**shown, "leads": leads}

    def say(self, said: Mapping[str, Any]) -> dict[str, Any]:
        return {"status": 404, "error": "nobody writes here; the data deletion callback is _twin/data-deletion"}

    def settle(self) -> None:
        """Removals whose day is over take effect."""
        for id, removal in list(self.records["removals"].items()):
            if removal["due"] <= time.time():
                audiences = self._audiences(removal["account"])
                for user in list(self.records["users"].values()):
                    if user["email"] in removal["hashes"] and user["audience_id"] in audiences:
                        del self.records["users"][user["id"]]
                del self.records["removals"][id]

    def _audiences(self, account: str) -> dict[str, Object]:
        all = self.records["custom_audiences"]
        return {id: found for id, found in all.items() if f"act_{found['account_id']}" == account}

    # -- the callback -----------------------------------------------------------------------------------------------

    def signed_request(self, user_id: str, issued_at: int) -> str:
        payload = _encoded(
            json.dumps({"algorithm": "HMAC-SHA256", "expires": 0, "issued_at": issued_at, "user_id": user_id}).encode()
        )
        secret = self.world.env.get("META_APP_SECRET", "").encode()
        return f"{_encoded(hmac.new(secret, payload.encode(), hashlib.sha256).digest())}.{payload}"

    def _data_deletion(self) -> tuple[Response, int]:
        """Somebody removes the app in their Facebook settings and asks for their data to be deleted."""
        given = request.get_json(force=True)
        user, at = str(given.get("user_id") or "100200300400500"), int(given.get("issued_at") or time.time())
        body = urlencode({"signed_request": self.signed_request(user, at)}).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded", "User-Agent": "facebookexternalua"}
        delivered = self.deliver("/webhooks/meta/data-deletion", body, headers)
        return jsonify({"delivered": delivered}), 200 if 200 <= delivered < 300 else 502

    # -- HTTP -------------------------------------------------------------------------------------------------------

    def routes(self, api: Blueprint) -> None:
        api.before_request(self._authenticate)
        api.after_request(self._usage)
        api.add_url_rule("/_twin/data-deletion", "data_deletion", self._data_deletion, methods=["POST"])
        table: list[tuple[str, str, Callable[..., Answer]]] = [
            ("GET", "/<account>/customaudiences", self._custom_audiences),
            ("DELETE", "/<account>/usersofanyaudience", self._remove),
            ("GET", "/<page>/leadgen_forms", self._forms),
            ("GET", "/<form>/leads", self._leads),
            ("GET", "/<id>", self._lead),
            ("DELETE", "/<id>", self._delete_lead),
        ]
        for method, path, act in table:
            api.add_url_rule(path, f"{method} {path}", self._locked(act), methods=[method])

    def _locked(self, act: Callable[..., Answer]) -> Callable[..., tuple[Response, int]]:
        def view(**ids: str) -> tuple[Response, int]:
            with self.records.lock:
                self.settle()
                body, status = act(**ids)
                return jsonify(body), status

        return view

    def error(self, status: int) -> Answer:
        code, subcode, kind = ERRORS.get(status, (100, 0, "OAuthException"))
        return _error(code, subcode, kind, transient=code in (1, 2)), status

    def error_in_200(self) -> Any:
        return self.error(500)[0]

    def _authenticate(self) -> Any:
        if "/_twin/" in request.path:
            return None
        env, leads = self.world.env, request.path.rpartition("/")[2] not in ("customaudiences", "usersofanyaudience")
        token = (env.get("META_PAGE_TOKEN") if leads else "") or env.get("META_ACCESS_TOKEN", "")
        given = request.headers.get("Authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
            return jsonify(_error(190, 0, "OAuthException")), 400
        proof = hmac.new(env.get("META_APP_SECRET", "").encode(), token.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(request.args.get("appsecret_proof", "").encode(), proof.encode()):
            return jsonify(_error(100, 0, "GraphMethodException")), 400
        return None

    def _usage(self, response: Response) -> Response:
        if "/_twin/" not in request.path:
            use = {"type": "custom_audience", "call_count": 1, "total_cputime": 1, "total_time": 1}
            usage = {"1": [{**use, "estimated_time_to_regain_access": 0}]}
            response.headers["X-Business-Use-Case-Usage"] = json.dumps(usage)
        return response

    def _custom_audiences(self, account: str) -> Answer:
        if account not in self.accounts:
            return self.error(404)[0], 400
        fields = request.args.get("fields", "id").split(",")
        found = self._audiences(account).values()
        return self._listed([{k: a[k] for k in fields if k in a} for a in found])

    def _remove(self, account: str) -> Answer:
        if account not in self.accounts:
            return self.error(404)[0], 400
        try:
            payload = json.loads(request.form["payload"])
            hashes = [row[0] for row in payload["data"] if len(row) == len(payload["schema"])]
        except (KeyError, ValueError, TypeError, IndexError):
            return _error(100, 0, "OAuthException"), 400
        if payload["schema"] != ["EMAIL"] or len(hashes) != len(payload["data"]):
            return _error(100, 0, "OAuthException"), 400
        due = time.time() + EFFECT_DAYS * self.world.day
        self.records["removals"][self.new_id("removal")] = {"account": account, "hashes": hashes, "due": due}
        return {"success": True}, 200

    def _forms(self, page: str) -> Answer:
        if page != self.page:
            return self.error(404)[0], 400
        return self._listed([{"id": form["id"]} for form in self.records["leadgen_forms"].values()])

    def _leads(self, form: str) -> Answer:
        if form not in self.records["leadgen_forms"]:
            return self.error(404)[0], 400
        return self._listed([lead for lead in self.records["leads"].values() if lead["form_id"] == form])

    def _lead(self, id: str) -> Answer:
        lead = self.records["leads"].get(id)
        return (lead, 200) if lead else (self.error(404)[0], 400)

    def _delete_lead(self, id: str) -> Answer:
        if self.records["leads"].pop(id) is None:
            return self.error(404)[0], 400
        return {"success": True}, 200

    def _listed(self, items: list[Object]) -> Answer:
        """A page; cursors name the last item, so that deletions in between skip nobody."""
        size = min(int(request.args.get("limit", "25")), self.page_size)
        start = int(base64.urlsafe_b64decode(request.args.get("after", "").encode()) or b"0")
        rest = [item for item in items if int(item["id"]) > start]
        page = rest[:size]
        if not page:
            return {"data": []}, 200
        before, after = (_cursor(page[n]["id"]) for n in (0, -1))
        paging: Object = {"cursors": {"before": before, "after": after}}
        if len(rest) > size:
            paging["next"] = f"{request.base_url}?access_token=hidden&after={after}"
        return {"data": page, "paging": paging}, 200


def _error(code: int, subcode: int, kind: str, *, transient: bool = False) -> Object:
    more = {"error_subcode": subcode} if subcode else {}
    told = {"message": "An error of the twin", "type": kind, "code": code, "is_transient": transient}
    return {"error": {**told, **more, "fbtrace_id": "AtwinTrace"}}


def _answer(lead: Object, name: str) -> str | None:
    return next((field["values"][0] for field in lead["field_data"] if field["name"] == name), None)


def _cursor(id: str) -> str:
    return base64.urlsafe_b64encode(id.encode()).decode()


def _encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
