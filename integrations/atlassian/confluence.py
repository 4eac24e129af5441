"""What in Confluence is about a person: pages, blog posts, comments, attachments and old versions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from integrations.atlassian.api import WIKI, WIKI_1, Api, Object, Piece, path_id
from integrations.atlassian.marks import Marks

# The type that the search names -> where such a record may be read; a comment does not say which of the two it is.
PLACES = {
    "page": ("pages",),
    "blogpost": ("blogposts",),
    "comment": ("footer-comments", "inline-comments"),
    "attachment": ("attachments",),
}
TRASHED = ("pages", "blogposts", "attachments")  # the search does not show what is in the trash
COUNTED = {"pages": "pages", "blogposts": "blog_posts", "attachments": "page_attachments"}
COMMENTS = "page_comments"
LATELY = 'now("-30d")'  # what the desk itself changed is looked at again: an erasure may have been interrupted
AS_STORED = {"body-format": "storage"}


@dataclass(frozen=True)
class Content:
    """One record of Confluence.

    Args:
        place: `pages`, `blogposts`, `footer-comments`, `inline-comments` or `attachments`.
        mine: the person wrote it; else it only names the person, or one of its versions does.
        versions: numbers of old versions that name the person, the newest first.
    """

    place: str
    id: str
    record: Object
    mine: bool
    versions: list[int]

    @property
    def path(self) -> str:
        return f"{WIKI}/{self.place}/{self.id}"

    @property
    def known_as(self) -> str:
        """Place and id, for later look-ups."""
        return f"{self.place}:{self.id}"


def cql(marks: Marks, present: Iterable[str]) -> str:
    """A query that finds everything in which the person may be; only accounts that the site still has are named."""
    clauses = ['text ~ "\\"{}\\""'.format(e.replace("\\", "").replace('"', "")) for e in sorted(marks.emails)]
    for id in sorted(present):
        clauses += [f'creator = "{path_id(id)}"', f'mention = "{id}"']
    clauses.append(f"(contributor = currentUser() AND lastmodified >= {LATELY})")
    return f"type in (page, blogpost, comment, attachment) AND ({' OR '.join(clauses)})"


def contents(api: Api, marks: Marks, present: Iterable[str], known: Iterable[str]) -> Iterator[Content]:
    """Every record that is about the person, trashed and archived ones too."""
    seen: set[str] = set()
    for places, id in _candidates(api, cql(marks, present), marks, known):
        for place in places:
            if f"{place}:{id}" in seen:
                break
            record = api.get(f"{WIKI}/{place}/{path_id(id)}", AS_STORED)
            if record is not None:
                seen.add(f"{place}:{id}")
                content = _content(api, place, record, marks)
                if content.mine or content.versions or named(content, marks):
                    yield content
                break


def pieces(content: Content, marks: Marks) -> Iterator[Piece]:
    """What is to be done about a record.

    The current text is replaced first; then the versions that name the person are removed, the newest first, for a
    removal renumbers the later ones. In between, the search finds the record as one that the desk has changed.
    """
    record = content.record
    if content.mine:
        kind = COUNTED.get(content.place, COMMENTS)
        trashed = {"purge": "true"} if record.get("status") == "trashed" else {}
        yield Piece(kind, content.path, trashed, purge=content.place in TRASHED and not trashed)
        return
    if named(content, marks):
        number = int(record["version"]["number"])
        yield Piece("page_mentions", content.path, change=_replacement(content, marks, number + 1))
        yield _version(content.id, number)
    for number in content.versions:
        yield _version(content.id, number)


def named(content: Content, marks: Marks) -> bool:
    """Whether the current text or the title names the person."""
    return _names(content.record, marks)


def _candidates(api: Api, query: str, marks: Marks, known: Iterable[str]) -> Iterator[tuple[tuple[str, ...], str]]:
    for one in known:
        place, _, id = one.partition(":")
        if place in {p for places in PLACES.values() for p in places}:
            yield (place,), id
    for hit in api.pages(f"{WIKI_1}/search", {"cql": query, "limit": "50"}):
        content = hit.get("content") or {}
        if content.get("type") in PLACES:
            yield PLACES[content["type"]], str(content["id"])
    for place in TRASHED:
        wanted: dict[str, str | list[str]] = {"status": ["trashed", "archived"], "limit": "100"}
        if place != "attachments":
            wanted["body-format"] = "storage"
        for record in api.pages(f"{WIKI}/{place}", wanted):
            if _mine(record, marks) or _names(record, marks):
                yield (place,), str(record["id"])


def _content(api: Api, place: str, record: Object, marks: Marks) -> Content:
    id, mine = path_id(str(record["id"])), _mine(record, marks)
    versions: list[int] = []
    if not mine and place != "attachments":
        current = int((record.get("version") or {}).get("number") or 0)
        for version in api.pages(f"{WIKI}/{place}/{id}/versions", AS_STORED | {"limit": "50"}):
            inner = version.get("page") or version.get("blogpost") or version.get("comment") or {}
            if int(version["number"]) != current and _names(inner, marks):
                versions.append(int(version["number"]))
    # An attachment whose name is the address is taken away as a whole: its file cannot be edited here.
    whole = mine or (place == "attachments" and _names(record, marks))
    return Content(place, id, record, whole, sorted(versions, reverse=True))


def _mine(record: Object, marks: Marks) -> bool:
    author = record.get("authorId") or (record.get("version") or {}).get("authorId")
    return str(author or "") in marks.accounts


def _names(record: Object, marks: Marks) -> bool:
    return marks.within(str(record.get("title") or "")) or _stored(record) != marks.without_in_storage(_stored(record))


def _stored(record: Object) -> str:
    return str(((record.get("body") or {}).get("storage") or {}).get("value") or "")


def _replacement(content: Content, marks: Marks, number: int) -> Object:
    record = content.record
    body = {"representation": "storage", "value": marks.without_in_storage(_stored(record))}
    change: Object = {"version": {"number": number, "message": "Privacy request"}, "body": body}
    if content.place in ("pages", "blogposts"):
        title = marks.without(str(record.get("title") or ""))
        change |= {"id": content.id, "status": record.get("status", "current"), "title": title}
    return change


def _version(id: str, number: int) -> Piece:
    return Piece("page_versions", f"{WIKI_1}/content/{id}/version/{number}", once=True)
