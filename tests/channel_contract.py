"""What every channel keeps, as tests to inherit (see `contracts.py`)."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

import pytest

from dsr.errors import DeliveryRejected, PayloadNotUnderstood
from dsr.messages import Delivery, InboundMessage
from integrations import transport
from integrations.channel import Channel
from integrations.vendor import Vendor
from tests.twins import MARIA, delivery

JUNK = (b"", b"{", b"<html>", b"\xff\xfe\x00", b"[" * 200_000, b'{"a":' * 200_000, b'{"a": 1e999, "b": NaN', b"a=b&c=%")
STRANGE = (
    b"null",
    b"[]",
    b"42",
    b'"x"',
    b"true",
    b"{}",
    b'{"type": null, "data": []}',
    b"[null]",
    b'{"\\ud800": "\\ud800"}',
)


class ChannelContract:
    """What every channel keeps. Subclasses give the class attributes and `sign`."""

    vendor: ClassVar[Vendor]
    env: ClassVar[Mapping[str, str]]  # the vendor's variables
    path: ClassVar[str]  # of the webhook: the key in `vendor.channels`
    genuine: ClassVar[bytes]  # body of a customer's message
    own: ClassVar[tuple[bytes, ...]] = ()  # bodies about what we, an agent or a bot said: nothing may come of them
    signature_headers: ClassVar[tuple[str, ...]] = ()
    is_json: ClassVar[bool] = True  # False: the body is a form

    def sign(self, body: bytes) -> Mapping[str, str]:
        """The headers with which the vendor would send this body now."""
        raise NotImplementedError

    def sent(self, body: bytes) -> Delivery:
        """An authentic delivery. Override when the signature is not in a header."""
        return delivery(body, {"Content-Type": "application/json", **self.sign(body)}, path=f"/webhooks/{self.path}")

    def stale(self, body: bytes) -> Delivery | None:
        """An authentic delivery that is too old; None if the vendor signs no time."""
        return None

    def forgeries(self, genuine: Delivery) -> Iterator[tuple[str, Delivery]]:
        """Deliveries that must be rejected. Extend it when the signature is not in a header."""
        for name in self.signature_headers:
            value = genuine.headers[name]
            others = {k: v for k, v in genuine.headers.items() if k != name}
            yield f"{name} missing", dataclasses.replace(genuine, headers=others)
            swapped = value[:-1] + ("0" if value[-1] != "0" else "1")
            for bad in (
                "",
                " ",
                "x",
                "=",
                "sha1=",
                "sha256=",
                "v1=",
                "a" * 100_000,
                value[: len(value) // 2],
                "\u2603" + value,
                value[:-1] + "\xe9",
                value[:-1] + "\udcff",
                "\x00" + value[1:],
                ("9" * 5000) + value,
                swapped,
            ):
                yield f"{name} is {bad[:30]!a}", dataclasses.replace(genuine, headers={**others, name: bad})

    def tampered(self, genuine: Delivery) -> Iterator[Delivery]:
        body = genuine.body
        middle = len(body) // 2
        for changed in (body + b" ", body[:-1], b"", body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]):
            yield dataclasses.replace(genuine, body=changed)

    def other_env(self) -> Mapping[str, str]:
        """The variables of another workspace: other secrets."""
        secret = ("_SECRET", "_TOKEN", "_KEY", "_PASSWORD")
        return {name: "other" + value if name.endswith(secret) else value for name, value in self.env.items()}

    def make(self, env: Mapping[str, str] | None = None) -> Channel:
        settings = self.vendor.settings.from_env(env or self.env)
        assert settings is not None, "the required variables are missing in the test's env"
        return self.vendor.channels[self.path](settings)

    @pytest.fixture
    def channel(self, monkeypatch: pytest.MonkeyPatch) -> Channel:
        """A channel whose every call to the vendor fails the test: verify and parse run in the web process."""

        def nobody(*args: object, **more: object) -> None:
            raise AssertionError("verify and parse must not call the vendor")

        monkeypatch.setattr(transport.Transport, "call", nobody)
        return self.make()

    def test_a_channel_names_itself_as_its_webhook_path(self, channel: Channel) -> None:
        assert channel.name == self.path
        assert channel.vendor == self.vendor.name
        assert channel.label

    def test_a_genuine_delivery_is_accepted_and_understood(self, channel: Channel) -> None:
        genuine = self.sent(self.genuine)
        channel.verify(genuine)
        (message,) = (m for m in channel.parse(genuine) if isinstance(m, InboundMessage))
        assert message.event_id
        assert message.conversation.channel == channel.name
        assert message.conversation.id
        assert message.sent_at.tzinfo is not None
        assert message.sent_at < datetime.now(UTC)
        assert channel.parse(genuine) == channel.parse(genuine)
        assert 200 <= channel.respond(genuine).status < 300

    def test_every_forgery_is_rejected(self, channel: Channel) -> None:
        tried = list(self.forgeries(self.sent(self.genuine)))
        assert tried, "the contract needs forgeries: name the signature_headers or override forgeries()"
        for what, forged in tried:
            assert _rejected(channel, forged), f"accepted: {what}"

    def test_a_tampered_body_is_rejected(self, channel: Channel) -> None:
        for changed in self.tampered(self.sent(self.genuine)):
            assert _rejected(channel, changed)

    def test_another_workspaces_secret_is_rejected(self) -> None:
        assert _rejected(self.make(self.other_env()), self.sent(self.genuine))

    def test_a_stale_delivery_is_rejected(self, channel: Channel) -> None:
        old = self.stale(self.genuine)
        if old is not None:  # nothing to check where the vendor signs no time: de-duplication alone protects
            assert _rejected(channel, old)

    @pytest.mark.parametrize("body", JUNK, ids=lambda b: repr(b[:12]))
    def test_junk_is_not_understood(self, channel: Channel, body: bytes) -> None:
        if self.is_json:
            with pytest.raises(PayloadNotUnderstood):
                channel.parse(self.sent(body))
        else:
            self._parse_or_quarantine(channel, body)

    @pytest.mark.parametrize("body", STRANGE, ids=repr)
    def test_strange_json_is_ignored_or_not_understood(self, channel: Channel, body: bytes) -> None:
        assert not self._parse_or_quarantine(channel, body)

    def test_no_change_of_a_field_makes_parse_fail_otherwise(self, channel: Channel) -> None:
        if self.is_json:
            for body in _mutations(json.loads(self.genuine)):
                self._parse_or_quarantine(channel, body)

    def test_what_we_agents_and_bots_say_is_ignored(self, channel: Channel) -> None:
        for body in self.own:
            ours = self.sent(body)
            channel.verify(ours)
            assert list(channel.parse(ours)) == []

    def _parse_or_quarantine(self, channel: Channel, body: bytes) -> list[Any]:
        try:
            return list(channel.parse(self.sent(body)))
        except PayloadNotUnderstood as error:
            if MARIA in str(error):
                pytest.fail("an error text holds an address")
            return []


def _rejected(channel: Channel, forged: Delivery) -> bool:
    """Whether verify said DeliveryRejected; any other exception fails the test."""
    try:
        channel.verify(forged)
    except DeliveryRejected:
        return True
    return False


def _mutations(payload: Any) -> Iterator[bytes]:
    """The payload with each value in turn replaced by something else, or left out."""
    for path in _paths(payload):
        for value in (None, 42, -1, 10**30, 0.5, "x", "", [], {}, [None], {"a": 1}, True):
            changed = json.loads(json.dumps(payload))
            holder = changed
            for key in path[:-1]:
                holder = holder[key]
            holder[path[-1]] = value
            yield json.dumps(changed).encode()
        del holder[path[-1]]
        yield json.dumps(changed).encode()


def _paths(value: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, inner in items:
        yield (*here, key)
        yield from _paths(inner, (*here, key))
