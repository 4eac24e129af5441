"""Atlassian's variables."""

from __future__ import annotations

from typing import ClassVar

from pydantic import SecretStr, field_validator

from integrations.vendor import VendorSettings


class AtlassianSettings(VendorSettings):
    """How we reach one Atlassian Cloud site, Jira and Confluence alike.

    Args:
        site: the sub-domain: `acme` of `https://acme.atlassian.net`.
        email: of the account that the API token belongs to; a site administrator made for the desk, who sees every
            project and space.
        api_token: of that account, without scopes (scoped tokens use other addresses); it expires within a year.
        api_url: default `https://{site}.atlassian.net`.
        org_id: of the organisation; with `org_api_key` managed accounts are deleted, too.
        org_api_key: of the organisation (admin.atlassian.com), for the directory and for account life cycles.
        admin_api_url: where the organisation's API is.
        guard: True only if the site has Atlassian Guard Premium: then text in issues is redacted, history included.
        confluence: False if the site has Jira alone.
    """

    prefix: ClassVar[str] = "ATLASSIAN"
    site: str
    email: str
    api_token: SecretStr
    api_url: str = ""
    org_id: str = ""
    org_api_key: SecretStr | None = None
    admin_api_url: str = "https://api.atlassian.com"
    guard: bool = False
    confluence: bool = True

    @field_validator("site")
    @classmethod
    def _a_sub_domain(cls, value: str) -> str:
        if not value.replace("-", "").isalnum() or not value.isascii():
            raise ValueError("is not the sub-domain of an atlassian.net site")
        return value

    @property
    def base_url(self) -> str:
        return self.api_url or f"https://{self.site}.atlassian.net"
