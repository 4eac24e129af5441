"""One door to Azure's services: a token by client credentials, kept until shortly before its end.

https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dsr.errors import CredentialsRejected, VendorAnswerUnexpected
from integrations.microsoft.settings import MicrosoftSettings
from integrations.transport import Answer, Transport

Object = dict[str, Any]

LEEWAY = 120  # seconds before its end when a token is not used any more


class Service:
    """Calls to one of Azure's services with its own token.

    Args:
        name: short name, for the address of a stand-in.
        host: Microsoft's own.
        scope: for which the token is asked.
        headers: sent with every call.
    """

    def __init__(
        self, settings: MicrosoftSettings, name: str, host: str, scope: str, headers: Mapping[str, str] | None = None
    ) -> None:
        self._settings, self._scope = settings, scope
        self._http = Transport("microsoft", settings.url(name, host), headers=headers)
        self._login = Transport("microsoft", settings.url("login", "login.microsoftonline.com"))
        self._lock = threading.Lock()
        self._token, self._until = "", 0.0

    def call(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        accept: Sequence[int] = (),
        **more: Any,
    ) -> Answer:
        """One call; `more` as for `Transport.call`.

        Raises:
            VendorError: see `dsr.errors`.
        """
        token = self._bearer()
        try:
            return self._call(token, method, path, headers, accept, more)
        except CredentialsRejected as error:
            if error.status != 401:
                raise
        self._forget(token)  # it may have been revoked before its end: one new one, then it is for a person
        return self._call(self._bearer(), method, path, headers, accept, more)

    def _call(
        self,
        token: str,
        method: str,
        path: str,
        headers: Mapping[str, str] | None,
        accept: Sequence[int],
        more: Mapping[str, Any],
    ) -> Answer:
        sent = {"Authorization": f"Bearer {token}", **(headers or {})}
        return self._http.call(method, path, headers=sent, accept=accept, **more)

    def object(self, method: str, path: str, *, accept: Sequence[int] = (), **more: Any) -> Object:
        """One call whose answer is a JSON object.

        Raises:
            VendorAnswerUnexpected: it is not, or carries an error inside a 200.
        """
        found = self.call(method, path, accept=accept, **more).json()
        if not isinstance(found, dict) or "error" in found:
            raise VendorAnswerUnexpected("microsoft", "answered something else than the object asked for")
        return found

    def listing(self, path: str, params: Mapping[str, str]) -> Iterator[Object]:
        """All items of an Azure Resource Manager list (`value`, `nextLink`)."""
        more: Mapping[str, str] | None = params
        while path:
            page = self.object("GET", path, params=more)
            items = page.get("value")
            if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
                raise VendorAnswerUnexpected("microsoft", "a list without its value")
            yield from items
            path, more = str(page.get("nextLink") or ""), None

    def _bearer(self) -> str:
        with self._lock:
            if time.time() > self._until - LEEWAY:
                self._token, self._until = self._fetch()
            return self._token

    def _forget(self, token: str) -> None:
        with self._lock:
            if self._token == token:
                self._until = 0.0

    def _fetch(self) -> tuple[str, float]:
        form = {
            "grant_type": "client_credentials",
            "client_id": self._settings.client_id,
            "client_secret": self._settings.client_secret.get_secret_value(),
            "scope": self._scope,
        }
        path = f"{self._settings.tenant_id}/oauth2/v2.0/token"
        answer = self._login.call("POST", path, data=form, retry=True, accept=(400,))
        if answer.status == 400:  # invalid_client, unauthorized_client: a person must mend it
            raise CredentialsRejected("microsoft", "Entra gives no token (400)", 400)
        found = answer.json()
        token, seconds = (found.get("access_token"), found.get("expires_in")) if isinstance(found, dict) else (None, 0)
        if not isinstance(token, str) or not token or not isinstance(seconds, int):
            raise VendorAnswerUnexpected("microsoft", "answered something else than a token")
        return token, time.time() + seconds
