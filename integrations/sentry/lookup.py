"""Which of Sentry's records are about a person, and about that person alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from dsr.addresses import find_in
from dsr.errors import VendorAnswerUnexpected
from dsr.model import Identities, Identity
from integrations.sentry.api import Api, Object, quoted

ISSUE = "sentry.issue"


@dataclass(frozen=True)
class Person:
    """By what a person is recognised: address (in lower case) or the application's own user id, exactly."""

    emails: frozenset[str]
    accounts: frozenset[str]

    @classmethod
    def of(cls, subject: Identities) -> Person:
        return cls(frozenset(e.strip().lower() for e in subject.of("email")), frozenset(subject.of("account_id")))

    @property
    def searches(self) -> list[tuple[str, Person]]:
        """A search for each identifier, and what a hit must carry: Sentry's searches are not to be trusted alone."""
        by_email = [(quoted("user.email", e), Person(frozenset({e}), frozenset())) for e in sorted(self.emails)]
        return by_email + [(quoted("user.id", a), Person(frozenset(), frozenset({a}))) for a in sorted(self.accounts)]

    def sent(self, event: Mapping[str, Any]) -> bool:
        """Is this event, or replay, the person's?"""
        user = event.get("user") or {}
        return str(user.get("email") or "").lower() in self.emails or str(user.get("id") or "") in self.accounts

    def is_value(self, value: Mapping[str, Any]) -> bool:
        """Does this value of the tag `user` (such as `id:42`, with address and name) stand for the person?"""
        kind, _, rest = str(value.get("value") or "").partition(":")
        named = (kind == "id" and rest in self.accounts) or (kind == "email" and rest.lower() in self.emails)
        return named or str(value.get("email") or "").lower() in self.emails


@dataclass(frozen=True)
class Holding:
    """What is held about one person.

    Args:
        own: issues with nobody else's events, by id.
        shared: issues that also hold events of others, or of nobody known, by id.
        mentions: issues of others whose title shows the address, by id.
        feedback: older feedback outside `own`.
        replays: project -> search -> how many.
        doubtful: the address stands for several user ids.
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


def holding(api: Api, subject: Identities) -> Holding:
    """Everything of the retention period. Issues that an earlier look knew are asked for by id, too."""
    person, projects = Person.of(subject), api.projects()
    held = Holding(doubtful=_doubtful(api, person, projects))
    for issue in _issues(api, person, projects, subject.of(ISSUE)):
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
    for query, one in person.searches:
        for replay in api.replays(query):
            id, slug = id_of(replay), slugs.get(str(replay.get("project_id")))
            if slug and id not in seen and one.sent(replay) and not replay.get("is_archived"):
                seen.add(id)
                yield slug, query


def own_events(api: Api, issue: str, person: Person, *, full: bool = False) -> Iterator[Object]:
    """The person's events of an issue, newest first for each search, none twice."""
    asked: list[Person] = []
    for query, one in person.searches:
        for event in api.events(issue, query, full=full):
            if one.sent(event) and not any(earlier.sent(event) for earlier in asked):
                yield event
        asked.append(one)


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
    for query, _ in person.searches:
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


def _doubtful(api: Api, person: Person, projects: Mapping[str, str]) -> bool:
    ids = {
        str(user["identifier"])
        for project in projects
        for email in sorted(person.emails)
        for user in api.users(project, email)
        if user.get("identifier") and str(user.get("email") or "").lower() == email
    }
    return len(ids) > 1 and not ids <= person.accounts


def _project(issue: Object) -> str:
    return str((issue.get("project") or {}).get("slug"))


def _number(value: object) -> int:
    """Sentry writes counts as text."""
    if not str(value).isdecimal():
        raise VendorAnswerUnexpected("sentry", "a count that is no number")
    return int(str(value))
