"""Intercom's variables."""

from __future__ import annotations

from typing import ClassVar

from pydantic import SecretStr

from integrations.vendor import VendorSettings


class IntercomSettings(VendorSettings):
    """How we reach one Intercom workspace.

    Args:
        access_token: of a private app in the Developer Hub.
        client_secret: of the same app; signs its webhooks.
        admin_id: the seat that answers and writes notes (a teammate made for the desk).
        api_url: the region's host: `https://api.intercom.io` (US), `https://api.eu.intercom.io`,
            `https://api.au.intercom.io`. The wrong region answers 401.
        identity_enforced: True only if Messenger security with JWT is enforced in the workspace: then a `user`
            with an `external_id` in a Messenger conversation was signed in by the company's own site.
    """

    prefix: ClassVar[str] = "INTERCOM"
    access_token: SecretStr
    client_secret: SecretStr
    admin_id: str
    api_url: str = "https://api.intercom.io"
    identity_enforced: bool = False
