"""The routes of the twin."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, jsonify, request

if TYPE_CHECKING:
    from integrations.dropbox.twin import DropboxTwin

Object = dict[str, Any]
ROOT, HOME = "3235641", "3235642"  # namespaces of the team space and of the member's own folder
ACCOUNT = "dbid:AAH4f99T0taONIb-OurWxbNQ6ywGRopQngc"
NAME: Object = {
    "given_name": "Privacy",
    "surname": "Desk",
    "familiar_name": "Privacy",
    "display_name": "Privacy Desk",
    "abbreviated_name": "PD",
}
TEAM: Object = {
    "id": "dbtid:AAFdgehTzw7WlXhZJsbGCLePe8RvQGYDr-I",
    "name": "IntelliMails",
    "sharing_policies": {
        "shared_folder_member_policy": {".tag": "team"},
        "shared_folder_join_policy": {".tag": "from_anyone"},
        "shared_link_create_policy": {".tag": "team_only"},
        "group_creation_policy": {".tag": "admins_only"},
        "shared_folder_link_restriction_policy": {".tag": "anyone"},
        "shared_link_default_permissions_policy": {".tag": "default"},
        "enforce_link_password_policy": {".tag": "optional"},
        "default_link_expiration_days_policy": {".tag": "none"},
    },
    "office_addin_policy": {".tag": "disabled"},
    "top_level_content_policy": {".tag": "admin_only"},
}


def register(twin: DropboxTwin, api: Blueprint) -> None:
    """Register Dropbox's routes."""

    def seen(entry: Object | None) -> Object | None:
        """The team space is seen only by those who name its root."""
        if twin.kind == "business":
            return entry if named_root() == ROOT else None
        return entry

    def page(found: list[Object], key: str, at: int, cursor: Object) -> Response:
        more = at + twin.page_size < len(found)
        following = json.dumps({**cursor, "at": at + twin.page_size})
        return jsonify({key: found[at : at + twin.page_size], "has_more": more, "cursor": following})

    @api.post("/2/users/get_current_account")
    def account() -> Response:
        business = twin.kind == "business"
        root: Object = {".tag": "user", "root_namespace_id": HOME, "home_namespace_id": HOME}
        team = {"team": TEAM} if business else {}
        if business:
            root |= {".tag": "team", "root_namespace_id": ROOT, "home_path": "/Desk"}
        return jsonify(
            {
                "account_id": ACCOUNT,
                "name": NAME,
                "email": "desk@intellimails.com",
                "email_verified": True,
                "disabled": False,
                "locale": "en",
                "referral_link": "https://db.tt/ZITNuhtI",
                "is_paired": False,
                "account_type": {".tag": twin.kind},
                "root_info": root,
                **team,
            }
        )

    @api.post("/2/files/get_metadata")
    def get_metadata() -> Response:
        asked = request.get_json()
        entry = seen(twin.at(asked["path"], bool(asked.get("include_deleted"))))
        return jsonify(shown(entry)) if entry else twin.refuse("path", "not_found")

    def listed(asked: Object) -> Response:
        folder = seen(twin.at(asked["path"]))
        if folder is None:
            return twin.refuse("path", "not_found")
        inside, depth = folder["path_lower"] + "/", folder["path_lower"].count("/") + 1
        found = [
            shown(e)
            for e in twin.entries()
            if e["path_lower"].startswith(inside)
            and (asked.get("recursive") or e["path_lower"].count("/") == depth)
            and (asked.get("include_deleted") or not e["deleted"])
        ]
        return page(found, "entries", int(asked.get("at", 0)), asked)

    @api.post("/2/files/list_folder")
    def list_folder() -> Response:
        return listed(request.get_json())

    @api.post("/2/files/list_folder/continue")
    def list_folder_continue() -> Response:
        return listed(json.loads(request.get_json()["cursor"]))

    def searched(asked: Object) -> Response:
        options = asked.get("options") or {}
        words = re.findall(r"\w+", asked["query"].lower())
        deleted = (options.get("file_status") or "active") == "deleted"
        everything = [e for e in twin.entries() if bool(e["deleted"]) is deleted]
        everything += [] if deleted else twin.ghosts()
        matches = []
        for entry in everything if seen({}) is not None else []:
            by_name = has_phrase(entry["name"], words)
            if by_name or has_phrase(entry.get("content", ""), words):
                how = "filename" if by_name else "file_content"
                found = {".tag": "metadata", "metadata": shown(entry)}
                matches.append({"metadata": found, "match_type": {".tag": how}})
        return page(matches, "matches", int(asked.get("at", 0)), asked)

    @api.post("/2/files/search_v2")
    def search() -> Response:
        return searched(request.get_json())

    @api.post("/2/files/search/continue_v2")
    def search_continue() -> Response:
        return searched(json.loads(request.get_json()["cursor"]))

    @api.post("/2/files/delete_v2")
    def delete() -> Response:
        entry = seen(twin.at(request.get_json()["path"]))
        if entry is None:
            return twin.refuse("path_lookup", "not_found")
        for one in twin.below(entry):
            if not one["deleted"]:
                twin.forget_late(one)
                twin.records["entries"][one["id"]] = {**one, "deleted": time.time()}
        return jsonify({"metadata": shown(entry)})

    @api.post("/2/files/permanently_delete")
    def permanently_delete() -> Response:
        if twin.kind != "business":
            return twin.refuse("invalid_account_type", status=403)
        entry = seen(twin.at(request.get_json()["path"], deleted=True))
        if entry is None:
            return twin.refuse("path_lookup", "not_found")
        for one in twin.below(entry):
            if not one["deleted"]:
                twin.forget_late(one)
            del twin.records["entries"][one["id"]]
        return Response("null", content_type="application/json")

    @api.post("/2/files/move_v2")
    def move() -> Response:
        asked = request.get_json()
        entry, target = seen(twin.at(asked["from_path"])), asked["to_path"]
        if entry is None:
            return twin.refuse("from_lookup", "not_found")
        if twin.at(target):
            return twin.refuse("to", "conflict", "folder")
        old = entry["path_display"]
        for one in twin.below(entry):
            path = target + one["path_display"][len(old) :]
            moved = {**one, "path_display": path, "path_lower": path.lower(), "name": path.rpartition("/")[2]}
            twin.records["entries"][one["id"]] = moved
        return jsonify({"metadata": shown(twin.records["entries"][entry["id"]])})

    @api.post("/2/files/download")
    def download() -> Response:
        entry = seen(twin.at(json.loads(request.headers["Dropbox-API-Arg"])["path"]))
        if entry is None:
            return twin.refuse("path", "not_found")
        if entry.get("export_as"):
            return twin.refuse("unsupported_file")
        content = entry["content"].encode()
        part = re.fullmatch(r"bytes=(\d+)-(\d+)", request.headers.get("Range", ""))
        body = content[int(part[1]) : int(part[2]) + 1] if part else content
        headers = {"Dropbox-API-Result": json.dumps(shown(entry))}
        return Response(body, 206 if part else 200, headers, content_type="application/octet-stream")

    @api.post("/2/files/export")
    def export() -> Response:
        entry = seen(twin.at(json.loads(request.headers["Dropbox-API-Arg"])["path"]))
        if entry is None or not entry.get("export_as"):
            return twin.refuse("path", "not_found") if entry is None else twin.refuse("non_exportable")
        result = {"export_metadata": {"name": entry["name"], "size": 8}, "file_metadata": shown(entry)}
        headers = {"Dropbox-API-Result": json.dumps(result)}
        return Response(b"exported", headers=headers, content_type="application/octet-stream")


