"""The desk's own settings. Vendors describe theirs in their folders; `app.py` alone reads the environment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, SecretStr, ValidationError, field_validator

from dsr.errors import ConfigurationError

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(value: object) -> object:
    """`24h`, `5s`, `90` -> seconds."""
    if isinstance(value, str) and (m := re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smhd]?)\s*", value)):
        return float(m[1]) * _UNITS[m[2]]
    return value


Seconds = Annotated[float, BeforeValidator(seconds)]


class Settings(BaseModel):
    """Variables of `.env.example`, in lower case.

    Args:
        database_url: SQLAlchemy URL; SQLite and PostgreSQL (`postgresql+psycopg://…`) are supported.
        ledger_url: file or database of erased persons (keyed hashes), outside the database's back-ups.
        secret_key: signs links and cookies.
        data_keys: Fernet keys that wrap the per-person keys, comma-separated, newest first.
        hash_key: key of the look-up hashes; never rotated.
        audit_key: key of the audit chain.
        package_folder: where export packages lie, encrypted, until they expire.
        base_url: the only source of links in mails.
        cooling_off: seconds between proof and the start of an erasure.
        proof_period: seconds that a person's key outlives their last request; None: the years of the rule
            `ro-proof-period`.
        vendor_day: seconds that a "day" of a vendor's delay takes; 86,400 except in the demo.
        api_tokens: bearer tokens of the HTTP API, comma-separated; without one the API is off.
        retry_base: seconds before the second try of a processor that failed; doubles up to an hour.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    secret_key: SecretStr
    data_keys: SecretStr
    hash_key: SecretStr
    audit_key: SecretStr
    base_url: str
    database_url: str = "sqlite:///instance/privacy-desk.sqlite"
    ledger_url: str = "sqlite:///instance/ledger.sqlite"
    package_folder: str = "instance/packages"
    policy_file: str = "policy.toml"
    proof_file: str = "dsr/proof.toml"
    cooling_off: Seconds = 86400.0
    package_expiry: Seconds = 7 * 86400.0
    identity_expiry: Seconds = 30 * 86400.0
    proof_period: Seconds | None = None
    vendor_day: Seconds = 86400.0
    retry_base: Seconds = 30.0
    processor_tries: int = 8
    worker_concurrency: int = 8
    mail_from: str = ""
    smtp_url: SecretStr | None = None

    api_tokens: SecretStr | None = None
    log_level: str = "INFO"

    @field_validator("secret_key", "hash_key", "audit_key")
    @classmethod
    def _long_enough(cls, value: SecretStr) -> SecretStr:
        if len(value.get_secret_value()) < 32:
            raise ValueError("is too short; 32 characters or more (flask keys prints good ones)")
        return value

    @field_validator("api_tokens")
    @classmethod
    def _tokens(cls, value: SecretStr | None) -> SecretStr | None:
        if value and any(len(token.strip()) < 32 for token in value.get_secret_value().split(",")):
            raise ValueError("holds a token that is too short; 32 characters or more each (flask keys prints one)")
        return value

    @field_validator("base_url")
    @classmethod
    def _absolute(cls, value: str) -> str:
        if not re.match(r"https?://[^/]+", value):
            raise ValueError("must be an absolute URL such as https://privacy.example.com")
        return value.rstrip("/")

    @field_validator("data_keys")
    @classmethod
    def _fernet(cls, value: SecretStr) -> SecretStr:
        if not all(re.fullmatch(r"[A-Za-z0-9_-]{43}=", key.strip()) for key in value.get_secret_value().split(",")):
            raise ValueError("must be Fernet keys, comma-separated (flask keys prints one)")
        return value

    @property
    def sqlite(self) -> bool:
        return self.database_url.startswith("sqlite")

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Settings:
        """The settings from a mapping of environment variables.

        Raises:
            ConfigurationError: with every missing or wrong variable at once.
        """
        given = {name: env[name.upper()] for name in cls.model_fields if env.get(name.upper())}
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            raise ConfigurationError(
                f"{str(e['loc'][0]).upper()}: {'is missing' if e['type'] == 'missing' else e['msg']}"
                for e in error.errors(include_input=False, include_url=False)
            ) from None
