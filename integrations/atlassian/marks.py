"""What in a text stands for a person, and the text without it. Pure.

Jira's rich text is a tree, the Atlassian Document Format: https://developer.atlassian.com/cloud/jira/platform/apis/document/structure/
Confluence's is XML, the storage format: https://confluence.atlassian.com/doc/confluence-storage-format-790796544.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

ERASED = "[erased]"


@dataclass(frozen=True)
class Marks:
    """What a person is recognised by: verified identifiers only, never a name.

    Args:
        emails: in lower case.
        accounts: Atlassian account ids.
    """

    emails: frozenset[str]
    accounts: frozenset[str] = frozenset()

    @cached_property
    def _address(self) -> re.Pattern[str]:
        """The whole address: not a longer one that contains it, at either end."""
        any_of = "|".join(re.escape(e) for e in sorted(self.emails)) or r"(?!)"
        return re.compile(rf"(?<![\w.+%'-])(?:{any_of})(?![\w@-]|\.\w)", re.IGNORECASE)

    @cached_property
    def _user_link(self) -> re.Pattern[str]:
        """A mention in the storage format."""
        any_of = "|".join(re.escape(a) for a in sorted(self.accounts)) or r"(?!)"
        user = rf'<ri:user\b[^>]*ri:account-id="(?:{any_of})"[^>]*(?:/>|>\s*</ri:user>)'
        return re.compile(rf"<ac:link>\s*{user}.*?</ac:link>|{user}", re.DOTALL)

    def spots(self, text: str) -> Iterator[tuple[int, int]]:
        """Where the address stands in a plain text: start and end."""
        return (found.span() for found in self._address.finditer(text))

    def account(self, user: object) -> bool:
        """Whether an Atlassian user object is this person."""
        return isinstance(user, Mapping) and str(user.get("accountId") or "") in self.accounts

    def within(self, value: Any) -> bool:
        """Whether a field's value names the person."""
        return bool(value != self.without(value))

    def without(self, value: Any) -> Any:
        """A plain text, document, user or list of them, with the person taken out; the same value if not named."""
        if isinstance(value, str):
            return self._address.sub(ERASED, value)
        if isinstance(value, list):
            return [self.without(item) for item in value if not self.account(item)]
        if not isinstance(value, dict):
            return value
        if self.account(value):
            return None
        if value.get("type") == "mention" and (value.get("attrs") or {}).get("id") in self.accounts:
            return {"type": "text", "text": ERASED}
        return {key: self.without(inner) for key, inner in value.items()}

    def without_in_storage(self, text: str) -> str:
        """A Confluence body with the person taken out."""
        return self._address.sub(ERASED, self._user_link.sub(ERASED, text))


def text_nodes(value: Any, pointer: str = "") -> Iterator[tuple[str, str]]:
    """Every text node of a document with its pointer (RFC 6901), such as `/content/0/content/0/text`."""
    if isinstance(value, list):
        for n, inner in enumerate(value):
            yield from text_nodes(inner, f"{pointer}/{n}")
    elif isinstance(value, dict):
        if value.get("type") == "text" and isinstance(value.get("text"), str):
            yield f"{pointer}/text", value["text"]
        yield from text_nodes(value.get("content"), f"{pointer}/content")
