"""Twins for tests: served on a free loopback port, with the settings that point a connector at them.

    with serving(IntercomTwin) as world:
        settings = world.settings(IntercomSettings, INTERCOM_ACCESS_TOKEN="t", …)
        world.twin(IntercomTwin).faults.append("503")
        world.state("intercom")["contacts"]

`receiving()` is the other side: a small application that keeps every webhook that a twin sends to it.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

import requests
from flask import Flask, request

from dsr.messages import Delivery
from integrations.twin import Person, Twin, World, host, serve
from integrations.vendor import VendorSettings

MARIA = "maria.pop@example.com"
STRANGER = "nobody.here@example.net"  # held nowhere

T = TypeVar("T", bound=Twin)
S = TypeVar("S", bound=VendorSettings)


def people(*vendors: str) -> tuple[Person, ...]:
    """Maria, held by every vendor named, and others who must never be touched when she is."""
    at = frozenset(vendors)
    return (
        Person(MARIA, "Maria Pop", "acc-maria", at, "ro", "Pop SRL"),
        Person("ion.ionescu@example.com", "Ion Ionescu", "acc-ion", at, "ro"),
        Person("maria.popa@example.com", "Maria Popa", "acc-popa", at),  # differs by one letter
        Person("not.maria.pop@example.com", "Not Maria", "acc-not", at),  # contains Maria's address
        Person("lena.berg@example.com", "Lena Berg", "acc-lena", at, "de"),
    )


@dataclass
class Served:
    """Twins that are being served."""

    base_url: str
    twins: Mapping[str, Twin]
    env: dict[str, str]

    def url(self, vendor: str) -> str:
        return f"{self.base_url}/{vendor}"

    def twin(self, kind: type[T]) -> T:
        found = self.twins[kind.name]
        assert isinstance(found, kind)
        return found

    def settings(self, kind: type[S], **env: str) -> S:
        """The vendor's settings from the environment given to `serving` and here; `api_url` points at the twin."""
        urls = {}
        if "api_url" in kind.model_fields:
            name = next((n for n in self.twins if n.replace("-", "_") == kind.prefix.lower()), next(iter(self.twins)))
            urls = {kind.variable("api_url"): self.url(name)}
        made = kind.from_env({**urls, **self.env, **env})
        assert made is not None, f"the required variables of {kind.prefix} are missing in the test"
        return made

    def state(self, vendor: str) -> dict[str, Any]:
        return self._control("GET", vendor, "state")

    def say(self, vendor: str, **said: Any) -> requests.Response:
        return requests.post(f"{self.url(vendor)}/_twin/say", json=said, timeout=10)

    def fault(self, vendor: str, fault: str, times: int = 1) -> None:
        self._control("POST", vendor, "fault", {"fault": fault, "times": times})

    def calls(self, vendor: str) -> list[str]:
        """`METHOD /path` of every API call so far."""
        return [f"{c['method']} {c['path'].removeprefix('/' + vendor)}" for c in self.state(vendor)["requests"]]

    def _control(self, method: str, vendor: str, path: str, json: Any = None) -> dict[str, Any]:
        answer = requests.request(method, f"{self.url(vendor)}/_twin/{path}", json=json, timeout=10)
        answer.raise_for_status()
        got = answer.json()
        assert isinstance(got, dict)
        return got


@contextmanager
def serving(
    *kinds: type[Twin],
    env: Mapping[str, str] | None = None,
    persons: tuple[Person, ...] | None = None,
    app_url: str = "",
    day: float = 0.02,
) -> Iterator[Served]:
    """Serve the twins, in memory, seeded.

    Args:
        env: the variables of the app (the twins sign with its secrets).
        persons: whom to seed; default `people(…)`.
        app_url: where webhooks go; see `receiving`.
        day: seconds that a vendor's day takes.
    """
    seeded = people(*(k.name for k in kinds)) if persons is None else persons
    world = World(env=dict(env or {}), app_url=app_url, day=day, people=seeded)
    twins = {kind.name: kind(world) for kind in kinds}
    port, stop = _serve_somewhere(host(twins.values()))
    world.base_url = f"http://127.0.0.1:{port}"
    try:
        yield Served(world.base_url, twins, dict(env or {}))
    finally:
        stop()


@dataclass
class Inbox:
    """What arrived at the stand-in of our application."""

    url: str = ""
    status: int = 200  # what it answers
    accept: Callable[[Delivery], None] | None = None  # e.g. a channel's `verify`; an error is answered with 401
    deliveries: list[Delivery] = field(default_factory=list)


@contextmanager
def receiving() -> Iterator[Inbox]:
    """A web server that keeps what is sent to it, as the Delivery that the real one would make."""
    inbox, app = Inbox(), Flask("inbox")

    @app.route("/", defaults={"path": ""}, methods=["GET", "POST", "HEAD"])
    @app.route("/<path:path>", methods=["GET", "POST", "HEAD"])
    def keep(path: str) -> tuple[str, int]:
        delivery = Delivery(
            method=request.method,
            path="/" + path,
            headers={name.lower(): value for name, value in request.headers.items()},
            query=request.args.to_dict(),
            body=request.get_data(cache=True),
            form=request.form.to_dict(),
            received_at=datetime.now(UTC),
        )
        if inbox.accept:
            try:
                inbox.accept(delivery)
            except Exception:  # whatever it was, the sender sees a refusal
                return "refused", 401
        inbox.deliveries.append(delivery)
        return "", inbox.status

    port, stop = _serve_somewhere(app)
    inbox.url = f"http://127.0.0.1:{port}"
    try:
        yield inbox
    finally:
        stop()


def delivery(
    body: bytes, headers: Mapping[str, str] | None = None, *, path: str = "/", method: str = "POST"
) -> Delivery:
    """A webhook delivery with a raw body."""
    lower = {name.lower(): value for name, value in (headers or {}).items()}
    return Delivery(method, path, lower, {}, body, {}, datetime.now(UTC))


def _serve_somewhere(app: Flask) -> tuple[int, Callable[[], None]]:
    for _ in range(20):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        try:
            return port, serve(app, port)
        except (OSError, SystemExit):  # another test process was quicker; werkzeug exits when a port is taken
            continue
    raise AssertionError("no free port")
