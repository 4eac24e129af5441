"""A local stand-in of MaxMind: the Privacy Exclusions API, and what minFraud would keep.

In the mode `local` it holds nobody, for nothing is ever sent to it. In the mode `web` it holds transactions, which no
API shows or deletes: `_twin/forget` stands for the letter to MaxMind.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from flask import Blueprint, Response, jsonify, request

from integrations.twin import Person, Twin

DAY = 86400
RICHLY = "maria.pop@example.com"  # seven transactions
MESSAGES = {
    400: ("TIMESTAMP_INVALID", "The timestamp is not a valid RFC 3339 timestamp."),
    401: ("AUTHORIZATION_INVALID", "Your account ID or license key could not be authenticated."),
    403: ("PERMISSION_REQUIRED", "You do not have permission to use this service."),
}
NETWORKS = ("198.51.100.7/32", "203.0.113.0/29", "2001:db8:7::/48")  # documentation ranges, RFC 5737 and 3849
TYPE = "application/vnd.maxmind.com-privacy-exclusions+json; charset=UTF-8; version=1.0"


class MaxmindTwin(Twin):
    """State: `exclusions`, and in the mode `web` `transactions`."""

    name: ClassVar[str] = "maxmind"
    variables: ClassVar[Mapping[str, str]] = {
        "MAXMIND_API_URL": "{twin}",
        "MAXMIND_ACCOUNT_ID": "123456",
        "MAXMIND_LICENSE_KEY": "{secret}",
        "MAXMIND_MODE": "local",
    }

    def seed(self, people: Iterable[Person]) -> None:
        for n, value in enumerate(NETWORKS):
            self.records["exclusions"][value] = {
                "exclusion_type": "ccpa_do_not_sell",
                "data_type": "network",
                "value": value,
                "last_updated": _moment(n),
            }
        if self.world.env.get("MAXMIND_MODE", "web") == "local":
            return
        for person in people:
            digest = zlib.crc32(person.email.encode())
            for n in range(7 if person.email == RICHLY else 1):
                id = f"{digest:08x}-{int(self.new_id('transaction')):04x}-4000-8000-000000000000"
                self.records["transactions"][id] = {
                    "id": id,
                    "email": person.email,
                    "ip_address": f"192.0.2.{1 + digest % 250}",
                    "risk_score": 0.01,
                    "country": "RO" if person.language == "ro" else "GB",
                    "submitted_at": _moment(30 * n),
                }

    def state(self) -> dict[str, Any]:
        return {kind: list(self.records[kind].values()) for kind in ("exclusions", "transactions")}

    def error(self, status: int) -> tuple[Any, int]:
        code, error = MESSAGES.get(status, ("ERROR", "An error occurred."))
        return {"code": code, "error": error}, status

    def error_in_200(self) -> Any:
        return {"code": "ERROR", "error": "An error occurred."}

    def routes(self, api: Blueprint) -> None:
        api.before_request(self._authenticate)
        api.add_url_rule("/privacy/exclusions", "exclusions", self._exclusions)
        api.add_url_rule("/_twin/forget", "forget", self._forget, methods=["POST"])

    def _authenticate(self) -> Any:
        if "/_twin/" in request.path:
            return None
        given = request.authorization
        if given is None or given.type != "basic" or not given.username:
            return self._refuse(401, "ACCOUNT_ID_REQUIRED", "You have not supplied a MaxMind account ID.")
        if not given.password:
            return self._refuse(401, "LICENSE_KEY_REQUIRED", "You have not supplied a MaxMind license key.")
        wanted = (self.world.env.get("MAXMIND_ACCOUNT_ID"), self.world.env.get("MAXMIND_LICENSE_KEY"))
        return None if (given.username, given.password) == wanted else self._refuse(401)

    def _exclusions(self) -> Response:
        after = request.args.get("updates_after", "")
        try:
            since = datetime.fromisoformat(after) if after else None
        except ValueError:
            return self._refuse(400)
        found = [
            e
            for e in self.records["exclusions"].values()
            if since is None or datetime.fromisoformat(e["last_updated"]) > since
        ]
        answer = jsonify({"exclusions": found})
        answer.content_type = TYPE
        return answer

    def _forget(self) -> Response:
        """MaxMind's staff does what the letter asks: `{"email"}`."""
        email = str(request.get_json(force=True).get("email") or "").lower()
        with self.records.lock:
            gone = [id for id, t in self.records["transactions"].items() if t["email"] == email]
            for id in gone:
                del self.records["transactions"][id]
        return jsonify({"deleted": len(gone)})

    def _refuse(self, status: int, code: str = "", error: str = "") -> Response:
        usual = MESSAGES[status]
        answer = jsonify({"code": code or usual[0], "error": error or usual[1]})
        answer.status_code = status
        answer.content_type = "application/vnd.maxmind.com-error+json; charset=UTF-8; version=2.0"
        return answer


def _moment(days_ago: int) -> str:
    return datetime.fromtimestamp(time.time() - days_ago * DAY, UTC).isoformat().replace("+00:00", "Z")
