"""Other people in a person's data, replaced by marks (GDPR Art. 15(4), 20(4)). Pure; once for every processor.

What a vendor's connector knows to be another person's message it leaves out itself, with `MESSAGE` in its place. Here
the rest is caught: addresses anywhere; in an object that describes another person, and in fields such as `author_name`,
also name, telephone and picture; names learned anywhere in a file are replaced in all its texts. The person's own data
stays whole; somebody is the person by an address, an identifier or the full name, never by a first name.
"""

from __future__ import annotations

import hmac
import re
from collections import Counter
from collections.abc import Callable, Mapping
from hashlib import sha256
from itertools import takewhile
from typing import Any

from dsr.model import Identities
from dsr.package import fields
from dsr.package.fields import plain
from dsr.package.heard import Heard

MESSAGE = "[message of another person]"  # connectors write it in place of somebody else's words
PERSON = "another person"
AGENT = "[support agent]"
REASON = "GDPR Art. 15(4): the rights and freedoms of others"
NOT_SEARCHED = "an attached file is given as it is: it was not searched for other people"
KINDS = ("address", "name", "telephone", "picture", "message", "agent")

_ADDRESS = re.compile(r"[\w.+-]{1,64}(?:@|%40)[\w-]{1,63}(?:\.[\w-]{1,63}){0,8}\.[A-Za-z]{2,24}\b")
_WORD = r"[^\W\d_][\w.'’-]{0,30}"
_NAMED = re.compile(rf"(\"[^\"<>@\n]{{1,80}}\"|(?:{_WORD} ){{0,3}}{_WORD})\s{{0,3}}<({_ADDRESS.pattern})>")
_PHONE = re.compile(  # with the country's code, with the 0 of calls inside a country (no date), or in three groups
    r"(?<![\w+])(?:(?:\+|00)\d(?:[ ()./-]{0,2}\d){7,14}"
    r"|\(?0(?!\d?([./-])\d{1,2}\1\d{4}(?!\d))\d(?:[ ()./-]{0,2}\d){7,11}"
    r"|(?:\(\d{3}\)|\d{3})[ .-]{1,2}\d{3}[ .-]\d{3,4})(?!\w)"
)

_FILES = fields.words("png jpg jpeg gif webp svg js css map html htm pdf woff")  # `logo@2x.png` is no address
_ROLES = fields.words(
    "abuse billing contact dpo help hello info mailer-daemon news newsletter no-reply noreply notifications office "
    "postmaster privacy sales security support webmaster"
)
_FROM = fields.WRITERS | {"from", "by"}
_RECEIVERS = fields.words("to cc bcc recipient")
_MESSAGE_IDS = fields.words("messageid inreplyto references")  # RFC 5322: they look like addresses
_HIDDEN = {MESSAGE: "message", PERSON: "message", "somebody else": "name", "@somebody else": "name"}


