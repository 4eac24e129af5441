"""A local stand-in of Hotjar: tokens, user look-up with deletion, surveys; pictures that no look-up searches.

Like Hotjar it finds a person by the address or user id that the site sent, submits deletions that take effect later,
answers a look-up without saying what it found, and refuses it on plans other than Scale (`POST _twin/plan`).
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from flask import Blueprint, Response, jsonify, request

from integrations.twin import Person, Twin

Object = dict[str, Any]

DELETED_AFTER_DAYS = 0.5
TOKEN_SECONDS = 3600
RICHLY = "maria.pop@example.com"  # survey answers on more than one page
SURVEYS = ("How did you hear of us?", "What is missing?")


class HotjarTwin(Twin):
    """The organisations and sites that the app's own variables name."""

    name: ClassVar[str] = "hotjar"
    variables: ClassVar[Mapping[str, str]] = {
        "HOTJAR_API_URL": "{twin}",
        "HOTJAR_CLIENT_ID": "demo",
        "HOTJAR_CLIENT_SECRET": "{secret}",
        "HOTJAR_ORGANIZATION_IDS": "111,222",
        "HOTJAR_SITE_IDS": "111/900001",
        "HOTJAR_SURVEYS": "true",
    }

    def seed(self, people: Iterable[Person]) -> None:
        site = self._sites()[0] if self._sites() else "900001"
        organization = self._organizations()[0]
        self.records["plan"]["plan"] = {"id": "plan", "name": "Scale"}
        for n, name in enumerate(SURVEYS):
            self.records["surveys"][str(700 + n)] = {"id": str(700 + n), "name": name, "site": site}
        for person in people:
            user: Object = {
                "id": person.account_id or person.email,
                "email": person.email,
                "organization": organization,
                "site": site,
                "attributes": {"email": person.email, "company": person.company},
                "delete_at": 0.0,
            }
            self.records["users"][self.new_id("user")] = user
            many = person.email == RICHLY
            for n in range(5 if many else 1):
                id = self.new_id("recording", 40000)
                page = f"https://app.intellimails.com/campaigns/{n}"
                self.records["recordings"][id] = {"id": id, "email": person.email, "site": site, "page": page}
            for n in range(4 if many else 1):
                self._answer(person.email, f"It could be faster ({n})", survey=str(700 + n % len(SURVEYS)))
        # Somebody's name can be read in a picture of a page; nothing links it to a person.
        self.records["heatmaps"]["1"] = {"id": "1", "page": "https://app.intellimails.com/", "screenshot": "home.png"}

    def _answer(self, email: str, text: str, survey: str) -> None:
        id = self.new_id("response", 60000)
        answers = [{"question_id": "1", "answer": text}, {"question_id": "2", "answer": email}]
        self.records["responses"][id] = {"id": id, "survey": survey, "answers": answers, "comment": "", "tags": []}

    def state(self) -> dict[str, Any]:
        self._pass_time()
        kinds = ("users", "recordings", "surveys", "responses", "heatmaps")
        return {kind: list(self.records[kind].values()) for kind in kinds}

    def say(self, said: Mapping[str, Any]) -> dict[str, Any]:
        return {"status": 404, "error": "Hotjar is no conversation platform"}

    def _pass_time(self) -> None:
        """Deletions that were submitted long enough ago take effect."""
        for key, user in list(self.records["users"].items()):
            if 0 < user["delete_at"] <= time.time():
                del self.records["users"][key]
                for kind in ("recordings", "responses"):
                    for id, record in list(self.records[kind].items()):
                        answered = [a["answer"] for a in record.get("answers", [])]
                        if user["email"] in (record.get("email"), *answered):
                            del self.records[kind][id]

    # -- HTTP -------------------------------------------------------------------------------------------------------

    def routes(self, api: Blueprint) -> None:
        api.before_request(self._authenticate)
        api.add_url_rule("/_twin/plan", "plan", self._plan, methods=["POST"])
        api.add_url_rule("/v1/oauth/token", "token", self._give_token, methods=["POST"])
        api.add_url_rule("/v1/organizations/<organization>/user-lookup", "look_up", self._look_up, methods=["POST"])
        api.add_url_rule("/v1/sites/<site>/surveys", "surveys", self._list_surveys)
        api.add_url_rule("/v1/sites/<site>/surveys/<survey>/responses", "responses", self._list_responses)

    def error(self, status: int) -> tuple[Any, int]:
        error, message = {
            401: ("unauthorized", "The access token is missing, invalid or expired."),
            403: ("forbidden", "Your plan does not include this feature."),
            404: ("not_found", "The requested resource does not exist."),
            429: ("rate_limit_exceeded", "Too many requests."),
        }.get(status, ("internal_error", "Something went wrong."))
        return {"error": error, "message": message}, status

    def error_in_200(self) -> Any:
        return self.error(500)[0]

    def _plan(self) -> Response:
        self.records["plan"]["plan"] = {"id": "plan", "name": str(request.get_json(force=True)["plan"])}
        return jsonify(self.records["plan"]["plan"])

    def _give_token(self) -> Any:
        given = request.form
        right = given.get("grant_type") == "client_credentials" and all(
            hmac.compare_digest(given.get(field, "").encode(), self.world.env.get(variable, "").encode())
            for field, variable in (("client_id", "HOTJAR_CLIENT_ID"), ("client_secret", "HOTJAR_CLIENT_SECRET"))
        )
        if not right:
            return self.error(401)
        with self.records.lock:
            token = f"hotjar-token-{self.new_id('token')}"
            self.records["tokens"][token] = {"id": token, "until": time.time() + TOKEN_SECONDS}
        return jsonify({"access_token": token, "token_type": "bearer", "expires_in": TOKEN_SECONDS})

    def _authenticate(self) -> Any:
        if "/_twin/" in request.path or request.path.endswith("/oauth/token"):
            return None
        token = self.records["tokens"].get(request.headers.get("Authorization", "").removeprefix("Bearer "))
        if token is None or token["until"] < time.time():
            body, status = self.error(401)
            return jsonify(body), status
        return None

    def _look_up(self, organization: str) -> Any:
        given = request.get_json(force=True)
        with self.records.lock:
            self._pass_time()
            if organization not in self._organizations():
                return self.error(404)
            if "Scale" not in self.records["plan"]["plan"]["name"]:
                return self.error(403)
            email, ids = given.get("data_subject_email"), given.get("data_subject_site_id_to_user_id_map") or {}
            if not email and not ids:
                return {"error": "bad_request", "message": "Give an e-mail address or a user id."}, 400
            if given.get("delete_all_hits") is True:
                for key, user in self.records["users"].items():
                    found = email == user["email"] or ids.get(user["site"]) == user["id"]
                    if found and user["organization"] == organization:
                        due = time.time() + DELETED_AFTER_DAYS * self.world.day
                        self.records["users"][key] = {**user, "delete_at": due}
        return jsonify({"status": "success", "message": "The look-up was submitted."})

    def _list_surveys(self, site: str) -> Any:
        if site not in self._sites():
            return self.error(404)
        found = [s for s in self.records["surveys"].values() if s["site"] == site]
        return jsonify(self._page([{"id": s["id"], "name": s["name"]} for s in found]))

    def _list_responses(self, site: str, survey: str) -> Any:
        if survey not in self.records["surveys"] or site not in self._sites():
            return self.error(404)
        with self.records.lock:
            self._pass_time()
            found = [r for r in self.records["responses"].values() if r["survey"] == survey]
        return jsonify(self._page([{k: v for k, v in r.items() if k != "survey"} for r in found]))

    def _page(self, items: Sequence[Object]) -> Object:
        start = int(request.args.get("cursor") or 0)
        end = start + self.page_size
        return {"results": list(items[start:end]), "next_cursor": str(end) if end < len(items) else None}

    def _organizations(self) -> list[str]:
        return self.world.env.get("HOTJAR_ORGANIZATION_IDS", "111").replace(" ", "").split(",")

    def _sites(self) -> list[str]:
        pairs = self.world.env.get("HOTJAR_SITE_IDS", "").replace(" ", "").split(",")
        return [pair.partition("/")[2] for pair in pairs if pair]
