"""Google's variables."""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass
from typing import ClassVar

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import Field, SecretStr, ValidationInfo, field_validator

from integrations.vendor import VendorSettings


@dataclass(frozen=True)
class ServiceAccount:
    """What a service account's key file says, as far as tokens need it."""

    email: str
    key_id: str
    key: RSAPrivateKey


class GoogleSettings(VendorSettings):
    """How we reach the company's Analytics properties and its Ads account.

    Args:
        analytics_property_ids: numeric ids of the GA4 properties, comma-separated (not `G-…`, not `UA-…`).
        ads_customer_id: the ten digits of the Ads account that owns the customer lists.
        ads_login_customer_id: the manager account through which the credential reaches it; empty if directly.
        user_id_is_account_id: True only if the site sets the company's own account id as Analytics User-ID. An id of
            another numbering would be somebody else's, so it is never guessed.
        client_id, client_secret, refresh_token: of an OAuth user, instead of the service account.
        service_account_key: the whole JSON of a service account's key file, as it is or in base64.
        api_url: `{service}` is `analyticsadmin`, `datamanager` or `oauth2`; without it the service is a path.
    """

    prefix: ClassVar[str] = "GOOGLE"
    analytics_property_ids: str
    ads_customer_id: str
    ads_login_customer_id: str = ""
    user_id_is_account_id: bool = False
    client_id: str = ""
    client_secret: SecretStr | None = None
    refresh_token: SecretStr | None = None
    service_account_key: SecretStr | None = Field(default=None, validate_default=True)
    api_url: str = "https://{service}.googleapis.com"

    @field_validator("analytics_property_ids")
    @classmethod
    def _are_numbers(cls, value: str) -> str:
        if not re.fullmatch(r"\s*[0-9]+\s*(,\s*[0-9]+\s*)*", value, re.ASCII):
            raise ValueError("must be numeric property ids, separated by commas")
        return value

    @field_validator("ads_customer_id", "ads_login_customer_id")
    @classmethod
    def _is_ten_digits(cls, value: str) -> str:
        digits = value.replace("-", "").strip()
        if not re.fullmatch(r"[0-9]{10}", digits, re.ASCII):
            raise ValueError("must be the ten digits of an Ads account")
        return digits

    @field_validator("service_account_key")
    @classmethod
    def _is_a_credential(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if value is not None:
            _service_account(value)
        elif not all(info.data.get(name) for name in ("client_id", "client_secret", "refresh_token")):
            raise ValueError("is missing, or else GOOGLE_CLIENT_ID, GOOGLE_CLIENT_SECRET and GOOGLE_REFRESH_TOKEN")
        return value

    @property
    def properties(self) -> tuple[str, ...]:
        return tuple(id.strip() for id in self.analytics_property_ids.split(","))

    @property
    def service_account(self) -> ServiceAccount | None:
        return _service_account(self.service_account_key) if self.service_account_key else None

    def url(self, service: str) -> str:
        if "{service}" in self.api_url:
            return self.api_url.replace("{service}", service)
        return f"{self.api_url.rstrip('/')}/{service}"


def _service_account(value: SecretStr) -> ServiceAccount:
    text = value.get_secret_value().strip()
    try:
        if not text.startswith("{"):
            text = base64.b64decode(text, validate=True).decode()
        file = json.loads(text)
        key = load_pem_private_key(file["private_key"].encode(), password=None)
        email, key_id = file["client_email"], file.get("private_key_id", "")
    except (ValueError, binascii.Error, KeyError, TypeError, AttributeError):
        raise ValueError("must be the JSON of a service account's key file") from None
    if not isinstance(key, RSAPrivateKey) or not isinstance(email, str) or not isinstance(key_id, str):
        raise ValueError("must be the JSON of a service account's key file, with an RSA key")
    return ServiceAccount(email, key_id, key)
