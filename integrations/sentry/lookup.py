"""Which of Sentry's records are about a person, and about that person alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import Any

from dsr.addresses import find_in
from dsr.errors import VendorAnswerUnexpected
from dsr.model import Identities, Identity
from integrations.sentry.api import Api, Object, quoted

ISSUE = "sentry.issue"


@dataclass(frozen=True)
class Person:
    """By what a person is recognised.

    Args:
        emails: in lower case.
        accounts: the application's own user ids, exactly; they only count where no address is given.
    """

    emails: frozenset[str]
    accounts: frozenset[str]

    @classmethod
    def of(cls, subject: Identities, user_id_is_account_id: bool) -> Person:
        accounts = subject.of("account_id") if user_id_is_account_id else ()
        return cls(frozenset(e.strip().lower() for e in subject.of("email")), frozenset(accounts))

    @property
    def searches(self) -> list[str]:
        """A search for each identifier. A hit must be looked at: Sentry's searches are not to be trusted alone."""
        return [quoted("user.email", e) for e in sorted(self.emails)] + self.searches_by_account

    @property
    def searches_by_account(self) -> list[str]:
        return [quoted("user.id", a) for a in sorted(self.accounts)]

    def sent(self, event: Mapping[str, Any]) -> bool:
        """Is this event, or replay, the person's?"""
        email, known = self._named(event)
        return email in self.emails if email else known

    def contradicted_by(self, event: Mapping[str, Any]) -> bool:
        """Does it carry the person's user id with an address that is not the person's?"""
        email, known = self._named(event)
        return known and bool(email) and email not in self.emails

    def is_value(self, value: Mapping[str, Any]) -> bool:
        """Does this value of the tag `user` (such as `id:42`, with address and name) stand for the person?"""
        kind, _, rest = str(value.get("value") or "").partition(":")
        if email := str(value.get("email") or "").lower():
            return email in self.emails
        return (kind == "id" and rest in self.accounts) or (kind == "email" and rest.lower() in self.emails)

    def _named(self, event: Mapping[str, Any]) -> tuple[str, bool]:
        user = event.get("user") or {}
        return str(user.get("email") or "").lower(), str(user.get("id") or "") in self.accounts


@dataclass(frozen=True)
class Holding:
    """What is held about one person.

    Args:
        own: issues with nobody else's events, by id.
        shared: issues that also hold events of others, or of nobody known, by id.
        mentions: issues of others whose title shows the address, by id.
        feedback: older feedback outside `own`.
        replays: project -> search -> how many.
        doubtful: the address stands for several user ids, or the user id for another address.
    """

    own: dict[str, Object] = field(default_factory=dict)
    shared: dict[str, Object] = field(default_factory=dict)
    mentions: dict[str, Object] = field(default_factory=dict)
    feedback: list[Object] = field(default_factory=list)
    replays: dict[str, dict[str, int]] = field(default_factory=dict)
    doubtful: bool = False

    @property
    def counts(self) -> dict[str, int]:
        found = {
            "issues": len(self.own),
            "issues shared with others": len(self.shared),
            "issues that mention the address": len(self.mentions),
            "feedback": len(self.feedback),
            "replays": sum(n for by_query in self.replays.values() for n in by_query.values()),
        }
        return {kind: n for kind, n in found.items() if n}

    @property
    def identities(self) -> tuple[Identity, ...]:
        return tuple(Identity(ISSUE, id) for id in (*self.own, *self.shared))


def holding(api: Api, person: Person, known: tuple[str, ...]) -> Holding:
    """Everything of the retention period.

    Args:
        known: ids of issues that an earlier look knew; they are asked for, too.
    """
    projects = api.projects()
    issues = list(_issues(api, person, projects, known))
    held = Holding(doubtful=_several_ids(api, person, projects) or _another_address(api, person, projects, issues))
    for issue in issues:
        id = id_of(issue)
        if _only_theirs(api, issue, person):
            held.own[id] = issue
        elif any(True for _ in own_events(api, id, person)):
            held.shared[id] = issue
    for issue in _mentions(api, person, projects):
        if id_of(issue) not in held.own.keys() | held.shared.keys():
            held.mentions[id_of(issue)] = issue
    for project in projects:
        for entry in api.feedback(project):
            mine = str(entry.get("email") or "").strip().lower() in person.emails
            if mine and str((entry.get("issue") or {}).get("id")) not in held.own:
                held.feedback.append(entry)
    for slug, query in replays(api, person, projects):
        held.replays.setdefault(slug, {}).setdefault(query, 0)
        held.replays[slug][query] += 1
    return held


