"""Values in the shape that Jira gives them."""

from __future__ import annotations

import json
import re
import time
from datetime import UTC, datetime
from typing import Any

ME = "5b10a0effa615349cb016cd8"  # whom the API token belongs to


def moment(days_ago: float = 0) -> str:
    """As Jira writes a time."""
    when = datetime.fromtimestamp(time.time() - days_ago * 86400, UTC)
    return when.strftime("%Y-%m-%dT%H:%M:%S.000+0000")


def doc(text: str) -> dict[str, Any]:
    """A document of one paragraph."""
    paragraph = {"type": "paragraph", "content": [{"type": "text", "text": text}]}
    return {"type": "doc", "version": 1, "content": [paragraph]}


def plain(value: Any) -> str | None:
    """A value as the change history shows it."""
    if isinstance(value, dict):
        return " ".join(re.findall(r'"text": "([^"]*)"', json.dumps(value, ensure_ascii=False))) or None
    return None if value is None else str(value)
