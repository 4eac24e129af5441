"""Slack's signature over a delivery: `v0=` and the HMAC-SHA256 of `v0:{timestamp}:{raw body}`.

https://docs.slack.dev/authentication/verifying-requests-from-slack
"""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import datetime

from dsr.errors import DeliveryRejected
from dsr.messages import Delivery

TIMESTAMP = "x-slack-request-timestamp"
SIGNATURE = "x-slack-signature"
TOLERANCE = 300  # seconds, either way


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """The value of the signature header."""
    return "v0=" + hmac.new(secret.encode(), b"v0:" + timestamp.encode() + b":" + body, hashlib.sha256).hexdigest()


def verify(secret: str, delivery: Delivery, now: datetime) -> None:
    """Check both headers over the raw bytes, in constant time.

    Raises:
        DeliveryRejected: a header is missing or misshapen, the signature is wrong, or it is too old or too new.
    """
    timestamp = delivery.headers.get(TIMESTAMP, "")
    given = delivery.headers.get(SIGNATURE, "")
    if not re.fullmatch(r"[0-9]{1,12}", timestamp) or not re.fullmatch(r"v0=[0-9a-f]{64}", given):
        raise DeliveryRejected("signature headers missing or misshapen")
    if abs(now.timestamp() - int(timestamp)) > TOLERANCE:
        raise DeliveryRejected("signature is stale")
    if not hmac.compare_digest(given.encode(), sign(secret, timestamp, delivery.body).encode()):
        raise DeliveryRejected("signature does not match")
