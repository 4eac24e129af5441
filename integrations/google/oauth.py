"""Access tokens: a service account's signed assertion (RFC 7523), or an OAuth user's refresh token (RFC 6749 6).

https://developers.google.com/identity/protocols/oauth2/service-account#httprest
"""

from __future__ import annotations

import base64
import json
import time
from typing import Any

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from dsr.errors import CredentialsRejected, VendorAnswerUnexpected, VendorRefused
from integrations.google.settings import GoogleSettings, ServiceAccount
from integrations.transport import Transport

SCOPES = "https://www.googleapis.com/auth/analytics.edit https://www.googleapis.com/auth/datamanager"
AUDIENCE = "https://oauth2.googleapis.com/token"  # whatever host the settings name: it is what Google checks
EARLY = 60.0  # seconds before its end that a token is no longer used


class Tokens:
    """One token at a time, for all threads; two threads that renew it at once do no harm."""

    def __init__(self, settings: GoogleSettings) -> None:
        self._http = Transport("google", settings.url("oauth2"))
        self._settings = settings
        self._account = settings.service_account
        self._token, self._until = "", 0.0

    def get(self) -> str:
        """A token that is good for another minute at least.

        Raises:
            VendorError: CredentialsRejected if the key or the refresh token is not accepted (`invalid_grant`).
        """
        token, until = self._token, self._until
        return token if time.time() < until - EARLY else self._renew()

    def forget(self) -> None:
        """The token was refused: the next call gets a new one."""
        self._until = 0.0

    def _renew(self) -> str:
        try:
            answer = self._http.call("POST", "token", data=self._grant(), retry=True).json()
        except VendorRefused as error:
            if error.status != 400:
                raise
            raise CredentialsRejected("google", "gave no token for our credential (400)", 400) from None
        token, seconds = (answer.get("access_token"), answer.get("expires_in")) if isinstance(answer, dict) else ("", 0)
        if not isinstance(token, str) or not token or not isinstance(seconds, int):
            raise VendorAnswerUnexpected("google", "answered to a token request without a token")
        self._until, self._token = time.time() + seconds, token
        return token

    def _grant(self) -> dict[str, str]:
        if self._account:
            assertion = signed_assertion(self._account, int(time.time()))
            return {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion}
        settings = self._settings
        return {
            "grant_type": "refresh_token",
            "client_id": settings.client_id,
            "client_secret": settings.client_secret.get_secret_value() if settings.client_secret else "",
            "refresh_token": settings.refresh_token.get_secret_value() if settings.refresh_token else "",
        }


def signed_assertion(account: ServiceAccount, now: int) -> str:
    """The JWT (RS256) that a token is given for; it lives an hour."""
    header = {"alg": "RS256", "typ": "JWT", **({"kid": account.key_id} if account.key_id else {})}
    claims = {"iss": account.email, "scope": SCOPES, "aud": AUDIENCE, "iat": now, "exp": now + 3600}
    signed = f"{_part(header)}.{_part(claims)}"
    return f"{signed}.{_encoded(account.key.sign(signed.encode(), PKCS1v15(), SHA256()))}"


def _part(value: dict[str, Any]) -> str:
    return _encoded(json.dumps(value, separators=(",", ":")).encode())


def _encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
