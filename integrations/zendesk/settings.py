"""Zendesk's variables: Support (tickets) and messaging (Sunshine Conversations) are two APIs with keys of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from integrations.vendor import VendorSettings

SUBDOMAIN = r"^([A-Za-z0-9][A-Za-z0-9-]*)?$"


@dataclass(frozen=True)
class SuncoAccess:
    """How to reach Sunshine Conversations.

    Args:
        url: without `/v2`; `https://{subdomain}.zendesk.com/sc`.
    """

    url: str
    app_id: str
    key_id: str
    key_secret: SecretStr


@dataclass(frozen=True)
class SupportAccess:
    """How to reach Support.

    Args:
        url: without `/api/v2`.
        email: the agent in whose name the API token acts.
        calls_per_minute: of the whole account; less than what its plan allows, so that agents are not slowed down.
    """

    url: str
    email: str
    api_token: SecretStr
    calls_per_minute: int = 400


class ZendeskSettings(VendorSettings):
    """Support: tickets and users. The messaging fields let the processor reach the second store of the same people.

    Args:
        webhook_secret: the webhook's signing secret, as raw text (never decoded).
        api_url: default `https://{subdomain}.zendesk.com`; `/api/v2` is appended.
        calls_per_minute: plans allow 200 (Team), 400 (Growth, Professional), 700 (Enterprise), 2500 (Enterprise Plus).
    """

    prefix: ClassVar[str] = "ZENDESK"
    email: str
    api_token: SecretStr
    webhook_secret: SecretStr
    subdomain: str = Field("", pattern=SUBDOMAIN)
    api_url: str = Field("", validate_default=True)
    calls_per_minute: int = Field(400, ge=10, le=10_000)
    messaging_app_id: str = ""
    messaging_key_id: str = ""
    messaging_key_secret: SecretStr = SecretStr("")
    messaging_api_url: str = Field("", validate_default=True)

    _url = field_validator("api_url")(lambda value, info: _of_subdomain(value, info, ""))
    _messaging_url = field_validator("messaging_api_url")(lambda value, info: _of_subdomain(value, info, "/sc"))

    @property
    def support(self) -> SupportAccess:
        return SupportAccess(self.api_url, self.email, self.api_token, self.calls_per_minute)

    @property
    def sunco(self) -> SuncoAccess | None:
        """None when messaging is not connected."""
        if not (self.messaging_app_id and self.messaging_key_id and self.messaging_key_secret.get_secret_value()):
            return None
        return SuncoAccess(
            self.messaging_api_url, self.messaging_app_id, self.messaging_key_id, self.messaging_key_secret
        )


class MessagingSettings(VendorSettings):
    """Messaging as a channel.

    Args:
        webhook_secret: `webhook.secret` of the integration; comes in `X-API-Key`.
        api_url: default `https://{subdomain}.zendesk.com/sc`; `/v2/apps/…` is appended.
        integration: name of our switchboard integration; set, the desk answers only while it has the conversation.
        support_email, support_api_token, support_api_url: of Support, for notes (messaging has none of its own).
    """

    prefix: ClassVar[str] = "ZENDESK_MESSAGING"
    aliases: ClassVar[Mapping[str, str]] = {
        "subdomain": "ZENDESK_SUBDOMAIN",
        "support_email": "ZENDESK_EMAIL",
        "support_api_token": "ZENDESK_API_TOKEN",
        "support_api_url": "ZENDESK_API_URL",
    }
    app_id: str
    key_id: str
    key_secret: SecretStr
    webhook_secret: SecretStr
    subdomain: str = Field("", pattern=SUBDOMAIN)
    api_url: str = Field("", validate_default=True)
    integration: str = ""
    support_email: str = ""
    support_api_token: SecretStr = SecretStr("")
    support_api_url: str = ""

    _url = field_validator("api_url")(lambda value, info: _of_subdomain(value, info, "/sc"))

    @property
    def sunco(self) -> SuncoAccess:
        return SuncoAccess(self.api_url, self.app_id, self.key_id, self.key_secret)

    @property
    def support(self) -> SupportAccess | None:
        """None when Support is not connected."""
        url = self.support_api_url or (f"https://{self.subdomain}.zendesk.com" if self.subdomain else "")
        if not (url and self.support_email and self.support_api_token.get_secret_value()):
            return None
        return SupportAccess(url, self.support_email, self.support_api_token)


def _of_subdomain(value: str, info: ValidationInfo, path: str) -> str:
    subdomain = info.data.get("subdomain", "")
    if not value and not subdomain:
        raise ValueError("set this or ZENDESK_SUBDOMAIN")
    return value or f"https://{subdomain}.zendesk.com{path}"
