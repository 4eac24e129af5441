"""Dropbox's API, version 2, as far as the connector uses it.

https://www.dropbox.com/developers/documentation/http/documentation
Errors: https://www.dropbox.com/developers/documentation/http/documentation#error-handling
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dsr.errors import CredentialsRejected, VendorAnswerUnexpected, VendorError, VendorRefused, VendorUnavailable
from integrations.dropbox.settings import DropboxSettings
from integrations.transport import Answer, RateLimit, Transport

CALLS_IN_10_S = 200  # Dropbox publishes no number; 429 says the rest
CHUNK = 8 * 2**20  # of a download, so that memory stays bounded
SOONER = 60.0  # seconds before its end, a token is renewed
AGAIN = frozenset({"too_many_write_operations", "internal_error"})  # tags after which trying again helps

Object = dict[str, Any]


@dataclass(frozen=True)
class Account:
    """Whose Dropbox it is.

    Args:
        business: whether it may delete for good.
        kind: `basic`, `pro` or `business`.
        root: the namespace of the team space, empty if the member's own folder is all there is.
    """

    business: bool
    kind: str
    root: str


class RouteError(VendorRefused):
    """A 409: the route's own error. `code` is its tags joined, such as `path_lookup/not_found`."""


class Api:
    """Calls that check the shape of their answers.

    Every method raises a `VendorError`: the errors of `transport`, RouteError for a 409, or VendorAnswerUnexpected for
    an answer of another shape than asked for.
    """

    def __init__(self, settings: DropboxSettings) -> None:
        rate = RateLimit(CALLS_IN_10_S, 10)
        member = {"Dropbox-API-Select-User": settings.team_member_id} if settings.team_member_id else {}
        self._http = Transport("dropbox", settings.api_url, headers=member, rate=rate)
        self._content = Transport("dropbox", settings.content_base, headers=member, rate=rate)
        self._oauth = Transport(
            "dropbox",
            settings.api_url,
            auth=(settings.app_key.get_secret_value(), settings.app_secret.get_secret_value()),
        )
        self._refresh_token = settings.refresh_token
        self._token = ""
        self._until = 0.0
        self._lock = threading.Lock()

    def account(self) -> Account:
        """Asked before every operation: it says what may be done, and where the team space is."""
        found = self.rpc("users/get_current_account", None)
        kind, roots = (found.get("account_type") or {}).get(".tag"), found.get("root_info") or {}
        if kind not in ("basic", "pro", "business") or not roots.get("root_namespace_id"):
            raise VendorAnswerUnexpected("dropbox", "an account without its type or its root")
        root = str(roots["root_namespace_id"]) if roots["root_namespace_id"] != roots.get("home_namespace_id") else ""
        return Account(kind == "business" and bool(found.get("team")), kind, root)

    def rpc(self, route: str, arg: Object | None, root: str = "") -> Object:
        """One call whose answer is an object; safe to repeat, as all routes that we use are."""
        answer = self._call(self._http, f"2/{route}", root, arg)
        found = answer.json()
        if not isinstance(found, dict) or "error_summary" in found:
            raise VendorAnswerUnexpected("dropbox", f"answered {answer.status} with something other than asked for")
        return found

    def metadata(self, path: str, root: str, deleted: bool = False) -> Object | None:
        """A file or folder by path or id; None if there is none (a deleted one counts only if asked for)."""
        try:
            found = self.rpc("files/get_metadata", {"path": path, "include_deleted": deleted}, root)
        except RouteError as error:
            if error.code == "path/not_found":
                return None
            raise
        return _entry(found)

    def listing(self, path: str, root: str, recursive: bool) -> Iterator[Object]:
        """What stands in a folder, deleted entries included; nothing if there is no such folder."""
        arg: Object = {"path": path, "recursive": recursive, "include_deleted": True, "limit": 2000}
        try:
            page = self.rpc("files/list_folder", arg, root)
        except RouteError as error:
            if error.code == "path/not_found":
                return
            raise
        while True:
            yield from (_entry(e) for e in _items(page, "entries"))
            if page.get("has_more") is not True:
                return
            page = self.rpc("files/list_folder/continue", {"cursor": _cursor(page)}, root)

    def search(self, query: str, folder: str, status: str, root: str) -> Iterator[tuple[str, Object]]:
        """Hits of the search as how they matched and what they are; at most 10,000, perhaps twice, perhaps late."""
        options = {"path": folder, "max_results": 1000, "file_status": status, "filename_only": False}
        page = self.rpc("files/search_v2", {"query": query[:1000], "options": options}, root)
        while True:
            for match in _items(page, "matches"):
                how = str((match.get("match_type") or {}).get(".tag") or "")
                yield how, _entry((match.get("metadata") or {}).get("metadata"))
            if page.get("has_more") is not True:
                return
            page = self.rpc("files/search/continue_v2", {"cursor": _cursor(page)}, root)

    def delete(self, path: str, root: str, for_good: bool) -> None:
        """Delete, for good where the account may. Nothing at the path counts only if a look-up agrees."""
        route = "files/permanently_delete" if for_good else "files/delete_v2"
        try:
            answer = self._call(self._http, f"2/{route}", root, {"path": path})
        except RouteError as error:
            if error.code != "path_lookup/not_found":
                raise
        else:
            if for_good and answer.content.strip() not in (b"", b"null"):
                raise VendorAnswerUnexpected("dropbox", "answered a permanent deletion with something")
        if self.metadata(path, root, deleted=for_good):
            raise VendorAnswerUnexpected("dropbox", "still shows what it has deleted")

    def move(self, from_path: str, to_path: str, root: str) -> None:
        """Move. A repeated call finds nothing at the old path: the new one must then be there."""
        arg = {"from_path": from_path, "to_path": to_path, "autorename": False}
        try:
            moved = self.rpc("files/move_v2", arg, root).get("metadata") or {}
        except RouteError as error:
            if error.code != "from_lookup/not_found":
                raise
            moved = self.metadata(to_path, root) or {}
        if str(moved.get("path_lower")) != to_path.lower():
            raise VendorAnswerUnexpected("dropbox", "did not confirm where it moved a folder")

    def download(self, file: Object, root: str) -> Iterator[bytes]:
        """The bytes of a file, in parts; a document that only exists in the cloud is converted."""
        if file.get("is_downloadable") is False:
            answer = self._call(self._content, "2/files/export", root, {"path": file["id"]}, in_header=True)
            if (_result(answer).get("file_metadata") or {}).get("id") != file["id"]:
                raise VendorAnswerUnexpected("dropbox", "converted another document than the one asked for")
            yield answer.content
            return
        size, at = int(file["size"]), 0
        while at < size:
            part = {"Range": f"bytes={at}-{min(at + CHUNK, size) - 1}"}
            answer = self._call(self._content, "2/files/download", root, {"path": file["id"]}, part, in_header=True)
            got = _result(answer)
            if got.get("id") != file["id"] or got.get("rev") != file["rev"] or not answer.content:
                raise VendorAnswerUnexpected("dropbox", "gave another file than the one asked for, or it has changed")
            yield answer.content
            at += len(answer.content)
        if at > size:
            raise VendorAnswerUnexpected("dropbox", "gave more of a file than there is")

    def _call(
        self,
        http: Transport,
        path: str,
        root: str,
        arg: Object | None,
        more: Mapping[str, str] | None = None,
        *,
        in_header: bool = False,
    ) -> Answer:
        headers = dict(more or {})
        if root:
            headers["Dropbox-API-Path-Root"] = json.dumps({".tag": "namespace_id", "namespace_id": root})
        if in_header:
            headers |= {"Dropbox-API-Arg": json.dumps(arg), "Content-Type": "application/octet-stream"}
        elif arg is None:
            headers["Content-Type"] = "application/json"
        body: Object = {} if in_header else {"data": b"null"} if arg is None else {"json": arg}
        for fresh in (False, True):
            headers["Authorization"] = f"Bearer {self._access_token(fresh)}"
            answer = http.call("POST", path, headers=headers, retry=True, accept=(401, 409, 422), **body)
            if answer.status < 300:
                return answer
            error = _error(answer)
            if answer.status != 401 or error.what != EXPIRED or fresh:
                raise error
        raise AssertionError("the loop above returns or raises")

    def _access_token(self, fresh: bool) -> str:
        """The current token; a new one if it is about to end, or was refused as expired."""
        with self._lock:
            if fresh or time.monotonic() > self._until:
                form = {"grant_type": "refresh_token", "refresh_token": self._refresh_token.get_secret_value()}
                answer = self._oauth.call("POST", "oauth2/token", data=form, retry=True, accept=(400,))
                if answer.status == 400:
                    raise CredentialsRejected("dropbox", "the refresh token is not accepted any more", 400)
                given = answer.json()
                if not isinstance(given, dict) or not given.get("access_token") or not given.get("expires_in"):
                    raise VendorAnswerUnexpected("dropbox", "no token where one was asked for")
                self._token = str(given["access_token"])
                self._until = time.monotonic() + float(given["expires_in"]) - SOONER
            return self._token


