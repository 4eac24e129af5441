"""Dropbox's variables."""

from __future__ import annotations

from typing import ClassVar

from pydantic import SecretStr, field_validator

from integrations.dropbox.names import USUAL, patterns_of
from integrations.vendor import VendorSettings


class DropboxSettings(VendorSettings):
    """How we reach the company's Dropbox.

    Args:
        app_key: of the app in the App Console.
        app_secret: of the same app.
        refresh_token: from the code flow with `token_access_type=offline`; it does not expire.
        accounts_folder: has one folder for each customer.
        folder_names: which names of such folders say whose they are, comma-separated: `{email}`, `{account_id}`, and
            `*` for any words. A name that only contains an id among other words is never taken for the person's.
        restricted_folder: where restricted customers' folders are kept; only the data protection officer has access.
        search_folder: where files that name somebody are searched; empty: everywhere.
        team_member_id: `dbmid:…`, whose files a team app looks at.
        api_url: of the RPC routes and of the token.
        content_url: of downloads; by default the content host beside `api_url`.
    """

    prefix: ClassVar[str] = "DROPBOX"
    app_key: SecretStr
    app_secret: SecretStr
    refresh_token: SecretStr
    accounts_folder: str = "/Clients"
    folder_names: str = ",".join(USUAL)
    restricted_folder: str = "/Restricted"
    search_folder: str = ""
    team_member_id: str = ""
    api_url: str = "https://api.dropboxapi.com"
    content_url: str = ""

    @field_validator("accounts_folder", "restricted_folder")
    @classmethod
    def _a_folder(cls, value: str) -> str:
        if not value.startswith("/") or value.endswith("/"):
            raise ValueError("is not a path such as /Clients")
        return value

    @field_validator("folder_names")
    @classmethod
    def _patterns(cls, value: str) -> str:
        patterns_of(value)
        return value

    @property
    def content_base(self) -> str:
        return self.content_url or self.api_url.replace("//api.", "//content.")
