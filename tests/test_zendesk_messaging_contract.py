"""The processors' contract once more, with the effects looked at, and the faults made, in Zendesk messaging."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dsr.model import Operation
from integrations.twin import Twin
from tests.twins import Served
from tests.zendesk import ZendeskContract, effect_in_messaging


class TestZendeskProcessorInMessaging(ZendeskContract):
    def twin(self, served: Served) -> Twin:
        return served.twins["zendesk-messaging"]

    def effect(self, operation: Operation, state: Mapping[str, Any]) -> bool:
        return effect_in_messaging(operation, state)