EXPIRED = "the access token has expired"


def _error(answer: Answer) -> VendorError:
    """By tags, never by `error_summary`, which ends in something random."""
    body = answer.json()
    tags = list(_tags(body.get("error"))) if isinstance(body, dict) else []
    if answer.status == 401:
        what = EXPIRED if tags == ["expired_access_token"] else "the access token does not allow this (401)"
        return CredentialsRejected("dropbox", what, 401)
    if answer.status == 422:
        return VendorUnavailable("dropbox", "the team space has moved meanwhile (422)")
    if tags and tags[-1] in AGAIN:
        return VendorUnavailable("dropbox", "is busy with other changes (409)")
    if not tags:
        return VendorAnswerUnexpected("dropbox", "answered 409 without saying why")
    return RouteError("dropbox", "refused the call (409)", 409, "/".join(tags))


def _tags(error: Any) -> Iterator[str]:
    """`{".tag": "path", "path": {".tag": "not_found"}}` as `path`, `not_found`."""
    while isinstance(error, dict) and isinstance(error.get(".tag"), str):
        yield error[".tag"]
        error = error.get(error[".tag"])


def _entry(found: Any) -> Object:
    if not isinstance(found, dict) or found.get(".tag") not in ("file", "folder", "deleted"):
        raise VendorAnswerUnexpected("dropbox", "something that is neither file nor folder")
    if not isinstance(found.get("name"), str) or (found[".tag"] != "deleted" and not found.get("id")):
        raise VendorAnswerUnexpected("dropbox", "a file or folder without name or id")
    return found


def _items(page: Object, key: str) -> list[Object]:
    items = page.get(key)
    if not isinstance(items, list) or not isinstance(page.get("has_more"), bool):
        raise VendorAnswerUnexpected("dropbox", f"a list without {key}")
    return items


def _cursor(page: Object) -> str:
    if not page.get("cursor"):
        raise VendorAnswerUnexpected("dropbox", "a next page without its cursor")
    return str(page["cursor"])


def _result(answer: Answer) -> Object:
    try:
        found = json.loads(answer.headers.get("Dropbox-API-Result", ""))
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise VendorAnswerUnexpected("dropbox", "a file without its metadata")
    return found
