"""A local stand-in of the company's Dropbox: folders, files, a search that is late, deletion in two steps.

Like Dropbox it shows a team space only to those who name its root, keeps deleted files for recovery, and deletes for
good only in a Business account.
"""

from __future__ import annotations

import hmac
import re
import secrets
import time
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from flask import Blueprint, Response, jsonify, request

from integrations.dropbox import twin_seed
from integrations.dropbox.twin_routes import HOME, ROOT, named_root, register
from integrations.twin import Person, Twin

Object = dict[str, Any]
RECOVERY = {"basic": 30, "pro": 180, "business": 180}  # days
LAG = 0.5  # of a day, in which the search still shows what was deleted


class DropboxTwin(Twin):
    """State: `folders` (those of the customers are annotated with the `email` of whom they are about) and `files`.

    Args of tests: `kind` is the account's type.
    """

    name: ClassVar[str] = "dropbox"
    variables: ClassVar[Mapping[str, str]] = {
        "DROPBOX_API_URL": "{twin}",
        "DROPBOX_APP_KEY": "{secret}",
        "DROPBOX_APP_SECRET": "{secret}",
        "DROPBOX_REFRESH_TOKEN": "{secret}",
    }
    kind = "business"

    def seed(self, people: Iterable[Person]) -> None:
        twin_seed.seed(self, people)

    def state(self) -> dict[str, Any]:
        kept = list(self.records["entries"].values())
        return {kind: [e for e in kept if e["tag"] == kind[:-1]] for kind in ("folders", "files")}

    def reset(self) -> None:
        self.kind = "business"
        super().reset()

    def put(self, path: str, content: str | None = None, **more: Any) -> Object:
        """Store a file, or a folder if it has no content."""
        number = self.new_id("entry")
        made: Object = {
            "id": f"id:a4ayc_80_OEAAAAAAAA{number}",
            "tag": "folder" if content is None else "file",
            "name": path.rpartition("/")[2],
            "path_display": path,
            "path_lower": path.lower(),
            "deleted": False,
            **more,
        }
        if content is not None:
            made |= {"content": content, "rev": f"a1c10ce0d{number}", "modified": "2026-03-02T09:30:00Z"}
        self.records["entries"][made["id"]] = made
        return made

    def at(self, path: str, deleted: bool = False) -> Object | None:
        """The entry at a path or id; a live one before a deleted one."""
        found = [e for e in self.entries() if path.lower() in (e["id"].lower(), e["path_lower"])]
        if not deleted or path.startswith("id:"):
            found = [e for e in found if not e["deleted"]]
        return min(found, key=lambda e: bool(e["deleted"]), default=None)

    def below(self, entry: Object) -> list[Object]:
        """An entry with everything in it."""
        inside = entry["path_lower"] + "/"
        return [e for e in self.entries() if e["id"] == entry["id"] or e["path_lower"].startswith(inside)]

    def entries(self) -> list[Object]:
        """All that can still be seen: what was deleted too long ago is gone."""
        kept = self.records["entries"]
        for id, entry in list(kept.items()):
            if entry["deleted"] and time.time() - entry["deleted"] > RECOVERY[self.kind] * self.world.day:
                del kept[id]
        return list(kept.values())

    def forget_late(self, entry: Object) -> None:
        """The search goes on to show it for a while."""
        self.records["ghosts"][entry["id"]] = {**entry, "until": time.time() + LAG * self.world.day}

    def ghosts(self) -> list[Object]:
        return [g for g in self.records["ghosts"].values() if g["until"] > time.time()]

    # -- HTTP -------------------------------------------------------------------------------------------------------

    def routes(self, api: Blueprint) -> None:
        api.before_request(self._authenticate)
        api.add_url_rule("/oauth2/token", "token", self._token, methods=["POST"])
        register(self, api)

    def error(self, status: int) -> tuple[Any, int]:
        tags = {401: "invalid_access_token", 403: "no_permission", 409: "too_many_write_operations"}
        if status == 429:
            return {"error_summary": "too_many_requests/..", "error": {"reason": {".tag": "too_many_requests"}}}, 429
        tag = tags.get(status, "other")
        return {"error_summary": f"{tag}/{secrets.token_hex(2)}", "error": {".tag": tag}}, status

    def error_in_200(self) -> Any:
        return self.error(500)[0]

    def refuse(self, *tags: str, status: int = 409) -> Response:
        """A route's error, its tags from the outside to the inside."""
        error: Any = {".tag": tags[-1]}
        for tag in reversed(tags[:-1]):
            error = {".tag": tag, tag: error}
        answer = jsonify({"error_summary": f"{'/'.join(tags)}/{secrets.token_hex(2)}", "error": error})
        answer.status_code = status
        return answer

    def _token(self) -> Response | tuple[Response, int]:
        env, asked = self.world.env, request.authorization
        # RFC 6749 2.3.1: by Basic authentication, or in the form, as Dropbox's own client does
        key, secret = (
            (asked.username, asked.password) if asked else map(request.form.get, ("client_id", "client_secret"))
        )
        known = hmac.compare_digest(str(key).encode(), env.get("DROPBOX_APP_KEY", "").encode())
        known &= hmac.compare_digest(str(secret).encode(), env.get("DROPBOX_APP_SECRET", "").encode())
        wanted = env.get("DROPBOX_REFRESH_TOKEN", "")
        given = request.form.get("refresh_token", "")
        if not known or not hmac.compare_digest(given.encode(), wanted.encode()):
            return jsonify({"error": "invalid_grant", "error_description": "refresh token is invalid or revoked"}), 400
        token = "sl." + secrets.token_urlsafe(24)
        self.records["tokens"][token] = {"good": True}
        return jsonify({"access_token": token, "token_type": "bearer", "expires_in": 14400})

    def _authenticate(self) -> Any:
        if "/_twin/" in request.path or request.path.endswith("/oauth2/token"):
            return None
        token = re.sub(r"^Bearer ", "", request.headers.get("Authorization", ""))
        known = self.records["tokens"].get(token)
        if not known or not known["good"]:
            return self.refuse("expired_access_token" if known else "invalid_access_token", status=401)
        if "Dropbox-API-Path-Root" in request.headers and named_root() not in (ROOT, HOME):
            return self.refuse("no_permission", status=422)
        return None
