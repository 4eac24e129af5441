"""Everything that Sentry holds about a person in its retention period, as files of an export package."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dsr.model import DataFile, Origin
from integrations.sentry.api import Api
from integrations.sentry.lookup import Holding, Person, holding, id_of, own_events

SHOWN = ("id", "shortId", "title", "issueCategory", "firstSeen", "lastSeen", "metadata")


def files(api: Api, person: Person, known: tuple[str, ...]) -> Iterator[DataFile]:
    """The files; events are read when they are asked for, page by page.

    Of an issue that other people share only the person's own events are given, not its title, which may be another's.
    """
    held = holding(api, person, known)
    yield DataFile("issues.json", iter([{k: issue.get(k) for k in SHOWN} for issue in held.own.values()]))
    yield DataFile("events.json", _events(api, held, person))
    yield DataFile("feedback.json", _feedback(api, person), origin=Origin.PROVIDED)
    yield DataFile("replays.json", _replays(api, person))


def _events(api: Api, held: Holding, person: Person) -> Iterator[Mapping[str, object]]:
    for id in (*held.own, *held.shared):
        yield from own_events(api, id, person, full=True)


def _feedback(api: Api, person: Person) -> Iterator[Mapping[str, object]]:
    for project in api.projects():
        for entry in api.feedback(project):
            if str(entry.get("email") or "").strip().lower() in person.emails:
                yield {k: v for k, v in entry.items() if k != "issue"}


def _replays(api: Api, person: Person) -> Iterator[Mapping[str, object]]:
    """What is known about each replay; the recording itself is an animation of pages, shown only by Sentry."""
    projects, seen = set(api.projects().values()), set[str]()
    for query in person.searches:
        for replay in api.replays(query):
            if str(replay.get("project_id")) in projects and person.sent(replay) and id_of(replay) not in seen:
                seen.add(id_of(replay))
                yield replay
