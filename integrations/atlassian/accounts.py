"""Which Atlassian accounts belong to a person."""

from __future__ import annotations

from dataclasses import dataclass

from dsr.errors import VendorAnswerUnexpected
from dsr.model import Identities
from integrations.atlassian.api import JIRA, Api, Object, path_id

ACCOUNT = "atlassian.account"
GONE = frozenset({"closed", "deleted", "pending_deletion", "inactive"})  # in the organisation's directory


@dataclass(frozen=True)
class Accounts:
    """The accounts of one person.

    Args:
        users: on the site, by account id.
        managed: ids of those that the organisation manages and that are not being deleted.
        known: every account id that stands for the person, also those that are gone.
        doubtful: somebody else may be meant.
    """

    users: dict[str, Object]
    managed: frozenset[str]
    known: frozenset[str]
    doubtful: bool

    @property
    def portal_only(self) -> list[str]:
        """Customers of Jira Service Management: no API deletes them."""
        return [id for id, user in self.users.items() if user.get("accountType") == "customer"]


def accounts(api: Api, subject: Identities) -> Accounts:
    """By exact address among the users of the site and the managed accounts, and by known ids.

    People may hide their address even from administrators: a hit of the search without one may be anybody whose name
    or address begins with the words, so an agent decides, unless we knew the id.
    """
    emails = {e.strip().lower() for e in subject.of("email")}
    known = set(subject.of(ACCOUNT))
    users: dict[str, Object] = {}
    managed: set[str] = set()
    doubtful = False
    for one in api.managed():
        if str(one.get("email") or "").lower() in emails:
            known.add(str(one["account_id"]))
            if str(one.get("account_status") or "active") not in GONE:
                managed.add(str(one["account_id"]))
    for email in sorted(emails):
        for user in api.users(email):
            id, address = str(user["accountId"]), str(user.get("emailAddress") or "").lower()
            if address in emails:
                users[id] = user
            elif not address and id not in known and user.get("accountType") != "app":
                doubtful = True
    for id in sorted(known - users.keys()):
        found = api.get(f"{JIRA}/user", {"accountId": path_id(id)})
        if found is None or (found.get("active") is False and not found.get("emailAddress")):
            continue  # removed; some removed accounts stay readable as a nameless former user
        if str(found.get("emailAddress") or "").lower() in emails | {""}:
            users[id] = found
        else:
            doubtful = True  # an account of ours that now carries somebody's other address
    return Accounts(users, frozenset(managed), frozenset(known | users.keys()), doubtful)


def staff(api: Api, found: Accounts) -> bool:
    """Whether one of the accounts may use a Jira product by licence, as employees do; customers need none.

    https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-users/#api-rest-api-3-user-get

    Raises:
        VendorAnswerUnexpected: Jira does not say.
    """
    for id, user in found.users.items():
        if user.get("accountType") == "atlassian":
            asked = api.get(f"{JIRA}/user", {"accountId": path_id(id), "expand": "applicationRoles"}) or {}
            roles = asked.get("applicationRoles")
            if not isinstance(roles, dict) or not isinstance(roles.get("size"), int):
                raise VendorAnswerUnexpected("atlassian", "does not say which products a user may use")
            if roles["size"]:
                return True
    return False
