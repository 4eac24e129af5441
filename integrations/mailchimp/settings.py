"""MailChimp's variables."""

from __future__ import annotations

import re
from typing import ClassVar

from pydantic import SecretStr, field_validator

from integrations.vendor import VendorSettings


class MailchimpSettings(VendorSettings):
    """How we reach one MailChimp account (Marketing API 3.0).

    Args:
        api_key: of a user of the account; its suffix (`…-us19`) names the data centre. Keys have no scopes.
        webhook_secret: one or more secrets, comma-separated: the signing secrets that MailChimp shows when a webhook
            is made (one per audience), or, for older webhooks that are not signed, a long secret of our own that
            stands in their address (`…/webhooks/mailchimp?secret=…`). Without it every delivery is rejected.
        api_url: host of the API, without `/3.0`; default: the data centre's.
    """

    prefix: ClassVar[str] = "MAILCHIMP"
    api_key: SecretStr
    webhook_secret: SecretStr | None = None
    api_url: str = ""

    @field_validator("api_key")
    @classmethod
    def _names_its_data_centre(cls, value: SecretStr) -> SecretStr:
        if not re.search(r"-[a-z]{2,4}[0-9]{1,3}$", value.get_secret_value()):
            raise ValueError("must end in the data centre, such as -us19")
        return value

    @property
    def base_url(self) -> str:
        centre = self.api_key.get_secret_value().rpartition("-")[2]
        return f"{self.api_url.rstrip('/') or f'https://{centre}.api.mailchimp.com'}/3.0"

    @property
    def secrets(self) -> tuple[bytes, ...]:
        """The webhooks' secrets; empty if none is configured."""
        given = self.webhook_secret.get_secret_value() if self.webhook_secret else ""
        return tuple(s.strip().encode() for s in given.split(",") if s.strip())
