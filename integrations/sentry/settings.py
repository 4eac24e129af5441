"""Sentry's variables."""

from __future__ import annotations

import re
from typing import ClassVar

from pydantic import Field, SecretStr, field_validator

from integrations.vendor import VendorSettings

_SLUG = r"[a-z0-9_][a-z0-9_-]{0,99}"


class SentrySettings(VendorSettings):
    """How we reach one Sentry organisation.

    Args:
        auth_token: of an internal integration; organisation tokens (`sntrys_…`) lack the scopes.
        org: slug of the organisation.
        projects: slugs of the projects that hold customers' data, comma-separated; empty: all that the token sees.
        user_id_is_account_id: True only if the application gives `Sentry.setUser` the company's own account id. An id
            of another numbering would be somebody else's, so it is never guessed.
        client_secret: of the same integration; signs its webhooks. Without it every delivery is rejected.
        retention_days: how long the plan keeps events (30 or 90 days).
        api_url: the region's host, `https://us.sentry.io` or `https://de.sentry.io`, or one's own. The wrong region
            answers 404 or redirects.
    """

    prefix: ClassVar[str] = "SENTRY"
    auth_token: SecretStr
    org: str
    projects: str = ""
    user_id_is_account_id: bool = False
    client_secret: SecretStr | None = None
    retention_days: int = Field(default=90, ge=1, le=90)
    api_url: str = "https://sentry.io"

    @field_validator("org")
    @classmethod
    def _slug(cls, value: str) -> str:
        if not re.fullmatch(_SLUG, value, re.ASCII):
            raise ValueError("must be the slug of an organisation")
        return value

    @field_validator("projects")
    @classmethod
    def _slugs(cls, value: str) -> str:
        if not all(re.fullmatch(_SLUG, slug, re.ASCII) for slug in _split(value)):
            raise ValueError("must be slugs of projects, comma-separated")
        return value

    @property
    def project_slugs(self) -> tuple[str, ...]:
        return _split(self.projects)


def _split(value: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in value.split(",") if part.strip()))
