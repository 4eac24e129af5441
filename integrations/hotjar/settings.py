"""Hotjar's variables."""

from __future__ import annotations

import re
from typing import ClassVar

from pydantic import SecretStr, ValidationInfo, field_validator

from integrations.vendor import VendorSettings


class HotjarSettings(VendorSettings):
    """How we reach Hotjar's API, which is part of the plans Observe Scale and Ask Scale only.

    Args:
        client_id, client_secret: a key pair made by an admin under Settings > API; it expires after a year.
        organization_ids: every organisation to search, comma-separated; others are not searched.
        site_ids: `organisation/site`, comma-separated: the sites that send your account id by `hj('identify', …)`.
        surveys: True if the plan includes the export of survey answers (Ask Scale).
        api_url: one host for everybody.
    """

    prefix: ClassVar[str] = "HOTJAR"
    client_id: str
    client_secret: SecretStr
    organization_ids: str
    site_ids: str = ""
    surveys: bool = False
    api_url: str = "https://api.hotjar.io"

    @field_validator("organization_ids")
    @classmethod
    def _numbers(cls, value: str) -> str:
        if not re.fullmatch(r"\s*[0-9]+\s*(,\s*[0-9]+\s*)*", value, re.ASCII):
            raise ValueError("must be organisation ids, comma-separated")
        return value

    @field_validator("site_ids")
    @classmethod
    def _of_known_organisations(cls, value: str, info: ValidationInfo) -> str:
        known = _split(info.data.get("organization_ids", ""))
        for pair in _split(value):
            found = re.fullmatch(r"([0-9]+)/[0-9]+", pair, re.ASCII)
            if not found or found[1] not in known:
                raise ValueError("must be organisation/site, with an organisation of HOTJAR_ORGANIZATION_IDS")
        return value

    @property
    def sites(self) -> dict[str, list[str]]:
        """Organisation -> its sites."""
        found: dict[str, list[str]] = {organization: [] for organization in _split(self.organization_ids)}
        for pair in _split(self.site_ids):
            organization, _, site = pair.partition("/")
            found[organization].append(site)
        return found


def _split(value: str) -> list[str]:
    return list(dict.fromkeys(part.strip() for part in value.split(",") if part.strip()))
