"""Blob Storage: blobs of one person by the company's naming convention or index tag, with versions and snapshots.

https://learn.microsoft.com/rest/api/storageservices/list-blobs, …/delete-blob, …/find-blobs-by-tags
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import quote, unquote
from xml.etree import ElementTree

from dsr.errors import VendorAnswerUnexpected, VendorRefused
from dsr.model import DataFile, Identities, Origin
from integrations.microsoft.api import Service
from integrations.microsoft.settings import MicrosoftSettings
from integrations.transport import Answer

BLOB = "microsoft.blob"  # `container/name`
API_VERSION = "2025-11-05"
CHUNK = 4 * 2**20  # bytes read at once
INCLUDE = "metadata,tags,versions,snapshots,deleted"
TAG_VALUE = re.compile(r"[\w .+/:=-]{1,256}", re.ASCII)


@dataclass(frozen=True)
class Blob:
    """One entry of a listing: a blob, one of its versions, or one of its snapshots."""

    container: str
    name: str
    version: str = ""
    snapshot: str = ""
    current: bool = True
    deleted: bool = False  # softly: it stays until its retention ends
    days_left: str = ""
    size: int = 0
    etag: str = ""
    metadata: dict[str, str] = field(default_factory=dict, compare=False, hash=False)
    tags: dict[str, str] = field(default_factory=dict, compare=False, hash=False)
    properties: dict[str, str] = field(default_factory=dict, compare=False, hash=False)

    @property
    def entry(self) -> tuple[str, ...]:
        return self.container, self.name, self.version, self.snapshot

    @property
    def path(self) -> str:
        return f"{self.container}/{quote(self.name)}"

    @property
    def params(self) -> dict[str, str]:
        if self.snapshot:
            return {"snapshot": self.snapshot}
        return {"versionid": self.version} if self.version and not self.current else {}


class Blobs:
    """The blobs of one storage account."""

    def __init__(self, settings: MicrosoftSettings) -> None:
        host = f"{settings.storage_account}.blob.core.windows.net"
        scope = "https://storage.azure.com/.default"
        self._service = Service(settings, "blob", host, scope, {"x-ms-version": API_VERSION})
        self._places, self._tag = settings.places, settings.storage_tag

    def of(self, subject: Identities) -> list[Blob]:
        """Every entry that is this person's, also softly deleted ones."""
        found: dict[Blob, None] = {}
        for container, prefix in self._prefixes(subject):
            found.update(dict.fromkeys(self._list(container, prefix)))
        for container, name in self._names(subject):
            found.update(dict.fromkeys(b for b in self._list(container, name) if b.name == name))
        return list(found)

    def delete(self, blob: Blob, *, permanent: bool = False) -> bool:
        """Delete one entry; False if a policy, a hold, a lease or our role forbids it.

        A 404 is taken as done: the caller lists again, and that proves it.
        """
        params = blob.params | ({"deletetype": "permanent"} if permanent else {})
        if permanent and blob.version:
            params["versionid"] = blob.version
        with_snapshots = {} if params else {"x-ms-delete-snapshots": "include"}
        refusals = (400, 403, 409) if permanent else (409, 412)
        answer = self._service.call("DELETE", blob.path, params=params, headers=with_snapshots, accept=(*refusals, 404))
        if answer.status in refusals:
            return False
        if answer.status not in (202, 404):
            raise VendorAnswerUnexpected("microsoft", f"answered a deletion with {answer.status}")
        return True

    def file(self, blob: Blob) -> DataFile:
        """The content, read in pieces when it is asked for."""
        mark = blob.snapshot or ("" if blob.current else blob.version)
        name = f"blobs/{blob.container}/{blob.name}".replace("..", "_") + (f"@{mark.replace(':', '')}" if mark else "")
        media_type = blob.properties.get("Content-Type") or "application/octet-stream"
        return DataFile(name, content=self._content(blob), media_type=media_type, origin=Origin.PROVIDED)

    def check(self) -> None:
        """The token is good, and the account can be listed."""
        _xml(self._service.call("GET", "", params={"comp": "list", "maxresults": "1"}))

    def _content(self, blob: Blob) -> Iterator[bytes]:
        for start in range(0, blob.size, CHUNK):
            end = min(start + CHUNK, blob.size) - 1
            headers = {"x-ms-range": f"bytes={start}-{end}", **({"If-Match": blob.etag} if blob.etag else {})}
            answer = self._service.call("GET", blob.path, params=blob.params, headers=headers, accept=(409, 412))
            if answer.status == 409:
                raise VendorRefused("microsoft", "a blob is archived and must be rehydrated first", 409)
            if answer.status == 412 or len(answer.content) != end - start + 1:
                raise VendorAnswerUnexpected("microsoft", "a blob changed while it was read")
            yield answer.content

    def _prefixes(self, subject: Identities) -> Iterator[tuple[str, str]]:
        for container, prefix in self._places:
            for kind in ("account_id", "email"):
                if f"{{{kind}}}" in prefix:
                    for value in subject.of(kind):
                        if "/" not in value:  # an id with a slash would reach into somebody else's folder
                            yield container, prefix.replace(f"{{{kind}}}", value)

    def _names(self, subject: Identities) -> Iterator[tuple[str, str]]:
        """Blobs that are tagged with the account id (the index lags behind), and those known from earlier receipts."""
        for known in subject.of(BLOB):
            container, _, name = known.partition("/")
            yield container, name
        for account in subject.of("account_id") if self._tag else ():
            if not TAG_VALUE.fullmatch(account):
                continue  # no tag can hold it
            where = f"\"{self._tag}\"='{account}'"
            for root in self._pages("", {"comp": "blobs", "where": where}):
                for found in root.iter("Blob"):
                    yield _child(found, "ContainerName"), _name(found)

    def _list(self, container: str, prefix: str) -> Iterator[Blob]:
        query = {"restype": "container", "comp": "list", "prefix": prefix, "include": INCLUDE}
        for root in self._pages(container, query):
            for found in root.iter("Blob"):
                blob = _blob(container, found)
                if not blob.name.startswith(prefix):
                    raise VendorAnswerUnexpected("microsoft", "listed a blob that was not asked for")
                yield blob

    def _pages(self, path: str, query: dict[str, str]) -> Iterator[ElementTree.Element]:
        marker = ""
        while True:
            root = _xml(self._service.call("GET", path, params={**query, **({"marker": marker} if marker else {})}))
            yield root
            following = _child(root, "NextMarker")
            if not following:
                return
            if following == marker:
                raise VendorAnswerUnexpected("microsoft", "a list that does not end")
            marker = following


