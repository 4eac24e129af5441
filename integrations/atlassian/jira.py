"""What in Jira is about a person, issue by issue."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from uuid import NAMESPACE_URL, uuid5

from integrations.atlassian.api import JIRA, Api, Object, Piece, path_id
from integrations.atlassian.marks import ERASED, Marks, text_nodes

PEOPLE_FIELDS = ("reporter", "creator", "assignee", "watcher", "worklogAuthor")
OURS = "-30d"  # what the desk itself changed of late is looked at again: an erasure may have been interrupted
# Fields whose records are handled one by one, or which nobody can write.
NOT_FIELDS = frozenset({"comment", "worklog", "attachment", "reporter", "creator", "watches", "votes", "project"})


@dataclass(frozen=True)
class Issue:
    """One issue with what stands below it.

    Args:
        shared: this person's request with the words of other customers in it: an agent decides.
        whole: the person's own request.
        changes: the new values of the fields that name the person.
        in_history: the change history names the person; no API but Guard's redaction alters it.
    """

    id: str
    key: str
    record: Object
    whole: bool
    shared: bool
    comments: list[Object]
    attachments: list[Object]
    worklogs: list[Object]
    watching: list[str]
    changes: Object
    in_history: bool

    @property
    def path(self) -> str:
        return f"{JIRA}/issue/{self.id}"


def jql(marks: Marks, present: Iterable[str], me: str) -> str:
    """A query that finds every issue in which the person may be; what it finds is looked at exactly.

    Only accounts that the site still has may be named: others are refused. `text` covers summary, description,
    environment, comments and text fields, not the contents of attachments. That `updatedBy` covers comments is what
    Atlassian's reference of functions says; no specification lists it.
    """
    clauses = [f'text ~ "\\"{_phrase(email)}\\""' for email in sorted(marks.emails)]
    for id in sorted(present):
        clauses += [f'{field} = "{path_id(id)}"' for field in PEOPLE_FIELDS]
        clauses.append(f'issue in updatedBy("{id}")')
    return " OR ".join([*clauses, f'issue in updatedBy("{path_id(me)}", "{OURS}")'])


def issues(api: Api, marks: Marks, present: Iterable[str], me: str, known: Iterable[str]) -> Iterator[Issue]:
    """Every issue that is about the person. Hits are asked for by id, for a search still shows what was deleted."""
    for id in dict.fromkeys((*known, *api.search(jql(marks, present, me)))):
        record = api.get(f"{JIRA}/issue/{path_id(id)}", {"fields": "*all", "updateHistory": "false"})
        if record is not None:
            issue = _issue(api, record, marks)
            if issue.whole or issue.in_history or any(pieces(issue, marks)):
                yield issue


def pieces(issue: Issue, marks: Marks) -> Iterator[Piece]:
    """What is to be done about an issue. The fields come last: until then the search still finds the issue."""
    if issue.shared:
        yield Piece("shared_issues", issue.path)
        return
    if issue.whole:
        yield Piece("issues", issue.path, {"deleteSubtasks": "true"})
        return
    for kind, records, text in (("comments", issue.comments, "body"), ("worklogs", issue.worklogs, "comment")):
        quiet = {"notifyUsers": "false"}
        for record in records:
            path = f"{issue.path}/{kind[:-1]}/{path_id(str(record['id']))}"
            if marks.account(record.get("author")):
                keep_time = {**quiet, "adjustEstimate": "leave"} if kind == "worklogs" else {}
                yield Piece(kind, path, keep_time)
            elif marks.within(record.get(text)):
                yield Piece("mentions", path, quiet, {text: marks.without(record[text])})
    for file in issue.attachments:
        if marks.account(file.get("author")) or marks.within(file.get("filename")):
            yield Piece("attachments", f"{JIRA}/attachment/{path_id(str(file['id']))}")
    for id in issue.watching:
        yield Piece("watched_issues", f"{issue.path}/watchers", {"accountId": id})
    for name, value in issue.changes.items():
        history = issue.key if _texts(issue.record["fields"][name], marks) else ""
        change = {"fields": {name: value}}
        yield Piece("issue_fields", issue.path, {"notifyUsers": "false"}, change, history=history)


def redactions(issue: Issue, piece: Piece, marks: Marks, reason: str) -> list[Object]:
    """A field's change as redactions, which Guard Premium carries through to the history.

    Empty if the field names the person elsewhere than in its text (a link's address, a user): then it is overwritten.
    The hash is Base64 over the hexadecimal digest, as in the specification's example; where that is wrong the job
    reports failure, and an agent takes over.
    """
    if piece.kind != "issue_fields" or not piece.change:
        return []
    (name,) = piece.change["fields"]
    value = issue.record["fields"][name]
    nodes = [("", value)] if isinstance(value, str) else list(text_nodes(value))
    spots = [(pointer, text, *span) for pointer, text in nodes for span in marks.spots(text)]
    if len(spots) != _texts(value, marks):
        return []
    found: list[Object] = []
    for pointer, text, start, end in spots:
        digest = sha256(text[start:end].encode()).hexdigest()
        where: Object = {"from": start, "to": end, "expectedText": b64encode(digest.encode()).decode()}
        found.append(
            {
                "externalId": str(uuid5(NAMESPACE_URL, f"{reason}{issue.id}{name}{pointer}{start}")),
                "reason": reason,
                "contentItem": {"id": issue.id, "entityType": "issuefieldvalue", "entityId": name},
                "redactionPosition": {**where, "adfPointer": pointer} if pointer else where,
            }
        )
    return found


def _issue(api: Api, record: Object, marks: Marks) -> Issue:
    id, fields = path_id(str(record["id"])), record.get("fields") or {}
    path = f"{JIRA}/issue/{id}"
    whole = marks.account(fields.get("reporter"))
    comments = list(api.listing(f"{path}/comment", "comments"))
    others = (c.get("author") or {} for c in comments if not marks.account(c.get("author")))
    watchers = (api.get(f"{path}/watchers") or {}).get("watchers") or [] if marks.accounts and not whole else []
    return Issue(
        id,
        str(record.get("key") or id),
        record,
        whole,
        whole and any(author.get("accountType") == "customer" for author in others),
        comments,
        list(fields.get("attachment") or []),
        list(api.listing(f"{path}/worklog", "worklogs")),
        [str(w["accountId"]) for w in watchers if marks.account(w)],
        {} if whole else _changes(fields, marks),
        not whole and any(_names(change, marks) for change in api.listing(f"{path}/changelog", "values")),
    )


def _changes(fields: Object, marks: Marks) -> Object:
    """A field that is nothing but the address is emptied; a summary must not be empty."""
    new = {name: marks.without(value) for name, value in fields.items() if name not in NOT_FIELDS}
    return {
        name: None if value == ERASED and name != "summary" else value
        for name, value in new.items()
        if value != fields[name]
    }


def _names(change: Object, marks: Marks) -> bool:
    """Account ids in a history are Atlassian's pseudonyms; the address is what must not stay."""
    texts = (item.get(end) for item in change.get("items") or [] for end in ("fromString", "toString"))
    return any(isinstance(text, str) and marks.within(text) for text in texts)


def _texts(value: object, marks: Marks) -> int:
    """How often a value names the person in words, links included."""
    if isinstance(value, str):
        return len(list(marks.spots(value)))
    if isinstance(value, list):
        return sum(_texts(item, marks) for item in value)
    if isinstance(value, dict):
        user = value.get("type") == "mention" and (value.get("attrs") or {}).get("id") in marks.accounts
        return int(user) + sum(_texts(item, marks) for item in value.values())
    return 0


def _phrase(email: str) -> str:
    """Without what would end the quotation; the search looks at words alone, and hits are compared exactly."""
    return email.replace("\\", "").replace('"', "")
