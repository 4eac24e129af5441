"""The base of a twin: a local stand-in of a vendor's API that keeps state, signs webhooks, and can be made to fail.

A twin is an HTTP server of its own (one path per vendor), so that connectors talk to it exactly as to the vendor.
Its control paths, all under `/<vendor>/_twin/`:

`GET state`   everything that it holds, as JSON, under the vendor's own field names, and its log of calls (`requests`)
`POST say`    a customer writes; with `deliver` the twin sends its signed webhook to the app
`POST fault`  `{"fault": name, "times": n}`: the next n API calls fail in this way (names in `FAULTS`)
`POST reset`  empty, then seeded again
"""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from flask import Blueprint, Flask, Response, jsonify, request

from dsr.errors import VendorError
from integrations.transport import Transport

FAULTS = [
    "refused",
    "reset",
    "timeout",
    "slow_drip",
    "cut_body",
    "bad_json",
    "error_in_200",
    "401",
    "403",
    "404",
    "409",
    "429",
    "429_retry_after",
    "500",
    "503",
]

CALLS_KEPT = 500


@dataclass(frozen=True)
class Person:
    """A made-up person that the twins are seeded with.

    Args:
        email: lower case.
        account_id: the company's own id; also `external_id` at vendors that keep one.
        at: names of the vendors (folders) that hold the person.
        born: ISO date, for the child's account.
    """

    email: str
    name: str
    account_id: str
    at: frozenset[str]
    language: str = "en"
    company: str = ""
    born: str = ""


class Records:
    """A twin's records: `records["contacts"]["id"] = {...}`; survives kill -9 (SQLite, written through).

    Reading gives the stored object; after changing it in place, store it again.
    """

    def __init__(self, path: Path | None) -> None:
        self.lock = threading.RLock()
        self._db = sqlite3.connect(str(path or ":memory:"), check_same_thread=False, isolation_level=None)
        # The operating system keeps what a killed process has written; a power cut may cost a toy its toys.
        self._db.executescript(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;"
            "CREATE TABLE IF NOT EXISTS records(kind TEXT, id TEXT, body TEXT, n INTEGER PRIMARY KEY, UNIQUE(kind, id))"
        )
        self._kinds: dict[str, Kind] = {}
        for kind, id, body in self._db.execute("SELECT kind, id, body FROM records ORDER BY n"):
            dict.__setitem__(self[kind], id, json.loads(body))

    def __getitem__(self, kind: str) -> Kind:
        with self.lock:
            if kind not in self._kinds:
                self._kinds[kind] = Kind(self, kind)
            return self._kinds[kind]

    def kinds(self) -> list[str]:
        return sorted(self._kinds)

    def clear(self) -> None:
        with self.lock:
            self._db.execute("DELETE FROM records")
            for kind in self._kinds.values():
                dict.clear(kind)

    def _write(self, kind: str, id: str, body: Any) -> None:
        with self.lock:
            self._db.execute(
                "INSERT INTO records(kind, id, body) VALUES(?,?,?)"
                " ON CONFLICT(kind, id) DO UPDATE SET body=excluded.body",
                (kind, id, json.dumps(body)),
            )

    def _drop(self, kind: str, id: str) -> None:
        with self.lock:
            self._db.execute("DELETE FROM records WHERE kind=? AND id=?", (kind, id))

    def transaction(self) -> sqlite3.Connection:
        """For seeding thousands of records at once: `with records.transaction(): …`."""
        self._db.execute("BEGIN")
        return self._db


class Kind(dict[str, Any]):
    """All records of one kind, by id."""

    def __init__(self, records: Records, name: str) -> None:
        super().__init__()
        self._records, self._name = records, name

    def __setitem__(self, id: str, body: Any) -> None:
        super().__setitem__(id, body)
        self._records._write(self._name, id, body)

    def __delitem__(self, id: str) -> None:
        super().__delitem__(id)
        self._records._drop(self._name, id)

    def pop(self, id: str, default: Any = None) -> Any:
        if id not in self:
            return default
        body = self[id]
        del self[id]
        return body