def _xml(answer: Answer) -> ElementTree.Element:
    """The answer as XML; a document that declares anything is refused, so that no entity is ever expanded."""
    if b"<!" in answer.content:
        raise VendorAnswerUnexpected("microsoft", "XML with declarations")
    try:
        root = ElementTree.fromstring(answer.content)  # noqa: S314  # no declarations, see above
    except ElementTree.ParseError:
        raise VendorAnswerUnexpected("microsoft", "answered something that is not XML") from None
    if root.tag != "EnumerationResults":
        raise VendorAnswerUnexpected("microsoft", "answered something else than a list")
    return root


def _blob(container: str, found: ElementTree.Element) -> Blob:
    properties = {p.tag: p.text or "" for p in found.iterfind("Properties/*")}
    version = _child(found, "VersionId")
    return Blob(
        container=container,
        name=_name(found),
        version=version,
        snapshot=_child(found, "Snapshot"),
        current=not version or _child(found, "IsCurrentVersion") == "true",
        deleted=_child(found, "Deleted") == "true",
        days_left=properties.get("RemainingRetentionDays", ""),
        size=int(properties.get("Content-Length") or 0),
        etag=properties.get("Etag", ""),
        metadata={m.tag: m.text or "" for m in found.iterfind("Metadata/*")},
        tags={_child(tag, "Key"): _child(tag, "Value") for tag in found.iterfind("Tags/TagSet/Tag")},
        properties=properties,
    )


def _name(found: ElementTree.Element) -> str:
    """A blob's name; one with characters that XML cannot hold comes percent-encoded, and says so."""
    name = _child(found, "Name")
    return unquote(name) if found.find("Name[@Encoded='true']") is not None else name


def _child(element: ElementTree.Element, name: str) -> str:
    return (element.findtext(name) or "").strip()
