"""The own database's variable."""

from __future__ import annotations

from typing import ClassVar

from pydantic import SecretStr

from integrations.vendor import VendorSettings


class OwnDatabaseSettings(VendorSettings):
    """Args:
    url: SQLAlchemy URL of the company's database (it may hold a password).
    """

    prefix: ClassVar[str] = "OWN_DATABASE"
    url: SecretStr
