"""Microsoft's variables."""

from __future__ import annotations

import re
from typing import ClassVar

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from integrations.vendor import VendorSettings

_ARM = r"/subscriptions/[\w-]+/resourceGroups/[\w.()-]+/providers/"


class MicrosoftSettings(VendorSettings):
    """How we reach the company's Azure resources. One Entra application for all; each of the three parts may be unused.

    Args:
        tenant_id, client_id, client_secret: of the Entra application.
        storage_account: whose blobs hold personal data; empty: Blob Storage is not used.
        storage_prefixes: where one person's blobs lie, comma-separated, `container/prefix/` with `{account_id}` or
            `{email}` in the prefix. Blobs have no search by content: the company's naming convention decides.
        storage_tag: blob index tag that holds the account id; empty: not used.
        email_domain: Azure resource path of the Communication Services e-mail domain, from `/subscriptions/`.
        email_senders: sender user names of that domain, comma-separated; each has a suppression list of its own.
        log_workspace: Azure resource path of the Log Analytics workspace, from `/subscriptions/`.
        log_workspace_id: the same workspace's id (a GUID), for queries.
        log_columns: `Table.Column`, comma-separated: where account ids or addresses stand.
        api_url: `{host}` is replaced by Microsoft's host; without it the service's short name is added as a path.
    """

    prefix: ClassVar[str] = "MICROSOFT"
    tenant_id: str
    client_id: str
    client_secret: SecretStr
    storage_account: str = Field(default="", pattern=r"^([a-z0-9]{3,24})?$")
    storage_prefixes: str = ""
    storage_tag: str = Field(default="", pattern=r"^[\w.+/:=-]{0,128}$")
    email_domain: str = Field(
        default="", pattern=rf"^({_ARM}Microsoft\.Communication/emailServices/[\w-]+/domains/[\w.-]+)?$"
    )
    email_senders: str = Field(default="", validate_default=True)
    log_workspace: str = Field(default="", pattern=rf"^({_ARM}Microsoft\.OperationalInsights/workspaces/[\w-]+)?$")
    log_workspace_id: str = Field(default="", pattern=r"^[0-9A-Fa-f-]{0,36}$")
    log_columns: str = Field(default="", validate_default=True)
    api_url: str = "https://{host}"

    @field_validator("storage_prefixes")
    @classmethod
    def _end_with_a_slash(cls, value: str) -> str:
        for one in _listed(value):
            if not re.fullmatch(r"[a-z0-9$-]+/[^{}]*\{(account_id|email)\}[^{}]*/", one):
                raise ValueError("must be container/prefix/ with {account_id} or {email}, ending with a slash")
        return value

    @field_validator("email_senders")
    @classmethod
    def _come_with_the_domain(cls, value: str, info: ValidationInfo) -> str:
        if bool(info.data.get("email_domain")) != bool(_listed(value)):
            raise ValueError("and MICROSOFT_EMAIL_DOMAIN belong together")
        return value

    @field_validator("log_columns")
    @classmethod
    def _complete(cls, value: str, info: ValidationInfo) -> str:
        """Each part is whole, and there is one at least: nothing configured must never look like nothing held."""
        data = info.data
        if not all(re.fullmatch(r"\w+\.\w+", one, re.ASCII) for one in _listed(value)):
            raise ValueError("must be Table.Column, comma-separated")
        if len({bool(data.get("log_workspace")), bool(data.get("log_workspace_id")), bool(_listed(value))}) > 1:
            raise ValueError("MICROSOFT_LOG_WORKSPACE and MICROSOFT_LOG_WORKSPACE_ID belong together")
        located = bool(_listed(data.get("storage_prefixes", "")) or data.get("storage_tag"))
        if bool(data.get("storage_account")) != located:
            raise ValueError("MICROSOFT_STORAGE_ACCOUNT needs MICROSOFT_STORAGE_PREFIXES or MICROSOFT_STORAGE_TAG")
        if not (located or data.get("email_domain") or value):
            raise ValueError("storage, e-mail domain or log workspace: one of them must be named")
        return value

    @property
    def places(self) -> tuple[tuple[str, str], ...]:
        """(container, prefix with a placeholder)"""
        return tuple((one.partition("/")[0], one.partition("/")[2]) for one in _listed(self.storage_prefixes))

    @property
    def senders(self) -> tuple[str, ...]:
        return tuple(_listed(self.email_senders))

    @property
    def columns(self) -> tuple[tuple[str, str], ...]:
        return tuple((one.partition(".")[0], one.partition(".")[2]) for one in _listed(self.log_columns))

    def url(self, service: str, host: str) -> str:
        """The address of a service: `login`, `blob`, `management`, `logs`."""
        if "{host}" in self.api_url:
            return self.api_url.replace("{host}", host)
        return f"{self.api_url.rstrip('/')}/{service}"


def _listed(value: str) -> list[str]:
    return [one.strip() for one in value.split(",") if one.strip()]