def named_root() -> str | None:
    """The namespace that the call is about: `{".tag": "root", "root": id}` or `{".tag": "namespace_id", …}`."""
    given = json.loads(request.headers.get("Dropbox-API-Path-Root", "{}"))
    named = given.get(given.get(".tag"))
    return str(named) if named else None


def shown(entry: Object) -> Object:
    """An entry as Dropbox shows it; a deleted one has no id."""
    paths = {key: entry[key] for key in ("name", "path_lower", "path_display")}
    if entry["deleted"]:
        return {".tag": "deleted", **paths}
    if entry["tag"] == "folder":
        return {".tag": "folder", **paths, "id": entry["id"]}
    more: Object = {"is_downloadable": True}
    if entry.get("export_as"):
        more = {"is_downloadable": False, "export_info": {"export_as": entry["export_as"]}}
    return {
        ".tag": "file",
        **paths,
        "id": entry["id"],
        "rev": entry["rev"],
        "size": len(entry["content"].encode()),
        "client_modified": entry["modified"],
        "server_modified": entry["modified"],
        **more,
    }


def has_phrase(text: str, words: list[str]) -> bool:
    """The search looks at words alone: it also finds a longer address that contains this one."""
    return f" {' '.join(words)} " in f" {' '.join(re.findall(r'[a-z0-9_]+', text.lower()))} "
