"""Google Analytics Admin v1alpha and Data Manager v1, as far as the processor uses them.

https://developers.google.com/analytics/devguides/config/admin/v1/rest/v1alpha/properties/submitUserDeletion
https://developers.google.com/data-manager/api/reference/rest/v1/audienceMembers/remove
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from dsr.errors import CredentialsRejected, VendorAnswerUnexpected, VendorRateLimited
from integrations.google.oauth import Tokens
from integrations.google.settings import GoogleSettings
from integrations.transport import Answer, RateLimit, Transport

# Quotas a minute; all threads of this process share them. 500 user deletions a day and property are Google's to count.
ANALYTICS_RATE = RateLimit(600, 60)
ADS_RATE = RateLimit(300, 60)
PER_PAGE = 1000

Object = dict[str, Any]


class Api:
    """Calls that check the shape of their answers.

    Every method raises a `VendorError`: those of `transport`; VendorAnswerUnexpected for an answer of another shape;
    VendorRateLimited with the seconds until midnight in California when a quota of the day is used up (that it begins
    anew then is general knowledge: were it another hour, the next try is told so again).
    """

    def __init__(self, settings: GoogleSettings) -> None:
        self._tokens = Tokens(settings)
        self._analytics = Transport("google", settings.url("analyticsadmin"), rate=ANALYTICS_RATE)
        self._ads = Transport("google", settings.url("datamanager"), rate=ADS_RATE)
        self._account, self._login = settings.ads_customer_id, settings.ads_login_customer_id

    def collects_addresses(self, property: str) -> bool:
        """Whether the property takes user-provided data: only then can it know an e-mail address."""
        name = f"properties/{property}/userProvidedDataSettings"
        found = self._call(self._analytics, "GET", f"v1alpha/{name}")
        if found.get("name") != name:
            raise VendorAnswerUnexpected("google", "answered for another property than the one asked for")
        return found.get("userProvidedDataCollectionEnabled") is True

    def delete_user(self, property: str, field: str, value: str) -> None:
        """Everything about this identifier before now is to be deleted. An unknown one is answered in the same way."""
        path = f"v1alpha/properties/{property}:submitUserDeletion"
        if not _text(self._call(self._analytics, "POST", path, json={field: value}), "deletionRequestTime"):
            raise VendorAnswerUnexpected("google", "did not say from when on a user is deleted")

    def customer_lists(self) -> Iterator[Object]:
        """Every user list with uploaded contact data; page by page."""
        token = ""
        while True:
            page = self.list_page(PER_PAGE, token)
            for found in page.get("userLists") or ():
                info = found.get("ingestedUserListInfo") if isinstance(found, dict) else None
                keys = info.get("uploadKeyTypes") if isinstance(info, dict) else None
                if not _text(found, "id"):
                    raise VendorAnswerUnexpected("google", "listed a user list without an id")
                if "CONTACT_ID" in (keys or ()):
                    yield found
            token = _text(page, "nextPageToken")
            if not token:
                return

    def list_page(self, size: int, token: str = "") -> Object:
        params = {"pageSize": str(size), **({"pageToken": token} if token else {})}
        login = {"login-account": f"accountTypes/GOOGLE_ADS/accounts/{self._login}"} if self._login else {}
        path = f"v1/accountTypes/GOOGLE_ADS/accounts/{self._account}/userLists"
        return self._call(self._ads, "GET", path, params=params, headers=login)

    def remove(self, lists: Sequence[str], hashes: Sequence[str]) -> str:
        """Take a person off user lists; the id of the job. Repeating it does no harm."""
        accounts = {"operatingAccount": _ads_account(self._account)}
        if self._login:
            accounts["loginAccount"] = _ads_account(self._login)
        identifiers = [{"emailAddress": value} for value in hashes]
        body = {
            "destinations": [{**accounts, "productDestinationId": id} for id in lists],
            "audienceMembers": [{"userData": {"userIdentifiers": identifiers}}],
            "encoding": "HEX",
            "validateOnly": False,
        }
        id = _text(self._call(self._ads, "POST", "v1/audienceMembers:remove", json=body), "requestId")
        if not id or any(c.isspace() for c in id):
            raise VendorAnswerUnexpected("google", "took a removal without giving it an id")
        return id

    def job(self, id: str) -> list[Object]:
        """How a removal stands, for each list."""
        found = self._call(self._ads, "GET", "v1/requestStatus:retrieve", params={"requestId": id})
        each = found.get("requestStatusPerDestination")
        if not isinstance(each, list) or not each or not all(_text(one, "requestStatus") for one in each):
            raise VendorAnswerUnexpected("google", "did not say how a removal stands")
        return each

    def _call(
        self, http: Transport, method: str, path: str, *, json: Any = None, params: Any = None, headers: Any = None
    ) -> Object:
        """One call. Every POST here may be repeated: a deletion only moves its cut-off time, a removal is a set."""
        for last in (False, True):
            bearer = {"Authorization": f"Bearer {self._tokens.get()}", **(headers or {})}
            try:
                answer = http.call(method, path, json=json, params=params, headers=bearer, retry=True, accept=(429,))
                break
            except CredentialsRejected as error:
                self._tokens.forget()  # a token can be withdrawn before its end: one try with a new one
                if last or error.status != 401:
                    raise
        if answer.status == 429:
            raise _slow_down(answer)
        found = answer.json()
        if not isinstance(found, dict) or "error" in found:
            raise VendorAnswerUnexpected("google", f"answered {answer.status} with something else than asked for")
        return found


def _slow_down(answer: Answer) -> VendorRateLimited:
    """`details[].metadata.quota_limit` names the quota, such as `…PerDayPerProperty`."""
    asked = answer.headers.get("Retry-After", "")
    if asked.isdigit():
        return VendorRateLimited("google", "asks us to slow down (429)", float(asked))
    if b"perday" in answer.content.lower():
        return VendorRateLimited("google", "the quota of the day is used up (429)", until_midnight(datetime.now(UTC)))
    return VendorRateLimited("google", "asks us to slow down (429)")


def until_midnight(now: datetime) -> float:
    """Seconds until the next day begins in California."""
    local = now.astimezone(ZoneInfo("America/Los_Angeles"))
    midnight = (local + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return (midnight.astimezone(UTC) - now).total_seconds()


def _ads_account(id: str) -> Object:
    return {"accountType": "GOOGLE_ADS", "accountId": id}


def _text(value: Any, key: str) -> str:
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, str) else ""
