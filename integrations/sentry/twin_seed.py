"""What Sentry would hold about the seeded people."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from integrations.sentry.twin_shapes import Object, iso
from integrations.twin import Person

if TYPE_CHECKING:
    from integrations.sentry.twin import SentryTwin

RICHLY = "maria.pop@example.com"  # issues, events and replays on more than one page
CRASHES = (
    "TypeError: list of recipients is undefined",
    "RangeError: invalid column",
    "NetworkError: upload aborted",
    "TypeError: campaign has no template",
)


def seed(twin: SentryTwin, people: Iterable[Person]) -> None:
    """An issue and a replay of each alone; the first two besides `RICHLY` also share an issue."""
    wanted = twin.world.env.get("SENTRY_PROJECTS", "").replace(" ", "")
    projects = [slug for slug in wanted.split(",") if slug] or ["web", "api"]
    for n, slug in enumerate((*projects, "internal-tools")):
        twin.records["projects"][slug] = {"id": str(4000 + n), "slug": slug, "name": slug}
    shared: Object | None = None
    for n, person in enumerate(p for p in people if p.email != RICHLY):
        user = user_of(person)
        twin.new_event(twin.new_issue(projects[0], f"Error: import {n} failed")["id"], user)
        new_replay(twin, projects[0], user)
        if n < 2:
            shared = shared or twin.new_issue(projects[-1], "TimeoutError: statistics")
            twin.new_event(shared["id"], user, days_ago=10 + n)
    for person in (p for p in people if p.email == RICHLY):
        _richly(twin, user_of(person), projects)


def _richly(twin: SentryTwin, user: Object, projects: list[str]) -> None:
    for n, title in enumerate(CRASHES):
        issue = twin.new_issue(projects[n % len(projects)], title)
        for k in range(4 if n == 0 else 1):
            event = twin.new_event(issue["id"], user, days_ago=n * 9 + k)
        if n == 0:
            twin.records["feedback"]["1"] = {
                "id": "1",
                "project": projects[0],
                "issue_id": issue["id"],
                "eventID": event["id"],
                "name": "Maria Pop",
                "email": user["email"],
                "comments": "It stopped while I uploaded my list.",
            }
    told = twin.new_issue(
        projects[0], "User Feedback", category="feedback", contact=user["email"], message="The page stays white"
    )
    twin.new_event(told["id"], user, days_ago=3)
    for n in range(4):
        new_replay(twin, projects[n % len(projects)], user)


def user_of(person: Person) -> Object:
    return {"id": person.account_id or None, "email": person.email, "username": None, "ip_address": "192.0.2.7"}


def new_replay(twin: SentryTwin, project: str, user: Object) -> None:
    number = twin.new_id("replay")
    id = f"{int(number):032x}"
    twin.records["replays"][id] = {
        "id": id,
        "project_id": twin.records["projects"][project]["id"],
        "user": user,
        "started_at": iso(time.time() - 86400),
        "duration": 120,
        "urls": ["https://app.intellimails.com/upload"],
        "is_archived": False,
    }
