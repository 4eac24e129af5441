"""Contract tests that every channel and every processor inherits; no vendor can skip them.

>>> class TestIntercomChannel(ChannelContract):  # doctest: +SKIP
...     vendor, env, path = VENDOR, ENV, "intercom"
...     genuine = (FIXTURES / "user_replied.json").read_bytes()
...     own = ((FIXTURES / "admin_replied.json").read_bytes(),)
...     signature_headers = ("x-hub-signature",)
...     def sign(self, body): return {"X-Hub-Signature": ...}

>>> class TestIntercomProcessor(ProcessorContract):  # doctest: +SKIP
...     vendor, env = VENDOR, ENV
...     def effect(self, operation, state): ...  # does the twin's state show what the operation does to Maria?
"""

from tests.channel_contract import ChannelContract
from tests.processor_contract import PATIENT, consume, impatient, twin_class
from tests.resubscription_contract import ProcessorContract

__all__ = ["PATIENT", "ChannelContract", "ProcessorContract", "consume", "impatient", "twin_class"]
