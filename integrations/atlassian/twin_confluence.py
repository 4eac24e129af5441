"""The twin's Confluence: pages, blog posts, comments and attachments, with versions and a trash."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, jsonify, request

from integrations.atlassian.twin_shapes import ME

if TYPE_CHECKING:
    from integrations.atlassian.twin import AtlassianTwin

Object = dict[str, Any]
V2 = "/wiki/api/v2"
TYPES = {
    "pages": "page",
    "blogposts": "blogpost",
    "footer-comments": "comment",
    "inline-comments": "comment",
    "attachments": "attachment",
}
PLACES = tuple(TYPES)
TRASHED = ("pages", "blogposts", "attachments")


def new_content(
    twin: AtlassianTwin, place: str, author: str, title: str, *texts: str, page: str = "", status: str = "current"
) -> Object:
    """Store a record with one version for each text, the last being the current one."""
    id = ("att" if place == "attachments" else "") + twin.new_id("content", 50000)
    versions = [
        {"number": n, "authorId": author, "title": title, "value": text} for n, text in enumerate(texts or ("",), 1)
    ]
    made: Object = {
        "id": id,
        "status": status,
        "title": title,
        "authorId": author,
        "pageId": page,
        "versions": versions,
    }
    twin.records[place][id] = made
    return made


def register(twin: AtlassianTwin, api: Blueprint) -> None:
    """Register Confluence's paths."""
    place_rule = f"<any({', '.join(repr(p) for p in PLACES)}):place>"

    @api.get("/wiki/rest/api/search")
    def search_contents() -> Response:
        try:
            found = list(_hits(twin, request.args.get("cql", "")))
        except ValueError as error:
            return twin.refuse(400, str(error))
        results = [
            {"content": {"id": r["id"], "type": TYPES[place], "status": "current", "title": r["title"]}, "title": "…"}
            for place, r in found
        ]
        return _page(twin, results, "/rest/api/search?cursor=")

    @api.get(f"{V2}/{place_rule}")
    def listing(place: str) -> Response:
        wanted = request.args.getlist("status") or ["current"]
        found = [_shown(place, r) for r in twin.records[place].values() if r["status"] in wanted]
        return _page(twin, found, f"{V2}/{place}?cursor=")

    @api.route(f"{V2}/{place_rule}/<id>", methods=["GET", "PUT", "DELETE"])
    def one(place: str, id: str) -> Response | tuple[str, int]:
        record = twin.records[place].get(id)
        if record is None:
            return twin.refuse(404)
        if request.method == "GET":
            return jsonify(_shown(place, record))
        if request.method == "PUT":
            return _edit(twin, place, record, request.get_json(force=True))
        if place not in TRASHED:
            del twin.records[place][id]
        elif request.args.get("purge") == "true":
            if record["status"] != "trashed":
                return twin.refuse(404)
            del twin.records[place][id]
        else:
            if record["status"] == "trashed":
                return twin.refuse(404)
            twin.records[place][id] = {**record, "status": "trashed"}
        twin.ghost(place, id, record)
        return "", 204

    @api.get(f"{V2}/{place_rule}/<id>/versions")
    def versions(place: str, id: str) -> Response:
        record = twin.records[place].get(id)
        if record is None:
            return twin.refuse(404)
        found = [
            {
                "number": v["number"],
                "authorId": v["authorId"],
                TYPES[place]: {"id": id, "title": v["title"], "body": _body(v["value"])},
            }
            for v in reversed(record["versions"])
        ]
        return _page(twin, found, f"{V2}/{place}/{id}/versions?cursor=")

    @api.get(f"{V2}/pages/<id>/attachments")
    def page_attachments(id: str) -> Response:
        found = [_shown("attachments", a) for a in twin.records["attachments"].values() if a["pageId"] == id]
        return _page(twin, found, f"{V2}/pages/{id}/attachments?cursor=")

    @api.route("/wiki/rest/api/content/<id>/version/<int:number>", methods=["GET", "DELETE"])
    def version(id: str, number: int) -> Response | tuple[str, int]:
        for place in PLACES:
            record = twin.records[place].get(id)
            if record and 0 < number <= len(record["versions"]):
                if request.method == "GET":
                    return jsonify({"number": number})
                if number == len(record["versions"]):
                    return twin.refuse(400, "Cannot delete the current version.")
                kept = [v for v in record["versions"] if v["number"] != number]
                record["versions"] = [{**v, "number": n} for n, v in enumerate(kept, 1)]
                twin.records[place][id] = record
                return "", 204
        return twin.refuse(404)


