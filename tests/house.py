"""The whole house for tests: the real app, a real worker, and every twin, over real HTTP on loopback.

One house a test process (the engine is one a process). Tests stay apart by using different people.
"""

from __future__ import annotations

import itertools
import os
import re
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import requests
from flask import Flask

from demo.page import bp as playground
from demo.page import shown
from demo.people import people
from demo.run import environment, make_twins
from dsr.desk import Desk
from integrations.twin import Person, Twin, host, serve

T = TypeVar("T")
CODE = re.compile(r"^([0-9A-Z]{4}-[0-9A-Z]{4})$", re.MULTILINE)
REFERENCE = re.compile(r"PR-[0-9A-Z]{6}")
_tries = itertools.count()
LOOPBACK = "http://127.0.0.1:"  # where the house and its twins are
PATIENCE = 20.0  # seconds; on two busy cores


@dataclass
class House:
    """Everything that runs, and the hands of a customer and an agent."""

    app: Flask
    desk: Desk
    app_url: str
    twins_url: str
    twins: dict[str, Twin]
    _pool: list[Person] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _conversations: int = 0

    # -- people ------------------------------------------------------------------------------------------------------

    def person(self, *at: str) -> Person:
        """Somebody whom no other test uses, held at least by the vendors named."""
        with self._lock:
            for index, person in enumerate(self._pool):
                if set(at) <= person.at:
                    return self._pool.pop(index)
        raise AssertionError(f"nobody is left who is at {at}")

    # -- a customer --------------------------------------------------------------------------------------------------

    def say(self, channel: str, text: str, email: str, conversation: str = "", **more: Any) -> str:
        """Write in a channel; returns the conversation's id. Every delivery must be accepted."""
        body = {"text": text, "email": email, "deliver": True, **more}
        if conversation:
            body["conversation"] = conversation
        answer = requests.post(f"{self.twins_url}/{channel}/_twin/say", json=body, timeout=20)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["conversation"])

    def state(self, vendor: str) -> dict[str, Any]:
        state: dict[str, Any] = requests.get(f"{self.twins_url}/{vendor}/_twin/state", timeout=20).json()
        return state

    def heard(self, channel: str, conversation: str, *, notes: bool = False) -> list[str]:
        """What the desk has said in a conversation (or noted, for agents)."""
        for found in self.state(channel).get("conversations", self.state(channel).get("tickets", [])):
            if str(found["id"]) == conversation:
                return [text for text, note in _ours(found) if note is notes]
        return []

    def hear(self, channel: str, conversation: str, count: int = 1) -> str:
        """Wait until the desk has said `count` things; returns the last of them."""
        self.wait(lambda: len(self.heard(channel, conversation)) >= count, f"{count} replies in {channel}")
        return self.heard(channel, conversation)[count - 1]

    # -- mail --------------------------------------------------------------------------------------------------------

    def mails(self, address: str, containing: str = "") -> list[dict[str, Any]]:
        return [
            m
            for m in self.state("mailgun")["messages"]
            if address in str(m["to"]) and containing in m["subject"] + m["text"]
        ]

    def mail(self, address: str, containing: str = "", count: int = 1) -> dict[str, Any]:
        """Wait for the `count`-th mail to an address that contains a text."""
        self.wait(lambda: len(self.mails(address, containing)) >= count, f"a mail with {containing!r}")
        return self.mails(address, containing)[count - 1]

    def code(self, address: str, count: int = 1) -> str:
        """Wait for the `count`-th code mail and read its code."""
        found = self.wait(lambda: self._codes(address)[count - 1 :], f"code {count}")
        return found[0]

    def _codes(self, address: str) -> list[str]:
        return [m[1] for mail in self.mails(address) if (m := CODE.search(mail["text"]))]

    # -- an agent ----------------------------------------------------------------------------------------------------

    def command(self, text: str, user: str = "U0AGENT") -> str:
        """Type `/privacy TEXT`; returns everything that the agent reads."""
        answer = requests.post(f"{self.twins_url}/slack/_twin/command", json={"user": user, "text": text}, timeout=20)
        assert answer.status_code == 200, answer.text
        got = answer.json()
        immediate = (got.get("response") or {}).get("text", "")
        return "\n".join([immediate, *got.get("answers", [])])

    def reference(self, text: str) -> str:
        found = REFERENCE.search(text)
        assert found, f"no reference in {text!r}"
        return found.group()

    # -- waiting -----------------------------------------------------------------------------------------------------

    def wait(self, condition: Callable[[], T], what: str, patience: float = PATIENCE) -> T:
        until = time.monotonic() + patience
        while time.monotonic() < until:
            if found := condition():
                return found
            time.sleep(0.03)
        raise AssertionError(f"waited {patience} s for {what}")


def _ours(conversation: dict[str, Any]) -> list[tuple[str, bool]]:
    """(text, is it a note) of what the desk wrote."""
    messages = conversation.get("messages") or conversation.get("comments") or []
    seen = [shown(message, str(conversation.get("requester_id", ""))) for message in messages]
    return [(m["text"], m["who"] == "note") for m in seen if m["who"] != "customer"]


def build(folder: Path) -> tuple[House, Callable[[], None]]:
    """Start everything; returns the house and the function that ends it."""
    from app import create_app
    from dsr.store.migrate import upgrade
    from workflows import engine
    from workflows.context import Worker

    port = free_ports()
    env = environment(port, folder, folder / "demo.env") | {
        "COOLING_OFF": "2s",
        "VENDOR_DAY": "0.05s",
        "RETRY_BASE": "0.3s",
    }
    twins = make_twins(env, port, folder, day=0.05)
    stop_twins = serve(host(twins), port + 1)
    app = create_app(env)
    assert not app.extensions["problems"], app.extensions["problems"]
    desk: Desk = app.extensions["desk"]
    app.register_blueprint(playground)
    by_name = {twin.name: twin for twin in twins}
    app.extensions["twins"] = by_name
    upgrade(desk.db.engine)
    stop_web = serve(app, port)
    engine.start(Worker("test", desk, app.extensions["connections"]), engine.own_engine(desk.settings))
    pool = [p for p in people() if p.email.rpartition(".")[0].rpartition("@")[0][-1:].isdigit()]
    house = House(app, desk, f"http://127.0.0.1:{port}", f"http://127.0.0.1:{port + 1}", by_name, pool)

    def end() -> None:
        stop_web()
        engine.stop()
        stop_twins()

    return house, end


def free_ports() -> int:
    """A port whose neighbour is free as well: below those of outgoing calls, and elsewhere in each process."""
    while True:
        port = 20_000 + 2 * ((os.getpid() * 97 + next(_tries)) % 5_000)
        with socket.socket() as first, socket.socket() as second:
            try:
                first.bind(("127.0.0.1", port))
                second.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port
