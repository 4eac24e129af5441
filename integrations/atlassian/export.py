"""Everything about a person in Jira and Confluence, as files of an export package."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from dsr.model import DataFile, Origin
from integrations.atlassian.api import JIRA, WIKI, Api, Object, path_id
from integrations.atlassian.confluence import AS_STORED, Content
from integrations.atlassian.jira import Issue
from integrations.atlassian.marks import Marks

SOMEBODY = {"displayName": "somebody else"}
PROFILE = ("accountId", "accountType", "displayName", "emailAddress", "active", "timeZone", "locale")
USER_KEYS = frozenset({"accountId", "displayName"})


def files(
    api: Api, users: Mapping[str, Object], marks: Marks, issues: Iterable[Issue], contents: Iterable[Content]
) -> Iterator[DataFile]:
    """The files; issues and pages are read one after the other while the rows are written.

    The person's own requests are given with the answers of the agents, who are not named; of other people's issues
    and pages only what the person wrote or what names the person.
    """
    yield DataFile(
        "accounts.json",
        iter([{key: user.get(key) for key in PROFILE} for user in users.values()]),
        origin=Origin.PROVIDED,
    )
    attachments: list[Object] = []
    yield DataFile("issues.json", (_issue(issue, marks, attachments) for issue in issues), origin=Origin.PROVIDED)
    pages: list[str] = []
    yield DataFile("pages.json", (_content(api, content, pages) for content in contents), origin=Origin.PROVIDED)
    yield DataFile("page_attachments.json", (row for path in pages for row in _files_of(api, path)))
    for file in attachments:
        name = re.sub(r"[^\w.-]", "_", str(file["filename"])).lstrip(".") or "file"
        id = path_id(str(file["id"]))
        kind = str(file.get("mimeType") or "application/octet-stream")
        yield DataFile(
            f"attachments/{id}-{name}",
            content=_bytes(api, id, int(file["size"])),
            media_type=kind,
            origin=Origin.PROVIDED,
        )


def _issue(issue: Issue, marks: Marks, attachments: list[Object]) -> Object:
    fields = issue.record.get("fields") or {}
    own = [f for f in issue.attachments if issue.whole or marks.account(f.get("author"))]
    attachments += own
    mine = [c for c in issue.comments if marks.account(c.get("author")) or marks.within(c.get("body"))]
    theirs_too = issue.whole and not issue.shared
    shown = fields.keys() - {"comment", "worklog", "attachment"} if issue.whole else issue.changes.keys()
    return {
        "id": issue.id,
        "key": issue.key,
        "created": fields.get("created"),
        "fields": _masked({name: value for name, value in fields.items() if name in shown}, marks),
        "comments": _masked(issue.comments if theirs_too else mine, marks),
        "worklogs": _masked([w for w in issue.worklogs if marks.account(w.get("author"))], marks),
        "attachments": [str(f.get("filename")) for f in own],
        "watched": bool(issue.watching),
    }


def _content(api: Api, content: Content, pages: list[str]) -> Object:
    record = content.record
    about: Object = {"id": content.id, "kind": content.place, "status": record.get("status")}
    if not content.mine:
        return {**about, "names_you": True, "old_versions_that_name_you": len(content.versions)}
    about |= {"title": record.get("title"), "created": record.get("createdAt"), "body": record.get("body")}
    if content.place in ("pages", "blogposts"):
        pages.append(content.path)
        about["versions"] = [
            {key: version.get(key) for key in ("number", "createdAt", "message", "page", "blogpost")}
            for version in api.pages(f"{WIKI}/{content.place}/{content.id}/versions", AS_STORED | {"limit": "50"})
        ]
    return about


def _files_of(api: Api, page: str) -> Iterator[Object]:
    for file in api.pages(f"{page}/attachments", {"limit": "100"}):
        about = {key: file.get(key) for key in ("id", "title", "mediaType", "fileSize")}
        yield {"page": page.rpartition("/")[2], **about}


def _masked(value: object, marks: Marks) -> object:
    """Without the names, addresses and pictures of other people."""
    if isinstance(value, list):
        return [_masked(item, marks) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() >= USER_KEYS and not marks.account(value):
        return SOMEBODY
    if value.get("type") == "mention" and (value.get("attrs") or {}).get("id") not in marks.accounts:
        return {"type": "text", "text": "@somebody else"}
    return {key: _masked(inner, marks) for key, inner in value.items()}


def _bytes(api: Api, id: str, size: int) -> Iterator[bytes]:
    yield api.content(f"{JIRA}/attachment/content/{id}", size)
