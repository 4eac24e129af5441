"""Mailgun's variables."""

from __future__ import annotations

from typing import ClassVar

from pydantic import SecretStr, field_validator

from dsr.addresses import normalise
from integrations.vendor import VendorSettings


class MailgunSettings(VendorSettings):
    """How we reach one Mailgun account.

    Args:
        api_key: account key; a domain sending key may send but neither suppress nor erase.
        domain: the desk's own sending domain: codes and certificates leave from here, so it is never suppressed.
        marketing_domains: sending domains of promotional mail, comma-separated; unsubscribing stops these.
        webhook_signing_key: "HTTP webhook signing key" of the account, not the API key. Without it every webhook
            is rejected.
        spam_filter: the inbound spam filter is on, so that the DKIM result in a mail's headers is Mailgun's own word;
            without it every sender is a claim.
        api_url: the region's host: `https://api.mailgun.net` (US) or `https://api.eu.mailgun.net`. Data is in one
            region; the wrong one answers 401 or 404.
    """

    prefix: ClassVar[str] = "MAILGUN"
    api_key: SecretStr
    domain: str
    marketing_domains: str = ""
    webhook_signing_key: SecretStr | None = None
    spam_filter: bool = False
    api_url: str = "https://api.mailgun.net"

    @field_validator("domain", "marketing_domains")
    @classmethod
    def _domains(cls, value: str) -> str:
        names = [name.strip().lower() for name in value.split(",") if name.strip()]
        if any(normalise(f"a@{name}") != f"a@{name}" for name in names):
            raise ValueError("is not a domain such as mg.example.com")
        return ",".join(names)

    @property
    def marketing(self) -> tuple[str, ...]:
        """The domains whose mail a person can stop; never the desk's own."""
        return tuple(dict.fromkeys(d for d in self.marketing_domains.split(",") if d and d != self.domain))

    @property
    def domains(self) -> tuple[str, ...]:
        """Every domain that may hold something about a person."""
        return (self.domain, *self.marketing)