def replays(api: Api, person: Person, projects: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Project and search of each of the person's replays, once."""
    slugs = {id: slug for slug, id in projects.items()}
    seen: set[str] = set()
    for query in person.searches:
        for replay in api.replays(query):
            id, slug = id_of(replay), slugs.get(str(replay.get("project_id")))
            if slug and id not in seen and person.sent(replay) and not replay.get("is_archived"):
                seen.add(id)
                yield slug, query


def own_events(api: Api, issue: str, person: Person, *, full: bool = False) -> Iterator[Object]:
    """The person's events of an issue, newest first for each search, none twice."""
    seen: set[str] = set()
    for query in person.searches:
        for event in api.events(issue, query, full=full):
            if person.sent(event) and id_of(event) not in seen:
                seen.add(id_of(event))
                yield event


def last_event(api: Api, issue: Object, person: Person) -> datetime:
    """When the person's newest event in an issue was; the issue's own last moment if none is shown."""
    moments = [moment(e.get("dateCreated")) for e in own_events(api, id_of(issue), person)]
    return max(moments, default=moment(issue.get("lastSeen")))


def id_of(found: Mapping[str, Any]) -> str:
    value = found.get("id")
    if not isinstance(value, (str, int)) or not str(value):
        raise VendorAnswerUnexpected("sentry", "a record without its id")
    return str(value)


def moment(value: object) -> datetime:
    try:
        return datetime.fromisoformat(str(value))
    except ValueError:
        raise VendorAnswerUnexpected("sentry", "a time in another shape than ISO 8601") from None


def _issues(api: Api, person: Person, projects: Mapping[str, str], known: tuple[str, ...]) -> Iterator[Object]:
    """Issues of every category with events of the person, each once."""
    seen: set[str] = set()
    for query in person.searches:
        for search in (query, f"issue.category:feedback {query}"):  # feedback is in no other search
            for issue in api.issues(search):
                if id_of(issue) not in seen and _project(issue) in projects:
                    seen.add(id_of(issue))
                    yield issue
    for id in known:
        found = None if id in seen else api.issue(id)
        if found is not None:
            seen.add(id)
            yield found


def _mentions(api: Api, person: Person, projects: Mapping[str, str]) -> Iterator[Object]:
    for email in sorted(person.emails):
        for issue in api.issues(quoted("message", email)):
            shown = (issue.get("title"), (issue.get("metadata") or {}).get("value"), issue.get("culprit"))
            # the search also shows longer addresses that contain this one
            if _project(issue) in projects and email in find_in(" ".join(str(text) for text in shown if text)):
                yield issue


def _only_theirs(api: Api, issue: Object, person: Person) -> bool:
    """Whether every event of an issue is the person's: the tag's values first, and each event if those leave a doubt.

    Events without any user have no value; they may be anybody's.
    """
    contact = str((issue.get("metadata") or {}).get("contact_email") or "").lower()
    if issue.get("issueCategory") == "feedback" and contact:
        return contact in person.emails
    id, counted = id_of(issue), 0
    for value in api.user_values(id):
        if not person.is_value(value):
            return False
        counted += _number(value.get("count"))
    if counted and counted >= _number((issue.get("lifetime") or issue).get("count")):
        return True
    looked_at = 0
    for event in api.events(id):
        if not person.sent(event):
            return False
        looked_at += 1
    return looked_at > 0


def _several_ids(api: Api, person: Person, projects: Mapping[str, str]) -> bool:
    ids = {
        str(user["identifier"])
        for project in projects
        for email in sorted(person.emails)
        for user in api.users(project, email)
        if user.get("identifier") and str(user.get("email") or "").lower() == email
    }
    return len(ids) > 1 and not ids <= person.accounts


def _another_address(api: Api, person: Person, projects: Mapping[str, str], issues: Iterable[Object]) -> bool:
    """Whether the user id also stands for another address: an earlier one of the person, or somebody else's."""
    events = (e for query in person.searches_by_account for i in issues for e in api.events(id_of(i), query))
    replays = (
        replay
        for query in person.searches_by_account
        for replay in api.replays(query)
        if str(replay.get("project_id")) in projects.values()
    )
    return any(person.contradicted_by(found) for found in chain(events, replays))


def _project(issue: Object) -> str:
    return str((issue.get("project") or {}).get("slug"))


def _number(value: object) -> int:
    """Sentry writes counts as text."""
    if not str(value).isdecimal():
        raise VendorAnswerUnexpected("sentry", "a count that is no number")
    return int(str(value))
