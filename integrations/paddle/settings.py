"""Paddle's variables."""

from __future__ import annotations

from typing import ClassVar

from pydantic import SecretStr

from integrations.vendor import VendorSettings


class PaddleSettings(VendorSettings):
    """How we reach one Paddle Billing account.

    Args:
        api_key: `pdl_live_apikey_…` or `pdl_sdbx_apikey_…`, with the permissions that README.md lists.
        webhook_secret: of the notification destination (`pdl_ntfset_…`); several, comma-separated, while one is being
            replaced. Without it every delivery is rejected.
        api_url: `https://api.paddle.com`, or `https://sandbox-api.paddle.com` for a sandbox key.
        account_field: key in a customer's `custom_data` under which the company's own account id stands.
        erased_domain: of the address that an erased customer gets (`pr-…@erased.invalid`). Nothing must be delivered
            there. Whether Paddle takes a reserved name (RFC 2606) is not documented; name a domain of your own without
            mailboxes if it refuses.
    """

    prefix: ClassVar[str] = "PADDLE"
    api_key: SecretStr
    webhook_secret: SecretStr | None = None
    api_url: str = "https://api.paddle.com"
    account_field: str = "account_id"
    erased_domain: str = "erased.invalid"

    @property
    def secrets(self) -> tuple[bytes, ...]:
        """The destination's secrets; empty if none is configured."""
        given = self.webhook_secret.get_secret_value() if self.webhook_secret else ""
        return tuple(s.strip().encode() for s in given.split(",") if s.strip())
