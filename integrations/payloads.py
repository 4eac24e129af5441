"""The body of a delivery."""

from __future__ import annotations

import json
from typing import Any

from dsr.errors import PayloadNotUnderstood


def read(vendor: str, body: bytes) -> Any:
    """The body as JSON.

    Raises:
        PayloadNotUnderstood: it is none.
    """
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise PayloadNotUnderstood(f"{vendor}: not JSON") from None