@dataclass
class World:
    """What the twins share.

    Args:
        env: the variables of the app (secrets to sign with, ids).
        app_url: where webhooks go; empty: they are not sent.
        folder: where the records are kept; None: in memory.
        day: seconds that a vendor's day takes.
        people: whom to seed.
        base_url: where this host of twins is reached.
    """

    env: Mapping[str, str] = field(default_factory=dict)
    app_url: str = ""
    folder: Path | None = None
    day: float = 1.0
    people: tuple[Person, ...] = ()
    base_url: str = ""


class Twin:
    """One vendor. Subclasses register the API's paths in `routes` and fill `seed`, `state`, `say`.

    Args:
        world: what the twins share.
    """

    name: ClassVar[str]  # the folder, and the first part of the path
    # What the demo sets for this vendor: {app} is the desk's address, {twin} this twin's, {twins} its host,
    # {folder} where things are kept, {secret} a random value that a restart remembers.
    variables: ClassVar[Mapping[str, str]] = {}
    page_size: ClassVar[int] = 3  # small, so that paging is always exercised

    def __init__(self, world: World) -> None:
        self.world = world
        self.records = Records(world.folder / f"{self.name}.sqlite" if world.folder else None)
        self.faults: list[str] = []
        self.latency = 0.0  # seconds before every API answer
        self._calls: list[dict[str, Any]] = []
        if not self.records.kinds():
            self.reset()

    # -- for subclasses ---------------------------------------------------------------------------------------------

    def routes(self, api: Blueprint) -> None:
        """Register the vendor's API paths on the blueprint (its prefix is `/<name>`)."""
        raise NotImplementedError  # abstract

    def seed(self, people: Iterable[Person]) -> None:
        """Fill the records for the people who are held here."""

    def state(self) -> dict[str, Any]:
        """Everything held, under the vendor's field names. Default: each kind as a list."""
        return {kind: list(self.records[kind].values()) for kind in self.records.kinds()}

    def say(self, said: Mapping[str, Any]) -> dict[str, Any]:
        """A customer writes; see `docs` of the demo. Returns at least `conversation`."""
        raise NotImplementedError(f"{self.name} is no conversation platform")

    def error(self, status: int) -> tuple[Any, int]:
        """The vendor's error body for a status."""
        return {"error": {"status": status}}, status

    def error_in_200(self) -> Any:
        """What an error inside a 200 looks like; by default an object of the wrong shape."""
        return {"ok": False, "error": "fatal_error"}

    # -- for everybody ----------------------------------------------------------------------------------------------

    def held(self) -> list[Person]:
        return [p for p in self.world.people if self.name in p.at]

    def reset(self) -> None:
        """Empty and seeded again; the access tokens stay valid, since whoever uses the twin has not been reset."""
        with self.records.lock:
            tokens = dict(self.records["tokens"])
            self.records.clear()
            for id, body in tokens.items():
                self.records["tokens"][id] = body
            self.faults.clear()
            self._calls.clear()
            with self.records.transaction():
                self.seed(self.held())
                self.records["meta"]["seeded"] = {"at": time.time()}

    def new_id(self, kind: str, start: int = 1000) -> str:
        """The next number of a counter that survives a restart."""
        with self.records.lock:
            n = self.records["meta"].get(kind, start) + 1
            self.records["meta"][kind] = n
            return str(n)

    def deliver(self, path: str, body: bytes, headers: Mapping[str, str]) -> int:
        """Send a webhook to the app as the vendor would. Returns the HTTP status, 0 if nobody answered."""
        if not self.world.app_url:
            return 0
        app = Transport(self.name, self.world.app_url, deadline=10)
        try:
            return app.call("POST", path, data=body, headers=headers, retry=False, accept=range(300, 600)).status
        except VendorError:
            return 0

    def blueprint(self) -> Blueprint:
        api = Blueprint(self.name, self.name, url_prefix=f"/{self.name}")
        api.before_request(self._before)
        api.add_url_rule("/_twin/state", "state", self._state)
        api.add_url_rule("/_twin/say", "say", self._say, methods=["POST"])
        api.add_url_rule("/_twin/fault", "fault", self._fault, methods=["POST"])
        api.add_url_rule("/_twin/reset", "reset", self._reset, methods=["POST"])
        self.routes(api)
        return api

    def _state(self) -> Response:
        with self.records.lock:
            held = {kind: value for kind, value in self.state().items() if kind != "meta"}
            return jsonify({**held, "requests": list(self._calls)})

    def _say(self) -> tuple[Response, int]:
        said = request.get_json(force=True)
        answer = self.say(said)
        status = answer.pop("status", 200)
        return jsonify(answer), status if not 200 <= status < 300 else 200

    def _fault(self) -> tuple[Response, int]:
        asked = request.get_json(force=True)
        if asked.get("fault") not in FAULTS:
            return jsonify({"error": f"unknown fault; known: {', '.join(FAULTS)}"}), 400
        self.faults.extend([asked["fault"]] * int(asked.get("times", 1)))
        return jsonify({"faults": self.faults}), 200

    def _reset(self) -> Response:
        self.reset()
        return jsonify({"reset": True})

    def _before(self) -> Any:
        if "/_twin/" in request.path:
            return None
        with self.records.lock:
            self._calls.append({"method": request.method, "path": request.full_path.rstrip("?"), "at": time.time()})
            del self._calls[:-CALLS_KEPT]
            fault = self.faults.pop(0) if self.faults else ""
        if self.latency:
            time.sleep(self.latency)
        return self._fail(fault) if fault else None

    def _fail(self, fault: str) -> Any:
        if fault in ("refused", "reset"):
            _reset_connection()
        if fault == "timeout":
            time.sleep(float(os.environ.get("TWIN_TIMEOUT", "15")))
        if fault == "slow_drip":
            return Response(_drip(), headers={"Content-Length": "100000"})
        if fault == "cut_body":
            return Response(iter([b'{"cut":']), headers={"Content-Length": "100000"}, content_type="application/json")
        if fault == "bad_json":
            return Response("<html>{", content_type="application/json")
        if fault == "error_in_200":
            return jsonify(self.error_in_200())
        if fault.startswith("429"):
            body, status = self.error(429)
            answer = jsonify(body)
            if fault == "429_retry_after":
                answer.headers["Retry-After"] = "1"
            return answer, status
        if fault.isdigit():
            body, status = self.error(int(fault))
            return jsonify(body), status
        return None


def _drip() -> Iterator[bytes]:
    for _ in range(100_000):
        time.sleep(0.5)
        yield b" "


def _reset_connection() -> None:
    """Close the client's socket with a TCP reset, as a crashing server does."""
    connection = request.environ.get("werkzeug.socket")
    if isinstance(connection, socket.socket):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
    raise ConnectionResetError("a fault was asked for")


def host(twins: Iterable[Twin]) -> Flask:
    """One WSGI application that serves every twin under its own path."""
    app = Flask("twins")
    for twin in twins:
        app.register_blueprint(twin.blueprint())
    return app


def serve(app: Flask, port: int) -> Callable[[], None]:
    """Serve on loopback in a thread; returns the function that stops it.

    Raises:
        OSError: the port is taken.
    """
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_request(self, *args: Any, **more: Any) -> None:
            """The twins keep their own log."""

        def log_error(self, *args: Any, **more: Any) -> None:
            """A reset connection is asked for."""

    server = make_server("127.0.0.1", port, app, threaded=True, request_handler=Quiet)
    server.daemon_threads = True  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, name=f"twins:{port}", daemon=True)
    thread.start()

    def stop() -> None:
        server.shutdown()
        server.server_close()

    return stop
