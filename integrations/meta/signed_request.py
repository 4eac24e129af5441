"""The `signed_request` of Meta's data deletion callback: `base64url(signature).base64url(payload)`.

https://developers.facebook.com/docs/development/create-an-app/app-dashboard/data-deletion-callback
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from dataclasses import dataclass
from urllib.parse import parse_qs

from dsr.errors import DeliveryRejected


@dataclass(frozen=True)
class DeletionRequest:
    """Somebody removed the company's app in their Facebook settings and asked for their data to be deleted.

    Args:
        user_id: app-scoped; there is no address.
        issued_at: unix seconds; 0 if Meta did not say.
    """

    user_id: str
    issued_at: int

    def code(self, secret: bytes) -> str:
        """The same for every delivery of one request, and without the user id in it."""
        what = f"data-deletion:{self.user_id}:{self.issued_at}".encode()
        return hmac.new(secret, what, hashlib.sha256).hexdigest()[:32]


def check(secret: bytes, body: bytes) -> None:
    """HMAC-SHA256 with the app secret over the payload as it stands there, still encoded; then its meaning.

    The signed time is not limited: a request stays one however late it comes, and a repeated one has the same code.

    Raises:
        DeliveryRejected: anything else than a signed request that names a user and this algorithm.
    """
    signature, _, payload = _field(body).partition(b".")
    wanted = base64.urlsafe_b64encode(hmac.new(secret, payload, hashlib.sha256).digest()).rstrip(b"=")
    if not payload or not hmac.compare_digest(signature.rstrip(b"="), wanted):
        raise DeliveryRejected("meta: the signature is missing or wrong")
    if read(body) is None:
        raise DeliveryRejected("meta: signed, but no data deletion request")


def read(body: bytes) -> DeletionRequest | None:
    """The meaning of a body; None if it has none. Says nothing about who sent it."""
    payload = _field(body).partition(b".")[2]
    try:
        found = json.loads(base64.urlsafe_b64decode(payload + b"=" * (-len(payload) % 4)))
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or found.get("algorithm") != "HMAC-SHA256":
        return None
    user, issued = found.get("user_id"), found.get("issued_at")
    if not isinstance(user, str) or not re.fullmatch(r"[0-9]{1,40}", user, re.ASCII):
        return None
    return DeletionRequest(user, issued if isinstance(issued, int) else 0)


def _field(body: bytes) -> bytes:
    """The form's only `signed_request`; empty if there is none, or more than one."""
    try:
        values = parse_qs(body, max_num_fields=20).get(b"signed_request", [])
    except ValueError:
        return b""
    return values[0] if len(values) == 1 else b""
