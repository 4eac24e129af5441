"""Other people in a person's data, replaced by marks (GDPR Art. 15(4), 20(4)). Pure; once for every processor.

What a vendor's connector knows to be another person's message it leaves out itself, with `MESSAGE` in its place. Here
the rest is caught: addresses anywhere, and in an object that describes another person also name, telephone and
picture; names learned there are replaced in the texts of the same file too. The person's own data stays whole.
"""

from __future__ import annotations

import hmac
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import lru_cache
from hashlib import sha256
from itertools import takewhile
from typing import Any

from dsr.model import Identities

MESSAGE = "[message of another person]"  # connectors write it in place of somebody else's words
PERSON = "another person"
AGENT = "[support agent]"
REASON = "GDPR Art. 15(4): the rights and freedoms of others"
NOT_SEARCHED = "an attached file is given as it is: it was not searched for other people"
KINDS = ("address", "name", "telephone", "picture", "message", "agent")

_ADDRESS = re.compile(r"[\w.+-]{1,64}(?:@|%40)[\w-]{1,63}(?:\.[\w-]{1,63}){0,8}\.[A-Za-z]{2,24}\b")
_WORD = r"[^\W\d_][\w.'’-]{0,30}"
_NAMED = re.compile(rf"(\"[^\"<>@\n]{{1,80}}\"|(?:{_WORD} ){{0,3}}{_WORD})\s{{0,3}}<({_ADDRESS.pattern})>")
_PHONE = re.compile(r"(?<![\w+])(?:\+|00)\d(?:[ ()./-]{0,2}\d){7,14}(?!\w)")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_FILES = _words("png jpg jpeg gif webp svg js css map html htm pdf woff")  # `logo@2x.png` is no address
_ROLES = _words(
    "abuse billing contact dpo help hello info mailer-daemon news newsletter no-reply noreply notifications office "
    "postmaster privacy sales security support webmaster"
)

# Keys by what stands under them, in lower case without `_` and `-`.
_MAIL_KEYS = _words("email emailaddress mail address contactemail")
_NAME_KEYS = _words(
    "name displayname fullname realname firstname lastname givenname familyname nickname username publicname"
)
_PHONE_KEYS = _words("phone phonenumber mobile mobilephone tel telephone whatsapp")
_PICTURE_KEYS = _words("avatar avatarurl avatarurls image imageurl photo photourl picture")
_PERSON_KEYS = _words(
    "actor admin agent assignee author commenter creator from member owner participant reporter requester sender "
    "submitter teammate user visitor"
)
_ID_KEYS = _words("id accountid userid contactid")
_ROLE_KEYS = _words("type role kind")
_AGENTS = _words("admin administrator agent bot business operator staff support teammate")
_MESSAGE_IDS = _words("messageid inreplyto references")  # RFC 5322: they look like addresses
_HIDDEN = {MESSAGE: "message", PERSON: "message", "somebody else": "name", "@somebody else": "name"}


