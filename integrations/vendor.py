"""What a vendor's folder offers to the house: one `VENDOR` value, listed once in `registry.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from dsr.errors import ConfigurationError
from dsr.model import Operation, Support
from dsr.policy import Policy
from integrations.channel import Channel
from integrations.processor import Processor


class VendorSettings(BaseModel):
    """A vendor's variables: field `api_token` of prefix `ZENDESK` is `ZENDESK_API_TOKEN`.

    Fields without a default are required. With none of the required ones set, the vendor is off.
    Secrets are `SecretStr`, so that no repr, log line or traceback shows them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    prefix: ClassVar[str]
    # Variables of another prefix that a field is read from, e.g. a messaging API that shares the sub-domain.
    aliases: ClassVar[Mapping[str, str]] = {}

    @classmethod
    def variable(cls, field_name: str) -> str:
        return cls.aliases.get(field_name, f"{cls.prefix}_{field_name.upper()}")

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self | None:
        """The settings, or None when the vendor is off.

        Raises:
            ConfigurationError: some but not all required variables are set, or a value has the wrong shape.
        """
        given = {name: env[cls.variable(name)] for name in cls.model_fields if env.get(cls.variable(name))}
        required = [name for name, info in cls.model_fields.items() if info.is_required()]
        if not any(name in given for name in required):
            return None
        try:
            return cls(**given)
        except ValidationError as error:
            raise ConfigurationError(
                f"{cls.variable(str(e['loc'][0]))}: {'is missing' if e['type'] == 'missing' else e['msg']}"
                for e in error.errors(include_input=False, include_url=False)
            ) from None


@dataclass(frozen=True)
class Vendor:
    """A vendor's folder in one value.

    Args:
        name: the folder.
        label: the policy's name of the processor ("Intercom, Inc."); empty for a pure channel.
        settings: its variables.
        channels: webhook path -> how to make the channel.
        processor: how to make the processor from settings and policy; None if no part of its API helps.
        instructions: what a person does at this vendor, for each operation, when the API is off or cannot.
        supports: the processor's table, for the matrix.
        twin: dotted name of the twin's class, imported only by the demo and the tests.
    """

    name: str
    label: str
    settings: type[VendorSettings]
    channels: Mapping[str, Callable[[Any], Channel]] = field(default_factory=dict)
    processor: Callable[[Any, Policy], Processor] | None = None
    instructions: Mapping[Operation, str] = field(default_factory=dict)
    supports: Mapping[Operation, Support] = field(default_factory=dict)
    twin: str = ""
