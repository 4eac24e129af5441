"""The twin's storage account: versions, snapshots, soft deletion with retention, holds, index tags."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from xml.sax.saxutils import escape

from flask import Blueprint, Response, request

if TYPE_CHECKING:
    from integrations.microsoft.twin import MicrosoftTwin

Object = dict[str, Any]

RETENTION_DAYS = 7
MODIFIED = "Tue, 01 Sep 2026 10:00:00 GMT"
CODES = {
    400: "InvalidHeaderValue",
    401: "InvalidAuthenticationInfo",
    403: "AuthorizationPermissionMismatch",
    404: "BlobNotFound",
    409: "LeaseAlreadyPresent",
    429: "TooManyRequests",
    503: "ServerBusy",
}


class Account:
    """Blob Storage, with its answers in XML."""

    def __init__(self, twin: MicrosoftTwin) -> None:
        self.twin = twin
        self.permanent = True  # DeleteRetentionPolicy.AllowPermanentDelete, and the role for it

    @property
    def blobs(self) -> dict[str, Object]:
        return self.twin.records["blobs"]

    def add(self, container: str, name: str, text: str, *, versioned: bool = False, **more: Any) -> Object:
        """A new blob; with versioning the one before becomes an older version."""
        for old in self.blobs.values():
            if (old["container"], old["name"]) == (container, name) and old["current"]:
                self.put(old, current=False)
        number = self.twin.new_id("blob")
        return self.put(
            {
                "id": number,
                "container": container,
                "name": name,
                "versionId": f"2026-09-01T10:00:00.{int(number):07d}Z" if versioned else "",
                "snapshot": "",
                "current": True,
                "deleted_at": 0.0,
                "hold": False,
                "etag": f'"{uuid.uuid4().hex[:12]}"',
                "content": text,
                "tags": {},
                "metadata": {},
                **more,
            }
        )

    def put(self, blob: Object, **changes: Any) -> Object:
        blob |= changes
        self.blobs[blob["id"]] = blob
        return blob

    def routes(self, api: Blueprint) -> None:
        api.add_url_rule("/blob/", "blob account", self._locked(self._of_account))
        api.add_url_rule("/blob/<container>", "blob list", self._locked(self._list))
        api.add_url_rule("/blob/<container>/<path:name>", "blob", self._locked(self._read))
        api.add_url_rule("/blob/<container>/<path:name>", "blob delete", self._locked(self._delete), methods=["DELETE"])

    def _locked(self, act: Any) -> Any:
        def view(**ids: str) -> Any:
            if "x-ms-version" not in request.headers:
                return failed(400, "MissingRequiredHeader")
            with self.twin.records.lock:
                self.expire()
                return act(**ids)

        return view

    def expire(self) -> None:
        limit = time.time() - RETENTION_DAYS * self.twin.world.day
        for blob in [b for b in self.blobs.values() if b["deleted_at"] and b["deleted_at"] < limit]:
            del self.blobs[blob["id"]]

    def _of_account(self) -> Response:
        if request.args.get("comp") == "list":
            return _xml("<Containers/><NextMarker/>")
        asked = re.fullmatch(r"\"(.+)\"='(.*)'", request.args.get("where", ""))
        if not asked:
            return failed(400, "InvalidQueryParameterValue")
        found = [b for b in self.blobs.values() if b["tags"].get(asked[1]) == asked[2] and b["current"]]
        found = [b for b in found if not b["deleted_at"] and not b["snapshot"]]
        rows = [
            f"<Blob>{_named('Name', b['name'])}<ContainerName>{b['container']}</ContainerName>{_tags(b)}</Blob>"
            for b in found
        ]
        return self._page(rows)

    def _list(self, container: str) -> Response:
        prefix, include = request.args.get("prefix", ""), request.args.get("include", "").split(",")
        found = [b for b in self.blobs.values() if b["container"] == container and b["name"].startswith(prefix)]
        found = [b for b in found if "deleted" in include or not b["deleted_at"]]
        found = [b for b in found if "versions" in include or b["current"] or b["snapshot"]]
        found = [b for b in found if "snapshots" in include or not b["snapshot"]]
        return self._page([self._entry(b) for b in sorted(found, key=lambda b: (b["name"], int(b["id"])))])

    def _entry(self, blob: Mapping[str, Any]) -> str:
        left = RETENTION_DAYS - int((time.time() - blob["deleted_at"]) / max(self.twin.world.day, 1e-9))
        parts = [_named("Name", blob["name"])]
        if blob["snapshot"]:
            parts.append(f"<Snapshot>{blob['snapshot']}</Snapshot>")
        elif blob["versionId"]:
            parts.append(f"<VersionId>{blob['versionId']}</VersionId>")
            parts += ["<IsCurrentVersion>true</IsCurrentVersion>"] if blob["current"] else []
        if blob["deleted_at"]:
            parts.append("<Deleted>true</Deleted>")
        size = len(blob["content"].encode())
        retention = f"<RemainingRetentionDays>{left}</RemainingRetentionDays>" if blob["deleted_at"] else ""
        parts.append(
            f"<Properties><Creation-Time>{MODIFIED}</Creation-Time><Last-Modified>{MODIFIED}</Last-Modified>"
            f"<Etag>{escape(blob['etag'])}</Etag><Content-Length>{size}</Content-Length>"
            f"<Content-Type>text/csv</Content-Type><BlobType>BlockBlob</BlobType>{retention}</Properties>"
        )
        parts.append(f"<Metadata>{''.join(f'<{k}>{escape(v)}</{k}>' for k, v in blob['metadata'].items())}</Metadata>")
        return f"<Blob>{''.join(parts)}{_tags(blob)}</Blob>"

    def _page(self, rows: list[str]) -> Response:
        start = int(request.args.get("marker") or 0)
        end = start + self.twin.page_size
        following = str(end) if end < len(rows) else ""
        # The vendor's clients take the prefix of the next page from here.
        prefix = _named("Prefix", request.args["prefix"]) if "prefix" in request.args else ""
        return _xml(f"{prefix}<Blobs>{''.join(rows[start:end])}</Blobs><NextMarker>{following}</NextMarker>")

    def _find(self, container: str, name: str) -> Object | None:
        version, snapshot = request.args.get("versionid", ""), request.args.get("snapshot", "")
        for blob in self.blobs.values():
            if (blob["container"], blob["name"], blob["snapshot"]) != (container, name, snapshot):
                continue
            if (version and blob["versionId"] == version) or (not version and (blob["current"] or snapshot)):
                return blob
        return None

    def _read(self, container: str, name: str) -> Response:
        blob = self._find(container, name)
        if blob is None or blob["deleted_at"]:
            return failed(404, "BlobNotFound")
        if blob.get("archived"):
            return failed(409, "BlobArchived")
        headers = {"ETag": blob["etag"], "Last-Modified": MODIFIED, "x-ms-blob-type": "BlockBlob"}
        whole, asked = blob["content"].encode(), request.headers.get("x-ms-range", "")
        if request.method == "HEAD" or not asked:
            return Response(whole, 200, headers=headers, content_type="text/csv")
        first, last = (int(n) for n in asked.removeprefix("bytes=").split("-"))
        content = whole[first : last + 1]
        headers["Content-Range"] = f"bytes {first}-{first + len(content) - 1}/{len(whole)}"
        return Response(content, 206, headers=headers, content_type="text/csv")

    def _delete(self, container: str, name: str) -> Response:
        blob = self._find(container, name)
        permanent = request.args.get("deletetype") == "permanent"
        if blob is None or (blob["deleted_at"] and not permanent):
            return failed(404, "BlobNotFound")
        if permanent:
            if not blob["deleted_at"]:
                return failed(400, "InvalidQueryParameterValue")
            if not self.permanent:
                return failed(409, "PermanentDeleteNotEnabled")
            del self.blobs[blob["id"]]
            return Response("", 202)
        if blob["hold"]:
            return failed(409, "BlobImmutableDueToPolicy")
        of_base = "versionid" not in request.args and "snapshot" not in request.args
        snapshots = [b for b in self.blobs.values() if (b["container"], b["name"]) == (container, name)]
        snapshots = [b for b in snapshots if b["snapshot"] and not b["deleted_at"]] if of_base else []
        if snapshots and request.headers.get("x-ms-delete-snapshots") != "include":
            return failed(409, "SnapshotsPresent")
        for one in snapshots:
            self.put(one, deleted_at=time.time())
        if of_base and blob["versionId"]:
            self.put(blob, current=False)
        else:
            self.put(blob, deleted_at=time.time(), current=blob["current"] and not blob["versionId"])
        return Response("", 202)


def _named(element: str, name: str) -> str:
    """A blob's name, or its beginning. With characters that XML cannot hold it comes percent-encoded, and says so."""
    if re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", name):
        return f'<{element} Encoded="true">{quote(name)}</{element}>'
    return f"<{element}>{escape(name)}</{element}>"


def _tags(blob: Mapping[str, Any]) -> str:
    tags = "".join(f"<Tag><Key>{escape(k)}</Key><Value>{escape(v)}</Value></Tag>" for k, v in blob["tags"].items())
    return f"<Tags><TagSet>{tags}</TagSet></Tags>"


def failed(status: int, code: str = "") -> Response:
    code = code or CODES.get(status, "InternalError")
    body = f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>{code}</Message></Error>'
    return Response(body, status, headers={"x-ms-error-code": code}, content_type="application/xml")


def _xml(inner: str) -> Response:
    body = f'<?xml version="1.0" encoding="utf-8"?><EnumerationResults>{inner}</EnumerationResults>'
    return Response(body, 200, content_type="application/xml")
