"""The processors' contract at Zendesk Support."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dsr.model import Operation
from tests.zendesk import ZendeskContract, effect_in_support


class TestZendeskProcessor(ZendeskContract):
    def effect(self, operation: Operation, state: Mapping[str, Any]) -> bool:
        return effect_in_support(operation, state)
