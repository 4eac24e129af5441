"""What the fields of a vendor's record tell of people, by their names. Pure; tables, and what is read with them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Keys by what stands under them, in lower case without `_` and `-`.
MAIL = words("email emailaddress mail address contactemail")
PARTS = words("firstname lastname givenname familyname")
WHOLE = words("name displayname fullname realname nickname username publicname")
NAME = WHOLE | PARTS
PHONE = words("phone phonenumber mobile mobilephone tel telephone whatsapp")
PICTURE = words("avatar avatarurl avatarurls image imageurl photo photourl picture")
ID = words("id accountid userid contactid")
ROLE = words("type role kind")
_FIELDS = MAIL | NAME | PHONE | PICTURE | words("id")

WRITERS = words("author commenter creator reporter requester reviewer sender submitter")  # a text is always a person
PERSON = WRITERS | words(
    "actor admin agent assignee bcc cc from member owner participant recipient teammate to user visitor"
)
# Before `_name` in a record of the person these are the person: `customer_name` beside her own address.
SELF = words("contact customer member subscriber user visitor")
AGENTS = words("admin administrator agent bot business operator staff support teammate")
# Under `author` these are no names.
_NOBODY = (
    PERSON
    | SELF
    | AGENTS
    | words(
        "account anonymous api app automation client company deleted email guest lead none null self system unknown "
        "web you"
    )
)

_WORD = re.compile(r"[^\W\d_]+")
_NAME_TEXT = re.compile(r"[^\W\d_][^\d@/:<>{}\[\]\n]{1,79}")


@lru_cache(maxsize=4096)
def plain(key: str) -> str:
    return key.lower().replace("_", "").replace("-", "")


@lru_cache(maxsize=4096)
def prefixed(key: str) -> tuple[str, str]:
    """`author_name`, `ticketAuthorName` -> ("author", "name"); two empty texts if the key is none of a person."""
    parts = re.split(r"[_\-. ]", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key).lower())
    for at in range(1, len(parts)):
        field = "".join(parts[at:])
        if field in _FIELDS and (parts[at - 1] in PERSON | SELF or parts[at - 1] == "by"):
            return parts[at - 1], field
    return "", ""


@lru_cache(maxsize=4096)
def person(key: str) -> str:
    """The part that a key gives somebody in the record (`author`, `created_by`); empty if none."""
    return found if (found := plain(key)) in PERSON else "by" if re.search(r"[a-z](_by|By)$", key) else ""


def texts(value: Mapping[Any, object], keys: frozenset[str]) -> Iterator[str]:
    return (v for k, v in value.items() if isinstance(v, str) and v and plain(str(k)) in keys)


def full_names(value: Mapping[Any, object]) -> list[str]:
    """Whole names: those given as one, and first and last names together."""
    parts = " ".join(texts(value, PARTS))
    return [*texts(value, WHOLE), *([parts] if parts else [])]


def ids(value: Mapping[Any, object], keys: frozenset[str] = ID) -> frozenset[str]:
    return frozenset(str(v) for k, v in value.items() if plain(str(k)) in keys and isinstance(v, (str, int)))


def flat(value: Mapping[Any, object]) -> dict[str, dict[str, object]]:
    """People whose fields stand in the record itself: `author_name`, `author_phone` -> author: name, phone."""
    found: dict[str, dict[str, object]] = {}
    for key, inner in value.items():
        who, field = prefixed(str(key))
        if who:
            found.setdefault(who, {})[field] = inner
    return found


def is_change(value: Mapping[Any, object]) -> bool:
    """A record of a change: `from` and `to` are what a field was and is, and no people."""
    return any(plain(str(key)).startswith("field") for key in value)


def is_name(text: str, key: str) -> bool:
    """Is a text under a person's key a name? Under `author` any that is no number, address or role; else two words."""
    who, parts = person(key), text.split()
    if not who or not _NAME_TEXT.fullmatch(text) or len(parts) > 5 or plain(text).replace(" ", "") in _NOBODY:
        return False
    return who in WRITERS or (len(parts) > 1 and all(part[0].isupper() for part in parts))


@lru_cache(maxsize=16384)
def fold(text: str) -> tuple[str, ...]:
    """The words of a name, without case and accents: many write theirs without."""
    if not text.isascii():
        text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return tuple(_WORD.findall(text.casefold()))
