"""Zendesk as a processor: Support users and their tickets, and the messaging users that are the same people.

https://developer.zendesk.com/api-reference/ticketing/users/users/
https://support.zendesk.com/hc/en-us/articles/4408835051546 (deleting personal data)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar

from dsr.errors import VendorAnswerUnexpected, VendorRefused
from dsr.model import (
    DataFile,
    Findings,
    Identities,
    Instruction,
    Operation,
    Receipt,
    Right,
    Support,
    done,
    manual,
    no_match,
)
from integrations.processor import Processor
from integrations.zendesk import erasure, export, lookup
from integrations.zendesk.api import Object, SupportApi, path_id
from integrations.zendesk.instructions import INSTRUCTIONS, SUPPORTS
from integrations.zendesk.lookup import Holding, holding
from integrations.zendesk.payload import ident, text
from integrations.zendesk.settings import ZendeskSettings
from integrations.zendesk.sunco import SuncoApi

if TYPE_CHECKING:
    from dsr.policy import Policy

RESTRICTED = "privacy_restricted"
TAGS: Mapping[Right, tuple[str, ...]] = {
    Right.AGE_REPORT: ("privacy_no_marketing", "privacy_under_16_reported"),
    Right.OBJECTION: ("privacy_no_marketing", "privacy_objection"),
}
MARKETING = ("privacy_no_marketing",)
FIELDS = frozenset({"name", "email", "phone"})
NOBODY = "No user or messaging profile carries the address or the account id."


class ZendeskProcessor(Processor):
    """Finds by exact address, account id and known ids, in Support and (if connected) messaging; erases permanently."""

    name: ClassVar[str] = "zendesk"
    label: ClassVar[str] = "Zendesk, Inc."
    supports: ClassVar[Mapping[Operation, Support]] = SUPPORTS
    identity_types: ClassVar[frozenset[str]] = frozenset(
        {"email", "account_id", lookup.USER, lookup.TICKET, lookup.PERSON}
    )
    instructions: ClassVar[Mapping[Operation, str]] = INSTRUCTIONS

    def __init__(self, settings: ZendeskSettings, policy: Policy | None = None) -> None:
        self._support = SupportApi(settings.support)
        self._sunco = SuncoApi(settings.sunco) if settings.sunco else None

    def find(self, subject: Identities) -> Findings:
        """Counts, also of what is only soft-deleted: agents can still restore it."""
        held = self._held(subject)
        known = set(subject.of(lookup.TICKET))
        sunco = self._sunco
        counts = {
            "users": len(held.users),
            "deleted users": len(held.deleted),
            "tickets": len({ident(t, "id") for t in lookup.tickets(self._support, held, "requested")}),
            "deleted tickets": len(known & lookup.deleted_ticket_ids(self._support)) if known else 0,
            "comments in other people's tickets": sum(1 for _ in lookup.comments_elsewhere(self._support, held)),
            "suspended tickets": len(lookup.suspended(self._support, subject)),
            "messaging users": len(held.people) or held.unreached,
            "messaging conversations": sum(1 for id in held.people for _ in sunco.conversations(id)) if sunco else 0,
        }
        return Findings(
            held={kind: n for kind, n in counts.items() if n},
            identities=held.identities(),
            ambiguous=held.doubtful,
        )

    def export(self, instruction: Instruction) -> Iterator[DataFile]:
        """Raises VendorRefused if more than one person may be meant: nobody gets another's data."""
        held = self._held(instruction.subject)
        if held.doubtful:
            raise VendorRefused("zendesk", "more than one person may be meant")
        yield from export.files(self._support, self._sunco, held, instruction.subject)

    def erase(self, instruction: Instruction) -> Receipt:
        return erasure.erase(self._support, self._sunco, instruction.subject)

    def status(self, receipt: Receipt) -> Receipt:
        return erasure.status(self._support, self._sunco, receipt)

    def suppress(self, instruction: Instruction) -> Receipt:
        """Tag the profiles: Zendesk has no mailing list; surveys and triggers leave out who is tagged (see README).

        Stopping is the safe direction, so it is done also when two people share the address.
        """
        tags = TAGS.get(instruction.right, MARKETING)
        return self._change(instruction, lambda user: {"tags": _with(user, tags)}, dict.fromkeys(tags, True), safe=True)

    def restrict(self, instruction: Instruction) -> Receipt:
        """Suspend (no new tickets, no sign-in) and tag; Zendesk has no lock on processing."""

        def change(user: Object) -> Object:
            return {"suspended": True, "tags": _with(user, (RESTRICTED,))}

        return self._change(instruction, change, {RESTRICTED: True})

    def lift(self, instruction: Instruction) -> Receipt:
        gone = (RESTRICTED, *(TAGS[Right.AGE_REPORT][1:] if instruction.right is Right.AGE_REPORT else ()))

        def change(user: Object) -> Object:
            return {"suspended": False, "tags": [tag for tag in _tags(user) if tag not in gone]}

        return self._change(instruction, change, dict.fromkeys(gone, False))

    def stands(self, instruction: Instruction) -> bool | None:
        restricts = instruction.operation is Operation.RESTRICT
        wanted = {RESTRICTED} if restricts else set(TAGS.get(instruction.right, MARKETING))
        held = self._held(instruction.subject)
        if held.doubtful:
            return None
        users = all(
            wanted <= set(_tags(u)) and (u.get("suspended") is True or not restricts) for u in held.users.values()
        )
        return users and all(
            all((person.get("metadata") or {}).get(tag) is True for tag in wanted) for person in held.people.values()
        )

    def resubscribe(self, instruction: Instruction) -> Receipt:
        """Take the tag away; tags of an objection, an age report or a restriction stay."""

        def change(user: Object) -> Object:
            return {"tags": [tag for tag in _tags(user) if tag not in MARKETING]}

        return self._change(instruction, change, dict.fromkeys(MARKETING, False))

    def rectify(self, instruction: Instruction) -> Receipt:
        """Name, phone and address. A company is a record of its own, shared with others: an agent decides."""
        held = self._held(instruction.subject)
        if held.doubtful:
            return self._ask(Operation.RECTIFY)
        if held.nobody:
            return no_match(NOBODY)
        changes = {k: v for k, v in instruction.changes.items() if k in FIELDS}
        for id in held.users:
            if plain := {k: v for k, v in changes.items() if k != "email"}:
                self._update(id, plain)
            if "email" in changes:
                self._new_address(id, changes["email"], instruction.subject.of("email"))
        if self._sunco and (profile := _profile(changes)):
            for id in held.people:
                self._sunco.update_user(id, {"profile": profile})
        counts = _counts(held)
        if left := sorted(set(instruction.changes) - FIELDS):
            return manual(f"Change by hand: {', '.join(left)}. {INSTRUCTIONS[Operation.RECTIFY]}", counts=counts)
        return done(counts, identities=held.identities())

    def check(self) -> None:
        self._support.me()
        if self._sunco:
            self._sunco.app()

    def _held(self, subject: Identities) -> Holding:
        return holding(self._support, self._sunco, subject)

    def _ask(self, operation: Operation) -> Receipt:
        return manual("More than one person may be meant. " + INSTRUCTIONS[operation])

    def _change(
        self,
        instruction: Instruction,
        change: Callable[[Object], Object],
        metadata: Mapping[str, object],
        *,
        safe: bool = False,
    ) -> Receipt:
        """Change every profile: fields of Support users, flat metadata of messaging users."""
        held = self._held(instruction.subject)
        if held.doubtful and not safe:
            return self._ask(instruction.operation)
        if not held.users and not held.people:
            return no_match(NOBODY)
        for id, user in held.users.items():
            self._update(id, change(user))
        for id in held.people if self._sunco else ():
            assert self._sunco is not None  # noqa: S101  # for the type checker
            self._sunco.update_user(id, {"metadata": dict(metadata)})
        return done(_counts(held), identities=held.identities())

    def _update(self, id: str, fields: Mapping[str, object]) -> None:
        user = self._support.one("PUT", f"users/{path_id(id)}", "user", json={"user": dict(fields)})
        if ident(user, "id") != id:
            raise VendorAnswerUnexpected("zendesk", "answered for another user")

    def _new_address(self, id: str, address: str, old: Iterable[str]) -> None:
        """Add the address, make it primary, remove the old one: setting `email` would only add a second one."""
        api, path = self._support, f"users/{path_id(id)}/identities"
        now = {text(i, "value").lower(): ident(i, "id") for i in api.rows(path, "identities") if i["type"] == "email"}
        new = now.get(address.lower())
        if not new:
            identity = {"identity": {"type": "email", "value": address}}
            new = ident(api.one("POST", path, "identity", json=identity), "id")
        answer = api.list_after("PUT", f"{path}/{path_id(new)}/make_primary", "identities")
        if not any(ident(i, "id") == new and i.get("primary") is True for i in answer):
            raise VendorAnswerUnexpected("zendesk", "did not make the new address the primary one")
        for identity_id in [now[a.lower()] for a in old if a.lower() in now and a.lower() != address.lower()]:
            one = f"{path}/{path_id(identity_id)}"
            api.delete(one, lambda one=one: api.look(one, "identity") is not None)  # type: ignore[misc]


def _tags(user: Object) -> list[str]:
    tags = user.get("tags")
    return [str(tag) for tag in tags] if isinstance(tags, list) else []


def _with(user: Object, more: Iterable[str]) -> list[str]:
    return list(dict.fromkeys((*_tags(user), *more)))


def _profile(changes: Mapping[str, str]) -> Object:
    profile: Object = {"email": changes["email"]} if "email" in changes else {}
    if "name" in changes:
        given, _, surname = changes["name"].partition(" ")
        profile |= {"givenName": given, "surname": surname}
    return profile


def _counts(held: Holding) -> Mapping[str, int]:
    counts = {"users": len(held.users), "messaging users": len(held.people)}
    return {kind: n for kind, n in counts.items() if n}