def _edit(twin: AtlassianTwin, place: str, record: Object, change: Object) -> Response:
    number = len(record["versions"]) + 1
    if change["version"]["number"] != number:
        return twin.refuse(409)
    title = change.get("title", record["title"])
    made = {"number": number, "authorId": ME, "title": title, "value": change["body"]["value"]}
    record |= {"title": title, "versions": [*record["versions"], made]}
    twin.records[place][record["id"]] = record
    return jsonify(_shown(place, record))


def _shown(place: str, record: Object) -> Object:
    current = record["versions"][-1]
    shown = {
        "id": record["id"],
        "status": record["status"],
        "title": record["title"],
        "version": {"number": current["number"], "authorId": current["authorId"]},
    }
    if place == "attachments":
        return {
            **shown,
            "version": {"number": 1, "authorId": record["authorId"]},
            "mediaType": "text/plain",
            "fileSize": 9,
        }
    if place in ("pages", "blogposts"):
        shown["authorId"] = record["authorId"]
    else:
        # A comment tells its author by its version alone.
        shown["version"]["authorId"] = record["authorId"]
    return {**shown, "body": _body(current["value"])}


def _body(value: str) -> Object:
    return {"storage": {"representation": "storage", "value": value}}


def _page(twin: AtlassianTwin, found: list[Any], following: str) -> Response:
    at = int(request.args.get("cursor") or 0)
    more = at + twin.page_size < len(found)
    links = {"next": f"{following}{at + twin.page_size}"} if more else {}
    return jsonify({"results": found[at : at + twin.page_size], "_links": links})


def _hits(twin: AtlassianTwin, cql: str) -> Iterator[tuple[str, Object]]:
    """What a query finds; the trash is in no search."""
    asked = re.fullmatch(r"type in \([\w, ]+\) AND \((.*)\)", cql)
    if not asked:
        raise ValueError("Could not parse cql")
    tests: list[Callable[[Object], bool]] = []
    for clause in asked[1].split(" OR "):
        if text := re.fullmatch(r'text ~ "\\"(.*)\\""', clause):
            phrase = f" {' '.join(re.findall(r'[a-z0-9_]+', text[1].lower()))} "
            tests.append(partial(_has_words, phrase))
        elif by := re.fullmatch(r'creator = "([^"]+)"', clause):
            tests.append(partial(_by, by[1]))
        elif who := re.fullmatch(r'mention = "([^"]+)"', clause):
            tests.append(partial(_mentions, who[1]))
        elif re.fullmatch(r'\(contributor = currentUser\(\) AND lastmodified >= now\("-30d"\)\)', clause):
            tests.append(lambda r: any(v["authorId"] == ME for v in r["versions"]))
        else:
            raise ValueError("Could not parse cql")
    for place in PLACES:
        for record in [*twin.records[place].values(), *twin.ghosts(place)]:
            if record["status"] == "current" and any(test(record) for test in tests):
                yield place, record


def _by(author: str, record: Object) -> bool:
    return bool(record["authorId"] == author)


def _mentions(account: str, record: Object) -> bool:
    return f'ri:account-id="{account}"' in record["versions"][-1]["value"]


def _has_words(phrase: str, record: Object) -> bool:
    text = f"{record['title']} {record['versions'][-1]['value']}".lower()
    return phrase in f" {' '.join(re.findall(r'[a-z0-9_]+', text))} "
