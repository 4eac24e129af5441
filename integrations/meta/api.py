"""Meta's Graph API (Marketing API v26.0), as far as the processor uses it.

https://developers.facebook.com/docs/marketing-api/audiences/guides/custom-audiences
https://developers.facebook.com/docs/marketing-api/guides/lead-ads/retrieving
https://developers.facebook.com/docs/graph-api/guides/error-handling
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterator
from typing import Any

from pydantic import SecretStr

from dsr.errors import (
    CredentialsRejected,
    NotFound,
    VendorAnswerUnexpected,
    VendorError,
    VendorRateLimited,
    VendorRefused,
    VendorUnavailable,
)
from integrations.meta.settings import MetaSettings
from integrations.transport import Answer, Transport

Object = dict[str, Any]

# Codes of `error.code`; the HTTP status says little.
TRANSIENT = frozenset({1, 2})
TOO_MANY = frozenset({4, 17, 32, 341, 613, *range(80000, 80015)})
NOT_ALLOWED = frozenset({3, 10, 102, 190, *range(200, 300)})
NO_OBJECT = frozenset({(100, 33), (803, 0)})  # "does not exist, cannot be loaded, or permission is missing"
FLAGGED = 471  # `operation_status.code` of an audience whose members cannot be edited

PER_PAGE = 100
LEAD_FIELDS = "id,created_time,field_data,form_id,ad_id,campaign_id,platform"


class Api:
    """Calls that check the shape of their answers; every method raises a `VendorError`."""

    def __init__(self, settings: MetaSettings) -> None:
        self._accounts, self._page = settings.ad_accounts, settings.page_id
        self._ads = _Door(settings, settings.access_token)
        self._leads = _Door(settings, settings.page_token or settings.access_token)

    def audiences(self) -> Iterator[tuple[str, Object]]:
        """Ad account and audience, for every audience made from a customer file."""
        for account in self._accounts:
            for found in self._ads.listing(f"{account}/customaudiences", "id,subtype,operation_status"):
                if found.get("subtype") == "CUSTOM":
                    yield account, found

    def remove_everywhere(self, account: str, hash: str) -> None:
        """Take a hashed address out of all audiences of an ad account.

        Which of two answers this call gives is not documented (`success`, or the counts of a removal from one
        audience); any other, and an entry that Meta calls invalid, is an error.
        """
        payload = json.dumps({"schema": ["EMAIL"], "data": [[hash]]})
        done = self._ads.call("DELETE", f"{account}/usersofanyaudience", data={"payload": payload})
        received = isinstance(done.get("num_received"), int) and done["num_received"] >= 1
        if done.get("num_invalid_entries") or not (done.get("success") is True or received):
            raise VendorAnswerUnexpected("meta", "did not confirm a removal from the audiences")

    def leads(self) -> Iterator[Object]:
        """Every lead of every form of the page (Meta keeps them for 90 days); there is no search by address."""
        if self._page:
            for form in self._leads.listing(f"{self._page}/leadgen_forms", "id"):
                yield from self._leads.listing(f"{_path_id(form['id'])}/leads", LEAD_FIELDS)

    def lead(self, id: str) -> Object | None:
        """One lead; None if Meta does not show it, which may also mean that a permission is missing."""
        try:
            return self._leads.call("GET", _path_id(id), params={"fields": LEAD_FIELDS})
        except NotFound:
            return None

    def delete_lead(self, id: str) -> None:
        """Delete for good; twice is once.

        Meta answers alike for "is gone" and "you may not": a lead that can still be read was not deleted.
        """
        try:
            done = self._leads.call("DELETE", _path_id(id))
        except NotFound:
            if self.lead(id) is not None:
                raise VendorAnswerUnexpected("meta", "does not find on DELETE what it finds on GET") from None
            return
        if done.get("success") is not True:
            raise VendorAnswerUnexpected("meta", "did not confirm that a lead is deleted")

    def check(self) -> None:
        for account in self._accounts:
            self._ads.page(f"{account}/customaudiences", {"fields": "id", "limit": "1"})
        if self._page:
            self._leads.page(f"{self._page}/leadgen_forms", {"fields": "id", "limit": "1"})


class _Door:
    """Calls with one token. The token goes in a header, so that it is in no log of addresses."""

    def __init__(self, settings: MetaSettings, token: SecretStr) -> None:
        value = token.get_secret_value()
        secret = settings.app_secret.get_secret_value().encode()
        self._proof = hmac.new(secret, value.encode(), hashlib.sha256).hexdigest()
        self._http = Transport("meta", settings.api_url, headers={"Authorization": f"Bearer {value}"})

    def call(self, method: str, path: str, *, params: Any = None, data: Any = None) -> Object:
        signed = {**(params or {}), "appsecret_proof": self._proof}
        answer = self._http.call(method, path, params=signed, data=data, accept=range(400, 500))
        if error := trouble(answer):
            raise error
        found = answer.json()
        if not isinstance(found, dict):
            raise VendorAnswerUnexpected("meta", "answered with something else than an object")
        return found

    def page(self, path: str, params: dict[str, str]) -> Object:
        found = self.call("GET", path, params=params)
        items = found.get("data")
        if not isinstance(items, list) or not all(isinstance(i, dict) and isinstance(i.get("id"), str) for i in items):
            raise VendorAnswerUnexpected("meta", "a list without data, or with an item without an id")
        return found

    def listing(self, path: str, fields: str) -> Iterator[Object]:
        """All items of an edge, page by page, by cursor (the `next` address would carry the token)."""
        params = {"fields": fields, "limit": str(PER_PAGE)}
        while True:
            page = self.page(path, params)
            yield from page["data"]
            paging = page.get("paging")
            if not isinstance(paging, dict) or not paging.get("next"):
                return
            after = (paging.get("cursors") or {}).get("after")
            if not isinstance(after, str) or not after or after == params.get("after"):
                raise VendorAnswerUnexpected("meta", "a next page without its cursor")
            params["after"] = after


def trouble(answer: Answer) -> VendorError | None:
    """What an answer's `error` means, also inside a 200; by the HTTP status where it has none."""
    try:
        body = answer.json()
    except VendorAnswerUnexpected:
        if answer.status < 400:
            raise
        body = None
    error = body.get("error") if isinstance(body, dict) else None
    if error is None and answer.status < 400:
        return None
    code, subcode = (_number(error, "code"), _number(error, "error_subcode"))
    if code in TOO_MANY or answer.status == 429:
        return VendorRateLimited("meta", f"asks us to slow down (code {code})", _pause(answer))
    if code in TRANSIENT or (isinstance(error, dict) and error.get("is_transient") is True):
        return VendorUnavailable("meta", f"has a fault of its own (code {code})")
    if code in NOT_ALLOWED or (not code and answer.status in (401, 403)):
        return CredentialsRejected("meta", f"our token does not allow this (code {code})", answer.status, str(code))
    if (code, subcode) in NO_OBJECT or (not code and answer.status == 404):
        return NotFound("meta", f"no such thing, or not for us (code {code})", answer.status, str(code))
    return VendorRefused("meta", f"refused the call (code {code}, {subcode})", answer.status, str(code))


def _pause(answer: Answer) -> float | None:
    """Seconds to wait: Meta tells minutes in X-Business-Use-Case-Usage; Retry-After where there is one."""
    asked = answer.headers.get("Retry-After", "")
    if asked.isdigit():
        return float(asked)
    try:
        usage = json.loads(answer.headers.get("X-Business-Use-Case-Usage", "{}"))
        minutes = [float(use["estimated_time_to_regain_access"]) for uses in usage.values() for use in uses]
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return max(minutes, default=0.0) * 60 or None


def _number(error: Any, key: str) -> int:
    found = error.get(key) if isinstance(error, dict) else None
    return found if isinstance(found, int) else 0


def _path_id(id: str) -> str:
    """An id must not lead to another path."""
    if not re.fullmatch(r"[0-9]{1,40}", id, re.ASCII):
        raise VendorAnswerUnexpected("meta", "an id of a shape that Meta does not give")
    return id