class Masker:
    """For one processor's files of one person; it learns as rows pass by.

    Args:
        subject: the person's own identifiers.
        company: the domain of the company's own mail: an address there is an agent's, if it is nobody's role.
        key: of the marks: the same other person gets the same mark in the whole package, and in no other.
    """

    def __init__(self, subject: Identities, company: str, key: bytes) -> None:
        self._own = {value.casefold() for value in subject.of("email")}
        self._own_ids = {identity.value for identity in subject.all}
        self._own_words: set[str] = set()
        self._own_phones: set[str] = set()
        self._company, self._key = company.casefold(), key
        self._others: dict[str, str] = {}  # name -> mark, of this file
        self._names: re.Pattern[str] | None = None
        self.counts: Counter[str] = Counter()

    def new_file(self) -> None:
        """Forget the names and the counts of the file before."""
        self._others, self._names = {}, None
        self.counts = Counter()

    def row(self, row: Mapping[str, object]) -> dict[str, Any]:
        """The row without other people; `counts` tells what was replaced, by kind."""
        self._learn(row, "")
        masked: dict[str, Any] = self._object(row, "", False)
        return masked

    # -- who is who ----------------------------------------------------------------------------------------------------

    def _learn(self, value: object, key: str) -> None:
        if isinstance(value, Mapping):
            about = self._about(value, key)
            if about == "own":
                self._own_ids |= _ids(value)
                self._own_words |= {w.casefold() for name in _texts(value, _NAME_KEYS) for w in (name, *name.split())}
                self._own_phones |= {_digits(phone) for phone in _texts(value, _PHONE_KEYS)}
            elif about:
                for name in _texts(value, _NAME_KEYS):
                    self._remember(name, about)
            for inner_key, inner in value.items():
                self._learn(inner, str(inner_key))
        elif isinstance(value, (list, tuple)):
            for inner in value:
                self._learn(inner, key.removesuffix("s"))

    def _about(self, value: Mapping[Any, object], key: str) -> str:
        """ "own", the mark of somebody else, or nothing if the object describes no person."""
        addresses = [m.strip() for m in _texts(value, _MAIL_KEYS) if _ADDRESS.fullmatch(m.strip())]
        if any(a.casefold() in self._own for a in addresses):
            return "own"
        names = list(_texts(value, _NAME_KEYS))
        if not addresses and (_plain(key) not in _PERSON_KEYS or not names):
            return ""
        if not addresses and (_ids(value) & self._own_ids or any(n.casefold() in self._own_words for n in names)):
            return "own"
        agent = _plain(key) in _AGENTS or any(role.casefold() in _AGENTS for role in _texts(value, _ROLE_KEYS))
        return AGENT if agent else self._mark((addresses or names)[0])

    def _mark(self, value: str) -> str:
        folded = value.casefold()
        local, _, domain = folded.replace("%40", "@").rpartition("@")
        if local and (domain == self._company or domain.endswith(f".{self._company}")):
            return AGENT
        digest = hmac.new(self._key, folded.encode(), sha256).hexdigest()
        return f"[{PERSON} {digest[:6].upper()}]"

    def _remember(self, name: str, mark: str) -> None:
        """A name to look for in texts; of people, not of agents, its parts too."""
        parts = [name] if mark == AGENT else [name, *(p for p in name.split() if len(p) > 2 and p[0].isupper())]
        for part in parts:
            known = part.casefold() in self._own_words or part in self._others
            if len(part) > 2 and not known and not _ADDRESS.fullmatch(part) and len(self._others) < 1000:
                self._others[part], self._names = mark, None

    # -- replacing -----------------------------------------------------------------------------------------------------

    def _value(self, value: object, key: str, foreign: bool) -> Any:
        if isinstance(value, str):
            return self._text(value, key, foreign)
        if isinstance(value, Mapping):
            return self._object(value, key, foreign)
        if isinstance(value, (list, tuple)):
            return [self._value(inner, key.removesuffix("s"), foreign) for inner in value]
        return value

    def _object(self, value: Mapping[Any, object], key: str, foreign: bool) -> dict[str, Any]:
        about = self._about(value, key)
        people = ((k, v) for k, v in value.items() if _plain(k) in _PERSON_KEYS and isinstance(v, Mapping))
        if who := about or next((self._about(v, k) for k, v in people), ""):
            foreign = who != "own"  # words of somebody else: a telephone number in them is hardly the person's
        found: dict[str, Any] = {}
        for inner_key, inner in value.items():
            plain = _plain(inner_key)
            name = str(inner_key)
            if "@" in name:
                name = self._text(name, "", foreign)
            if about not in ("", "own") and inner and (kind := _kind(plain, inner)):
                self.counts["agent" if about == AGENT else kind] += 1
                found[name] = about if kind != "picture" else None
            else:
                found[name] = self._value(inner, plain, foreign)
        return found

    def _text(self, text: str, key: str, foreign: bool) -> str:
        if hidden := _HIDDEN.get(text):
            self.counts[hidden] += 1
            return text
        if key in _MESSAGE_IDS:
            return text
        if "@" in text or "%40" in text:
            text = _NAMED.sub(self._named, text)
            text = _ADDRESS.sub(self._address, text)
        if self._others:
            if self._names is None:
                longest = sorted(map(re.escape, self._others), key=len, reverse=True)
                self._names = re.compile(rf"(?<!\w)(?:{'|'.join(longest)})(?!\w)")
            text = self._names.sub(self._name, text)
        if foreign and any(c.isdigit() for c in text):
            text = _PHONE.sub(self._phone, text)
        return text

    def _named(self, found: re.Match[str]) -> str:
        """`Ion Ionescu <ion@example.com>`: the name goes with the address."""
        name, address = found.groups()
        mark = self._replacement(address)
        if mark == address:
            return found[0]
        before = list(takewhile(lambda word: word[:1].islower(), name.split(" ")))  # words of the sentence
        return " ".join([*before, mark])

    def _address(self, found: re.Match[str]) -> str:
        return self._replacement(found[0])

    def _replacement(self, address: str) -> str:
        local, _, domain = address.replace("%40", "@").casefold().lstrip(".+-").rpartition("@")
        plain = f"{local}@{domain}"
        if self._own & {plain, f"{local.partition('+')[0]}@{domain}"}:
            return address
        if local in _ROLES or domain.rpartition(".")[2] in _FILES:
            return address
        mark = self._mark(plain)
        self.counts["agent" if mark == AGENT else "address"] += 1
        return mark

    def _name(self, found: re.Match[str]) -> str:
        mark = self._others[found[0]]
        self.counts["agent" if mark == AGENT else "name"] += 1
        return mark

    def _phone(self, found: re.Match[str]) -> str:
        if _digits(found[0]) in self._own_phones:
            return found[0]
        self.counts["telephone"] += 1
        return "[telephone number]"


@lru_cache(maxsize=4096)
def _plain(key: str) -> str:
    return key.lower().replace("_", "").replace("-", "")


def _digits(phone: str) -> str:
    return re.sub(r"\D", "", phone)[-9:]  # without the country's code, which not everybody writes


def _texts(value: Mapping[Any, object], keys: frozenset[str]) -> Iterator[str]:
    return (v for k, v in value.items() if isinstance(v, str) and v and _plain(k) in keys)


def _ids(value: Mapping[Any, object]) -> set[str]:
    return {str(v) for k, v in value.items() if _plain(k) in _ID_KEYS and isinstance(v, (str, int))}


def _kind(key: str, value: object) -> str:
    """What a field of somebody else's object tells of them; nothing if it is no such field."""
    if key in _PICTURE_KEYS:
        return "picture"
    if not isinstance(value, str):
        return ""
    if key in _MAIL_KEYS:
        return "address" if _ADDRESS.fullmatch(value.strip()) else ""
    return "name" if key in _NAME_KEYS else "telephone" if key in _PHONE_KEYS else ""
