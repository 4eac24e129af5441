"""The signature of everything that Mailgun posts: event webhooks and, with the same three values, routes.

https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks
"""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import datetime

from pydantic import SecretStr

from dsr.errors import DeliveryRejected
from integrations import signatures

TOLERANCE = 300.0  # seconds that the signed time may differ from ours


def check(key: SecretStr | None, timestamp: object, token: object, signature: object, now: datetime) -> None:
    """Hex HMAC-SHA256 of timestamp and token with the webhook signing key. It does not cover the body.

    So a captured triple would vouch for any body: who stores deliveries must take each token once, which holds when
    the token is the key of de-duplication. Whether repeats of a failed delivery are signed anew is not documented;
    if they are not, they are rejected here (401), visibly, from the fifth minute on.

    Args:
        key: None rejects everything.
        timestamp: unix seconds, as text.
        token: fifty characters in practice.

    Raises:
        DeliveryRejected: one of the three is missing, misshapen or wrong, or the time is more than 5 minutes off.
    """
    if key is None:
        raise DeliveryRejected("mailgun: no webhook signing key is configured")
    if not (isinstance(timestamp, str) and re.fullmatch(r"[0-9]{1,12}", timestamp, re.ASCII)):
        raise DeliveryRejected("mailgun: the signed time is missing or misshapen")
    if not (isinstance(token, str) and re.fullmatch(r"[!-~]{8,200}", token, re.ASCII) and isinstance(signature, str)):
        raise DeliveryRejected("mailgun: the signature is missing or misshapen")
    wanted = hmac.new(key.get_secret_value().encode(), (timestamp + token).encode(), hashlib.sha256).hexdigest()
    signatures.check("mailgun", [signature], [wanted.encode()])
    if abs(now.timestamp() - int(timestamp)) > TOLERANCE:
        raise DeliveryRejected("mailgun: the delivery is stale")
