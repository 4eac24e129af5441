"""The twin's token endpoint: checks an assertion's signature, or the OAuth user's three secrets."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import secrets
import time
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from flask import request

from integrations.twin import Kind

SECONDS = 3599
ASSERTION = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ALL = "https://www.googleapis.com/auth/analytics.edit https://www.googleapis.com/auth/datamanager"
_Denied = (ValueError, KeyError, TypeError, AttributeError, binascii.Error, InvalidSignature)


def token(env: Mapping[str, str], tokens: Kind) -> tuple[Any, int]:
    """`POST /token` as https://oauth2.googleapis.com answers it."""
    form = request.form
    try:
        granted = _asserted(env, form["assertion"]) if form["grant_type"] == ASSERTION else _refreshed(env, form)
    except _Denied:
        return {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}, 400
    made = f"ya29.{secrets.token_urlsafe(24)}"
    tokens[made] = {"scope": granted, "until": time.time() + SECONDS}
    return {"access_token": made, "expires_in": SECONDS, "scope": granted, "token_type": "Bearer"}, 200


def _asserted(env: Mapping[str, str], assertion: str) -> str:
    file = json.loads(env["GOOGLE_SERVICE_ACCOUNT_KEY"])
    key = load_pem_private_key(file["private_key"].encode(), password=None)
    if not isinstance(key, RSAPrivateKey):
        raise ValueError
    signed, _, signature = assertion.rpartition(".")
    key.public_key().verify(_decoded(signature), signed.encode(), PKCS1v15(), SHA256())
    header, claims = (json.loads(_decoded(part)) for part in signed.split("."))
    fresh = claims["iat"] - 60 <= time.time() < claims["exp"] <= claims["iat"] + 3600
    audience = "https://oauth2.googleapis.com/token"
    if header["alg"] != "RS256" or claims["iss"] != file["client_email"] or claims["aud"] != audience or not fresh:
        raise ValueError
    return str(claims["scope"])


def _refreshed(env: Mapping[str, str], form: Mapping[str, str]) -> str:
    for name in ("client_id", "client_secret", "refresh_token"):
        wanted = env[f"GOOGLE_{name.upper()}"]
        if not hmac.compare_digest(form[name].encode(), wanted.encode()):
            raise ValueError
    return ALL


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
