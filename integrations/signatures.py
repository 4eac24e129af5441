"""The signature of a delivery: bytes compared in constant time; a header of any shape is refused, never an error."""

from __future__ import annotations

import hmac
from collections.abc import Iterable

from dsr.errors import DeliveryRejected


def check(vendor: str, given: Iterable[str], wanted: Iterable[bytes]) -> None:
    """One of the given signatures must be one of the wanted.

    Args:
        given: from the delivery's headers, in any shape; "" where there is none.
        wanted: one for each secret that is good now.

    Raises:
        DeliveryRejected: none of them is.
    """
    told = [signature.encode("utf-8", "replace") for signature in given]
    good = [signature for signature in wanted if signature]  # a secret that is empty is none
    if not any(hmac.compare_digest(t, g) for t in told for g in good):
        raise DeliveryRejected(f"{vendor}: the signature is missing or wrong")
