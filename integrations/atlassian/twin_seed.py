"""What Atlassian would hold about the seeded people."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from integrations.atlassian.twin_confluence import new_content
from integrations.atlassian.twin_jira import add, new_issue
from integrations.atlassian.twin_shapes import ME, doc, moment
from integrations.twin import Person

if TYPE_CHECKING:
    from integrations.atlassian.twin import AtlassianTwin

RICHLY = "maria.pop@example.com"  # a user of the site: requests, a page, comments, and mentions by colleagues
REQUESTS = (
    ("Bounce rate looks wrong", "The report of May shows 40 % bounces for my list."),
    ("Export as CSV", "I would like to download the verified list as CSV."),
    ("API key stopped working", "Since Monday the API answers 401."),
    ("Invoice address", "Please change the address on my invoices."),
    ("Webhook time-outs", "Our webhook is called three times for one result."),
)


def seed(twin: AtlassianTwin, people: Iterable[Person]) -> None:
    """A portal customer with one request each; `RICHLY` a full user with much more."""
    twin.new_user("desk@intellimails.com", "Privacy Desk", "atlassian", ME)
    agent = str(twin.new_user("andrei@intellimails.com", "Andrei Stan", "atlassian")["accountId"])
    for person in people:
        if person.email == RICHLY:
            _richly(twin, person, agent)
            continue
        id = str(twin.new_user(person.email, person.name)["accountId"])
        _request(twin, id, agent, "Question about credits", f"How long are they valid? Write to {person.email}.", 30)


def _request(twin: AtlassianTwin, reporter: str, agent: str, summary: str, text: str, days_ago: int) -> None:
    issue = new_issue(twin, "SUP", reporter, summary, text, moment(days_ago))
    add(twin, issue, "comments", agent, body=doc("Thank you, we look into it."))
    add(twin, issue, "comments", reporter, body=doc("Thanks!"))


def _richly(twin: AtlassianTwin, person: Person, agent: str) -> None:
    id = str(twin.new_user(person.email, person.name, "atlassian")["accountId"])
    for n, (summary, text) in enumerate(REQUESTS):
        _request(twin, id, agent, summary, text, 40 - n)
    text = f"{person.email} reports that the importer stops. Ask {person.email} for the file."
    issue = new_issue(twin, "OPS", agent, "Importer stops at 90 %", text, moment(12))
    for body in ("Seen in the logs.", f"Written to {person.email}.", "Fixed in 4.2."):
        add(twin, issue, "comments", agent, body=doc(body))
    add(twin, issue, "comments", id, body=doc("Works again, thank you."))
    add(twin, issue, "worklogs", id, comment=doc("Tested"), timeSpent="1h", timeSpentSeconds=3600)
    file = {"filename": "list.csv", "mimeType": "text/csv", "size": 19, "_content": "a@example.com\nb@ex\n"}
    add(twin, issue, "attachments", id, **file)
    issue["watchers"].append(id)
    twin.records["issues"][issue["id"]] = issue
    mine = new_content(twin, "pages", id, "How we clean our lists", "<p>Draft</p>", "<p>Upload, then wait.</p>")
    new_content(twin, "attachments", id, "screenshot.png", page=mine["id"])
    new_content(twin, "pages", id, "Old notes", "<p>Nothing much</p>", status="trashed")
    old = f"<p>Pilot customers: {person.email}</p>"
    link = f'<ac:link><ri:user ri:account-id="{id}" /></ac:link>'
    now = f"<p>Pilot customers: {person.email}, contact {link}</p>"
    theirs = new_content(twin, "pages", agent, "Pilot customers", "<p>None yet</p>", old, now)
    new_content(twin, "footer-comments", id, "Re: Pilot customers", "<p>Glad to be here</p>", page=theirs["id"])
    by_agent = f"<p>Invited {person.email}</p>"
    new_content(twin, "inline-comments", agent, "Re: Pilot customers", by_agent, page=theirs["id"])
