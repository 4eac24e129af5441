"""Smartsupp's variables."""

from __future__ import annotations

from typing import ClassVar

from pydantic import SecretStr

from integrations.vendor import VendorSettings


class SmartsuppSettings(VendorSettings):
    """How we reach one Smartsupp account. Its support hands these out; there is no page for them.

    Args:
        api_token: Bearer token of the REST API.
        app_id: of the app that Smartsupp made for our webhook; events of another app are not ours.
        app_secret: of the same app; signs its events.
        bot_id: under which our answers appear, any name.
        bot_name: what the visitor reads beside our answers.
    """

    prefix: ClassVar[str] = "SMARTSUPP"
    api_token: SecretStr
    app_id: str
    app_secret: SecretStr
    bot_id: str = "privacy-bot"
    bot_name: str = "Privacy assistant"
    api_url: str = "https://api.smartsupp.com/v2"