class Masker:
    """For one processor's files of one person: `learn` every row of a file, then mask each with `row`.

    Args:
        subject: the person's own identifiers.
        company: the domain of the company's own mail: an address there is an agent's, if it is nobody's role.
        key: of the marks: the same other person gets the same mark in the whole package, and in no other.
    """

    def __init__(self, subject: Identities, company: str, key: bytes) -> None:
        self._own = {value.casefold() for value in subject.of("email")}
        self._own_ids = {identity.value for identity in subject.all}
        self._own_names: set[str] = set()  # full ones: the words in order of the alphabet
        self._own_words: set[str] = set()
        self._own_phones: set[str] = set()
        self._company, self._key = company.casefold(), key
        self._heard = Heard(AGENT, self._is_own, self._own_words)
        self.counts: Counter[str] = Counter()

    def new_file(self) -> None:
        """Forget the names and the counts of the file before."""
        self._heard = Heard(AGENT, self._is_own, self._own_words)
        self.counts = Counter()

    def learn(self, row: Mapping[str, object]) -> None:
        """Whom a row tells of; before the first row of its file is masked."""
        self._learn(row, "")

    def row(self, row: Mapping[str, object]) -> dict[str, Any]:
        """The row without other people; `counts` tells what was replaced, by kind."""
        masked: dict[str, Any] = self._object(row, "", False)
        return masked

    # -- who is who ----------------------------------------------------------------------------------------------------

    def _learn(self, value: object, key: str) -> None:
        if isinstance(value, Mapping):
            about = self._object_about(value, key)
            flat, skip = self._flat(value, about), _no_people(value, about)
            self._describe(value, key, about)
            for who, described in fields.flat(value).items():
                self._describe(described, who, flat[who])
            for inner_key, inner in value.items():
                name = str(inner_key)
                self._learn(inner, "" if skip(name, inner) else name)
        elif isinstance(value, (list, tuple)):
            for inner in value:
                self._learn(inner, key.removesuffix("s"))
        elif isinstance(value, str) and fields.person(key):
            if named := _NAMED.fullmatch(value.strip()):
                if self._mine(named[2]):
                    self._describe({"name": named[1].strip('"')}, key, "own")
                elif not self._stays(named[2]):
                    self._heard.take(named[1].strip('"'), frozenset(), self._mark(named[2]))
            elif (about := self._spoken(value, key)) not in ("", "own"):
                self._heard.take(value, frozenset((value,)), about)

    def _describe(self, value: Mapping[Any, object], key: str, about: str) -> None:
        names = fields.full_names(value)
        if about == "own":
            certain = fields.ID if names or fields.person(key) else fields.ID - {"id"}  # `id` may be an event's
            self._own_ids |= fields.ids(value, certain)
            self._own_names |= {_sorted(name) for name in names}
            self._own_words |= {word for name in names for word in fields.fold(name)}
            self._own_phones |= {_digits(phone) for phone in fields.texts(value, fields.PHONE)}
        elif about:
            for name in dict.fromkeys((*names, *fields.texts(value, fields.PARTS))):
                if name not in _HIDDEN and not name.startswith("["):
                    self._heard.take(name, fields.ids(value), about)

    def _about(self, value: Mapping[Any, object], key: str, *, person: bool) -> str:
        """ "own", the mark of somebody else, or nothing if the object describes no person.

        Args:
            person: it stands where a person does, so that a name alone tells of one.
        """
        addresses = [m.strip() for m in fields.texts(value, fields.MAIL) if _ADDRESS.fullmatch(m.strip())]
        if any(self._mine(a) for a in addresses):
            return "own"
        tells = addresses
        if not addresses and person:
            names, ids = fields.full_names(value), fields.ids(value)
            if ids & self._own_ids or any(self._is_own(name, ids) for name in names):
                return "own"
            tells = names or list(fields.texts(value, fields.PHONE))
        if not tells:
            return ""
        roles = (role.casefold() for role in fields.texts(value, fields.ROLE))
        return AGENT if plain(key) in fields.AGENTS or any(r in fields.AGENTS for r in roles) else self._mark(tells[0])

    def _object_about(self, value: Mapping[Any, object], key: str) -> str:
        return self._about(value, key, person=bool(fields.person(key)))

    def _flat(self, value: Mapping[Any, object], about: str) -> dict[str, str]:
        """Whom the fields with a person's prefix describe: prefix -> as `_about`."""
        own = about == "own" or bool(fields.ids(value, fields.ID) & self._own_ids)
        return {
            who: "own" if own and who in fields.SELF else self._about(described, who, person=True)
            for who, described in fields.flat(value).items()
        }

    def _spoken(self, text: str, key: str) -> str:
        """The same of a name that stands as plain text under a person's key."""
        if not fields.is_name(text, key) or text in _HIDDEN:
            return ""
        if self._is_own(text, frozenset((text,))):
            return "own"
        return AGENT if plain(key) in fields.AGENTS else self._mark(text)

    def _is_own(self, name: str, ids: frozenset[str]) -> bool:
        """By an identifier or the full name; a first name counts only if no more of the name is known."""
        full = _sorted(name)
        known = (
            full != "" and full in self._own_names and (" " in full or not any(" " in own for own in self._own_names))
        )
        return known or bool(ids & self._own_ids)

    def _mine(self, address: str) -> bool:
        local, _, domain = address.replace("%40", "@").casefold().lstrip(".+-").rpartition("@")
        return bool(self._own & {f"{local}@{domain}", f"{local.partition('+')[0]}@{domain}"})

    def _stays(self, address: str) -> bool:
        """The person's, nobody's in particular, or none at all."""
        local, _, domain = address.replace("%40", "@").casefold().lstrip(".+-").rpartition("@")
        return self._mine(address) or local in _ROLES or domain.rpartition(".")[2] in _FILES

    def _mark(self, value: str) -> str:
        folded = value.casefold().replace("%40", "@")
        local, _, domain = folded.rpartition("@")
        if local and (domain == self._company or domain.endswith(f".{self._company}")):
            return AGENT
        digest = hmac.new(self._key, folded.encode(), sha256).hexdigest()
        return f"[{PERSON} {digest[:6].upper()}]"

    # -- replacing -----------------------------------------------------------------------------------------------------

    def _value(self, value: object, key: str, foreign: bool) -> Any:
        if isinstance(value, str):
            if (about := self._spoken(value, key)) not in ("", "own"):
                self.counts["agent" if about == AGENT else "name"] += 1
                return about
            return self._text(value, key, foreign)
        if isinstance(value, Mapping):
            return self._object(value, key, foreign)
        if isinstance(value, (list, tuple)):
            return [self._value(inner, key.removesuffix("s"), foreign) for inner in value]
        return value

    def _object(self, value: Mapping[Any, object], key: str, foreign: bool) -> dict[str, Any]:
        about = self._object_about(value, key)
        flat, skip = self._flat(value, about), _no_people(value, about)
        foreign = self._foreign(value, about, flat, foreign)
        found: dict[str, Any] = {}
        for inner_key, inner in value.items():
            name = str(inner_key)
            who, field = fields.prefixed(name)
            whose = (flat[who] if who else "") or about
            if "@" in name:
                name = self._text(name, "", foreign)
            if whose not in ("", "own") and inner and (kind := _kind(field or plain(name), inner)):
                self.counts["agent" if whose == AGENT else kind] += 1
                found[name] = whose if kind != "picture" else None
            else:
                found[name] = self._value(inner, "" if skip(name, inner) else name, foreign)
        return found

    def _foreign(self, value: Mapping[Any, object], about: str, flat: Mapping[str, str], above: bool) -> bool:
        """Are the words in a record somebody else's? Then a telephone in them is hardly the person's."""
        if about:
            return about != "own"
        people = [(who, whose) for who, whose in flat.items() if whose]
        for key, inner in value.items():
            who = fields.person(str(key))
            if who and isinstance(inner, Mapping):
                people.append((who, self._object_about(inner, str(key))))
            elif who and isinstance(inner, str):
                addresses = _ADDRESS.findall(inner) if "@" in inner else []
                mine = "own" if any(self._mine(a) for a in addresses) else PERSON
                people.append((who, mine if addresses else self._spoken(inner, str(key))))
        known = [(who not in _FROM, whose) for who, whose in people if whose and who not in _RECEIVERS]
        return min(known, key=lambda p: p[0])[1] != "own" if known else above

    def _text(self, text: str, key: str, foreign: bool) -> str:
        if hidden := _HIDDEN.get(text):
            self.counts[hidden] += 1
            return text
        if plain(key) in _MESSAGE_IDS:
            return text
        if "@" in text or "%40" in text:
            text = _NAMED.sub(self._named, text)
            text = _ADDRESS.sub(self._address, text)
        text = self._without_names(text)
        if foreign and any(c.isdigit() for c in text):
            text = _PHONE.sub(self._phone, text)
        return text

    def _without_names(self, text: str) -> str:
        """Addresses that stay, stay whole."""
        if "@" not in text or not self._heard.any:
            return self._heard.replace(text, self._count_name)
        parts, at = [], 0
        for address in _ADDRESS.finditer(text):
            parts += [self._heard.replace(text[at : address.start()], self._count_name), address[0]]
            at = address.end()
        return "".join([*parts, self._heard.replace(text[at:], self._count_name)])

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
        if self._stays(address):
            return address
        mark = self._mark(address.casefold().lstrip(".+-"))
        self.counts["agent" if mark == AGENT else "address"] += 1
        return mark

    def _count_name(self, mark: str) -> None:
        self.counts["agent" if mark == AGENT else "name"] += 1

    def _phone(self, found: re.Match[str]) -> str:
        if _digits(found[0]) in self._own_phones:
            return found[0]
        self.counts["telephone"] += 1
        return "[telephone number]"


def _no_people(value: Mapping[Any, object], about: str) -> Callable[[str, object], bool]:
    """Which texts of a record are nobody else's name, though they stand under a person's key."""
    no_names = fields.words("from to") if fields.is_change(value) else fields.SELF if about == "own" else frozenset()
    return lambda key, inner: isinstance(inner, str) and fields.person(key) in no_names


def _sorted(name: str) -> str:
    return " ".join(sorted(fields.fold(name)))


def _digits(phone: str) -> str:
    return re.sub(r"\D", "", phone)[-9:]  # without the country's code, which not everybody writes


def _kind(key: str, value: object) -> str:
    """What a field of somebody else's object tells of them; nothing if it is no such field."""
    if key in fields.PICTURE:
        return "picture"
    if not isinstance(value, str):
        return ""
    if key in fields.MAIL:
        return "address" if _ADDRESS.fullmatch(value.strip()) else ""
    return "name" if key in fields.NAME else "telephone" if key in fields.PHONE else ""
