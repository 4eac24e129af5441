"""A canary: after an erasure whose key is destroyed, no byte of the person is left in the data directory or the logs.

The web server answers here, the worker is a process of its own; both log at DEBUG, and vendors fail now and then. Their
data lie apart from the twins'. The person writes in two channels, takes a copy, is erased; agents end the tasks; the
proof period passes.
"""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
import sqlalchemy as sa

from app import create_app
from demo.run import environment, make_twins
from dsr import anchor, audit, commands, retention
from dsr.desk import Desk, utc_now
from dsr.store import tables
from dsr.store.migrate import upgrade
from integrations.twin import host, serve
from tests.house import CODE, REFERENCE, free_ports
from tests.kill import Servers

ADDRESS, NAME, PHONE, WORDS = "canaria.vogel@example.org", "Canaria Vogelsang", "+40 722 918 273", "Kolibri zirpt quer"
PATIENCE = 60.0


def encodings(text: str) -> dict[str, bytes]:
    """The bytes by which a text may be found, whatever it was kept as."""
    found: dict[str, bytes] = {}
    for spelling, written in {"": text, " in lower case": text.lower(), " in capitals": text.upper()}.items():
        for codec in ("utf-8", "utf-16-le", "utf-16-be"):
            raw = written.encode(codec)
            found |= {f"{codec}{spelling}": raw, f"hex of {codec}{spelling}": raw.hex().encode()}
            found[f"capital hex of {codec}{spelling}"] = raw.hex().upper().encode()
            for shift in range(3):  # where the text begins in a group of three bytes; the edges depend on neighbours
                whole = base64.b64encode(b"\0" * shift + raw)
                inner = whole[(0, 2, 3)[shift] : len(whole) // 4 * 4 - 4]
                found[f"base64+{shift} of {codec}{spelling}"] = inner
                found[f"urlsafe base64+{shift} of {codec}{spelling}"] = inner.translate(bytes.maketrans(b"+/", b"-_"))
    return found


def traces(folder: Path, needles: dict[str, bytes]) -> list[str]:
    """Which needle lies in which file below a folder."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    contents = {path.relative_to(folder): path.read_bytes() for path in files}
    return [
        f"{what} in {path}" for path, content in contents.items() for what, raw in needles.items() if raw in content
    ]


@dataclass
class Canary:
    """The desk, its worker, the twins, and the hands of the person."""

    data: Path
    port: int
    env: dict[str, str]
    desk: Desk
    worker: Servers
    secrets: set[str] = field(default_factory=set)

    def say(self, channel: str, text: str) -> None:
        body = {"conversation": f"canary-{channel}", "email": ADDRESS, "name": NAME, "text": text, "deliver": True}
        url = f"http://127.0.0.1:{self.port + 1}/{channel}/_twin/say"
        assert requests.post(url, json=body, timeout=20).status_code == 200

    def fails(self, vendor: str, fault: str, times: int) -> None:
        url = f"http://127.0.0.1:{self.port + 1}/{vendor}/_twin/fault"
        assert requests.post(url, json={"fault": fault, "times": times}, timeout=20).ok

    def mail(self, containing: str) -> str:
        """Wait for a mail; every code and link token seen is remembered."""

        def look() -> str:
            state = requests.get(f"http://127.0.0.1:{self.port + 1}/mailgun/_twin/state", timeout=20).json()
            texts = [m["text"] for m in state["messages"] if ADDRESS in str(m["to"])]
            for text in texts:
                self.secrets |= set(CODE.findall(text)) | set(re.findall(r"\b[0-9a-f]{48}\b", text))
            return next((text for text in texts if containing in text), "")

        return wait(look, f"a mail with {containing!r}")


def wait(condition: Callable[[], Any], what: str) -> Any:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError(f"waited {PATIENCE} s for {what}")


@pytest.fixture
def canary(tmp_path: Path) -> Iterator[Canary]:
    data, beside, port = tmp_path / "data", tmp_path / "twins", free_ports()
    data.mkdir()
    beside.mkdir()
    env = environment(port, beside, beside / "demo.env") | {
        "DATABASE_URL": f"sqlite:///{data / 'desk.sqlite'}",
        "LEDGER_URL": f"sqlite:///{data / 'ledger.sqlite'}",
        "PACKAGE_FOLDER": str(data / "packages"),
        "COOLING_OFF": "0.1s",
        "VENDOR_DAY": "0.02s",
        "RETRY_BASE": "0.2s",
        "PACKAGE_EXPIRY": "1s",
        "PROOF_PERIOD": "1s",
        "LOG_LEVEL": "DEBUG",
    }
    with ExitStack() as stack:
        stack.callback(serve(host(make_twins(env, port, beside, day=0.02)), port + 1))
        app = create_app(env)
        desk: Desk = app.extensions["desk"]
        stack.callback(desk.db.engine.dispose)
        upgrade(desk.db.engine)
        stack.callback(serve(app, port))
        worker = Servers(env, port, data / "worker.log")
        stack.callback(lambda: [worker.kill(name) for name in list(worker.running)])
        worker.start("worker")
        yield Canary(data, port, env, desk, worker)
        desk.tasks.close()


def rows(desk: Desk, table: sa.Table) -> list[Any]:
    with desk.db.read() as conn:
        return list(conn.execute(sa.select(table)))


def end_tasks(desk: Desk) -> None:
    """Agents do by hand what the vendors' interfaces cannot."""
    r = tables.receipts.c
    with desk.db.read() as conn:
        tasks = sa.select(r.reference, r.processor, r.operation).where(r.outcome == "manual")
        open_ = conn.execute(tasks.where(r.status == "in_progress")).all()
    for reference, processor, operation in open_:
        with desk.db.write() as conn:
            commands.complete_task(desk, conn, "U1", reference, processor, operation)


@pytest.mark.timeout(240)
def test_nothing_of_an_erased_person_is_left_once_the_key_is_destroyed(
    canary: Canary, capfd: pytest.CaptureFixture[str]
) -> None:
    canary.say("zendesk", f"Where is my invoice? {WORDS}. Call me: {PHONE}")
    for vendor, fault in (("hubspot", "503"), ("intercom", "429"), ("mailgun", "503"), ("mailchimp", "timeout")):
        canary.fails(vendor, fault, 1)
    canary.say("intercom", f"Please send me a copy of my data and then delete my account. {WORDS}. Phone {PHONE}")
    code = CODE.search(canary.mail("code"))
    assert code
    canary.say("intercom", f"here it is: {code[1]} {WORDS}")
    erasure = REFERENCE.search(canary.mail("Certificate PR-"))
    assert erasure
    reference = erasure.group()

    desk = canary.desk
    needles = {f"{what}: {how}": raw for what in (ADDRESS, NAME, PHONE, WORDS) for how, raw in encodings(what).items()}
    keys = {f"key {row.id}": row.wrapped for row in rows(desk, tables.keys)}
    assert traces(canary.data, keys), "the search finds what is there"

    def over() -> bool:
        end_tasks(desk)
        retention.purge(desk)
        retention.settle_due(desk)
        row = next(row for row in rows(desk, tables.requests) if row.reference == reference)
        key = next(key for key in rows(desk, tables.keys) if key.id == row.key_id)
        return key.wrapped is None

    wait(over, "the end of the person's key")
    canary.worker.kill("worker")
    # A delivery of Zendesk names no address, and nobody asks for one where no right is used: nothing links that message
    # to the person, so it goes by its retention.
    object.__setattr__(desk, "now", lambda: utc_now() + 2 * retention.periods()["passing"])
    retention.purge(desk)
    desk.db.checkpoint()
    whose = {row.key_id for row in rows(desk, tables.requests)}
    assert not rows(desk, tables.conversations), "both conversations are gone"
    gone = {f"key {row.id}": keys[f"key {row.id}"] for row in rows(desk, tables.keys) if row.wrapped is None}
    assert len(gone) > len(whose)
    anchor.drop(desk)
    assert audit.verify(desk, anchor.read(anchor.path(desk.settings)))[1] is None
    log = (canary.data / "worker.log").read_text()
    (canary.data / "web.log").write_text("".join(capfd.readouterr()))
    assert '"event": "not sent"' in log, "what failed was logged"
    secret = {value for name, value in canary.env.items() if name.endswith(("_KEY", "_KEYS", "_SECRET", "_TOKEN"))}
    told = {word: word.encode() for word in canary.secrets | secret if len(word) > 7}
    assert len(canary.secrets) > 2
    assert not traces(canary.data, needles | gone | told)


def test_the_search_finds_a_text_however_it_was_kept(tmp_path: Path) -> None:
    for number, raw in enumerate((ADDRESS.encode("utf-16-le"), ADDRESS.upper().encode(), NAME.encode().hex().encode())):
        (tmp_path / f"{number}").write_bytes(b"before" + raw + b"after")
    for shift in range(3):
        (tmp_path / f"b{shift}").write_bytes(base64.b64encode(b"x" * shift + PHONE.encode() + b"yz"))
    needles = {what: raw for text in (ADDRESS, NAME, PHONE) for what, raw in encodings(text).items()}
    needles |= {f"{text}{how}": raw for text in (ADDRESS, NAME, PHONE) for how, raw in encodings(text).items()}
    assert len({found.rpartition(" ")[2] for found in traces(tmp_path, needles)}) == 6
