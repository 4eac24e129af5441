"""tawk.to's variable."""

from __future__ import annotations

from typing import ClassVar

from pydantic import SecretStr

from integrations.vendor import VendorSettings


class TawktoSettings(VendorSettings):
    """How one tawk.to property reaches us; we cannot reach it.

    Args:
        webhook_secret: of the webhook (Administration > Webhooks); signs its events.
    """

    prefix: ClassVar[str] = "TAWKTO"
    webhook_secret: SecretStr
