"""Slack as a processor: the member's profile, and what the bot and the member wrote to each other."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from dsr.errors import VendorAnswerUnexpected, VendorError, VendorRefused
from dsr.model import (
    DataFile,
    Findings,
    Identities,
    Identity,
    Instruction,
    Operation,
    Origin,
    Receipt,
    Residue,
    Support,
    done,
    manual,
    no_match,
)
from dsr.policy import Policy
from integrations.processor import Processor
from integrations.slack.api import SlackApi, part, refused_as
from integrations.slack.channel import sent_payload
from integrations.slack.settings import SlackSettings

SUPPORTS: Mapping[Operation, Support] = {
    Operation.FIND: Support.COMPOSED,
    Operation.EXPORT: Support.COMPOSED,
    Operation.ERASE: Support.MANUAL,  # our own messages are deleted at once; the profile has no public API
    Operation.RESTRICT: Support.MANUAL,
    Operation.LIFT: Support.MANUAL,
    Operation.SUPPRESS: Support.NONE,  # Slack has no marketing function
    Operation.RECTIFY: Support.MANUAL,
}

_SEARCH = "in Slack's admin pages, Manage members, search the member by the e-mail address of the request"
INSTRUCTIONS: Mapping[Operation, str] = {
    Operation.FIND: f"As an owner or admin: {_SEARCH}, deactivated accounts included. Note only whether there is one.",
    Operation.EXPORT: f"As an owner or admin: {_SEARCH} and copy the profile; ask the Primary Owner for a workspace "
    "export of the member's direct messages with the privacy bot. Add both to the package, never to a chat.",
    Operation.ERASE: f"As the Primary Owner: {_SEARCH}; deactivate the account if the person is to leave the "
    "workspace, then choose Delete profile information on the deactivated account. This cannot be undone. If the "
    "person stays a member (an employee), refer the request to HR and note the ground. Slack keeps messages and files.",
    Operation.RESTRICT: f"As an owner or admin: {_SEARCH} and deactivate the account (it can be activated again); on "
    "an Enterprise plan also set the retention of conversations that must be kept.",
    Operation.LIFT: f"As an owner or admin: {_SEARCH}, deactivated accounts included, and activate the account again.",
    Operation.RECTIFY: f"As an owner or admin: {_SEARCH} and correct name or e-mail address there; the member corrects "
    "the rest of the profile. With single sign-on, correct it at the identity provider.",
}
TWO_MEMBERS = "Two Slack members may be meant. Find out which of them is the person, and then: "
PERSONAL = ("email", "phone", "title", "skype", "first_name", "last_name", "real_name", "display_name")
THEIR_MESSAGES = Residue(
    "messages that the person wrote to the privacy bot",
    "Slack lets only their author, or the workspace's retention setting, delete them",
    "the end of the workspace's retention period",
)


@dataclass(frozen=True)
class Held:
    """What Slack holds about one person.

    Args:
        members: the user objects, by id.
        ambiguous: more than one person may be meant.
        ours: channel and ts of the bot's messages to them, and of its notes about them.
        theirs: how many messages they wrote to the bot.
    """

    members: Mapping[str, dict[str, Any]]
    ambiguous: bool
    ours: tuple[tuple[str, str], ...] = ()
    theirs: int = 0

    @property
    def profiles(self) -> int:
        return sum(1 for user in self.members.values() if _has_profile(user))

    @property
    def identities(self) -> tuple[Identity, ...]:
        return tuple(Identity("slack.user", id) for id in self.members)

    @property
    def residue(self) -> tuple[Residue, ...]:
        return (THEIR_MESSAGES,) if self.theirs else ()


class SlackProcessor(Processor):
    """One workspace, as far as the bot's token sees it."""

    name: ClassVar[str] = "slack"
    label: ClassVar[str] = "Slack by Slack Technologies, Inc."
    supports: ClassVar[Mapping[Operation, Support]] = SUPPORTS
    identity_types: ClassVar[frozenset[str]] = frozenset({"email", "slack.user"})
    instructions: ClassVar[Mapping[Operation, str]] = INSTRUCTIONS

    def __init__(self, settings: SlackSettings, policy: Policy) -> None:
        self._api = SlackApi(settings)
        self._agent_channel = settings.agent_channel

    def find(self, subject: Identities) -> Findings:
        held = self._held(subject)
        counts = {"profile": held.profiles, "messages of the bot": len(held.ours)}
        return Findings(
            {kind: n for kind, n in counts.items() if n},
            identities=held.identities,
            ambiguous=held.ambiguous,
            residue=held.residue,
        )

    def export(self, instruction: Instruction) -> Iterator[DataFile]:
        members, ambiguous = self._members(instruction.subject)
        if ambiguous:
            raise VendorRefused(self.name, "two members may be meant: an agent decides")
        if members:
            yield DataFile("members.json", rows=iter(members.values()), origin=Origin.PROVIDED)
        for id, user in members.items():
            if not user.get("deleted"):  # a deactivated member's profile stands in the user object alone
                profile = self._api.ask("users.profile.get", user=id, include_labels="true")
                yield DataFile(f"profile-{_safe(id)}.json", rows=iter([part(profile, "profile")]))
        for channel in self._direct_messages(members):
            yield DataFile(
                f"direct-messages-{_safe(channel)}.json", rows=self._history(channel), origin=Origin.PROVIDED
            )

    def erase(self, instruction: Instruction) -> Receipt:
        """Deletes what the bot wrote to the person and about them; the profile is the Primary Owner's task."""
        held = self._held(instruction.subject)
        if held.ambiguous:
            return manual(TWO_MEMBERS + INSTRUCTIONS[Operation.ERASE], identities=held.identities)
        if not held.members:
            return no_match()
        for channel, ts in held.ours:
            self._delete(channel, ts)
        counts = {"messages of the bot": len(held.ours)}
        if held.profiles:
            return manual(
                INSTRUCTIONS[Operation.ERASE], counts=counts, identities=held.identities, residue=held.residue
            )
        return done(counts, identities=held.identities, residue=held.residue)

    def restrict(self, instruction: Instruction) -> Receipt:
        return self._by_hand_if_held(instruction)

    def lift(self, instruction: Instruction) -> Receipt:
        return self._by_hand_if_held(instruction)

    def rectify(self, instruction: Instruction) -> Receipt:
        return self._by_hand_if_held(instruction)

    def check(self) -> None:
        self._api.ask("auth.test")

    def _by_hand_if_held(self, instruction: Instruction) -> Receipt:
        """Most customers are no members of the workspace: no task for nothing."""
        members, _ = self._members(instruction.subject)
        if not any(_has_profile(user) for user in members.values()):
            return no_match()
        return manual(
            INSTRUCTIONS[instruction.operation], identities=tuple(Identity("slack.user", id) for id in members)
        )

    def _held(self, subject: Identities) -> Held:
        members, ambiguous = self._members(subject)
        if not members:
            return Held({}, ambiguous)
        bot = self._api.ask("auth.test").get("user_id")
        if not isinstance(bot, str):
            raise VendorAnswerUnexpected(self.name, "auth.test answered without user_id")
        ours, theirs = [], 0
        for channel in self._direct_messages(members):
            for message in self._history(channel):
                if message.get("user") == bot:
                    ours.append((channel, str(message.get("ts"))))
                theirs += message.get("user") in members
        for message in self._history(self._agent_channel):
            if message.get("user") == bot and sent_payload(message).get("member") in members:
                ours.append((self._agent_channel, str(message.get("ts"))))
        return Held(members, ambiguous, tuple(ours), theirs)

    def _members(self, subject: Identities) -> tuple[dict[str, dict[str, Any]], bool]:
        """The members who are the person, and whether two different ones may be meant. Matching is exact, by the
        proved address or by an id that an earlier step resolved; never by name."""
        found = {user["id"]: user for user in self._by_email(subject.email)} if subject.email else {}
        for id in subject.of("slack.user"):
            if id not in found:
                found[id] = self._by_id(id)
        active = [user for user in found.values() if not user.get("deleted")]
        other = subject.email and any(_email(user) not in ("", subject.email) for user in found.values())
        return found, bool(other) or len(active) > 1

    def _by_email(self, email: str) -> list[dict[str, Any]]:
        try:
            users = [part(self._api.ask("users.lookupByEmail", email=email), "user")]
        except VendorError as error:
            if not refused_as(error, "users_not_found"):
                raise
            # The look-up does not know deactivated accounts, whose profile Slack keeps; the list does.
            users = [user for user in self._api.each("users.list", "members") if user.get("deleted")]
        return [user for user in users if _email(user) == email and isinstance(user.get("id"), str)]

    def _by_id(self, id: str) -> dict[str, Any]:
        try:
            return part(self._api.ask("users.info", user=id), "user")
        except VendorError as error:
            if refused_as(error, "user_not_found"):
                return {"id": id, "deleted": True}
            raise

    def _direct_messages(self, members: Mapping[str, Any]) -> list[str]:
        """The bot's direct messages with them; a list, because opening one to look would make it."""
        if not members:
            return []
        dms = self._api.each("conversations.list", "channels", types="im")
        return [str(dm.get("id")) for dm in dms if dm.get("user") in members]

    def _history(self, channel: str) -> Iterator[dict[str, Any]]:
        return self._api.each("conversations.history", "messages", channel=channel, include_all_metadata="true")

    def _delete(self, channel: str, ts: str) -> None:
        try:
            self._api.tell("chat.delete", channel=channel, ts=ts)
        except VendorError as error:
            if not refused_as(error, "message_not_found"):  # it is gone already
                raise


def _email(user: Mapping[str, Any]) -> str:
    profile = user.get("profile")
    email = profile.get("email") if isinstance(profile, dict) else None
    return email.strip().lower() if isinstance(email, str) else ""


def _has_profile(user: Mapping[str, Any]) -> bool:
    """Whether this workspace still holds a profile. A deleted one keeps a placeholder for a name; were it another
    than Slack's help page says, this errs on the side of "still held". A stranger's is another organisation's."""
    if user.get("is_stranger"):
        return False
    if not user.get("deleted"):
        return True
    profile = user.get("profile")
    values = [str(profile.get(key) or "") for key in PERSONAL] if isinstance(profile, dict) else []
    return any(re.sub("[^a-z]", "", v.lower()) != "deactivateduser" for v in values if v)


def _safe(id: str) -> str:
    return re.sub("[^A-Za-z0-9]", "", id)
