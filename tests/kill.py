"""kill -9 of web and worker under load: every acknowledged message must end exactly once in its effect.

    python -m tests.kill --rounds 50                 # SQLite
    python -m tests.kill --rounds 10 --postgres

The twins run in this process and live on; the web server and the worker are the Procfile's, each a process group of
its own. Customers write "unsubscribe" by the Intercom twin, which signs and delivers; a message counts as acknowledged
when the app answered 200. At the end every such conversation must have exactly one reply and one request.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from demo.page import shown
from demo.run import environment, make_twins
from integrations.twin import host, serve
from tests.house import free_ports
from tests.postgres import postgres

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "bin"


@dataclass
class Servers:
    """The Procfile's web and worker, startable and killable."""

    env: dict[str, str]
    port: int
    log: Path
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str) -> None:
        commands = {
            "web": [
                *(BIN / "granian", "--interface", "wsgi", "--factory", "app:web", "--port", str(self.port)),
                *("--workers", "1", "--blocking-threads", "8", "--log-level", "error"),
            ],
            "worker": [BIN / "flask", "--app", "app", "worker", "--id", "kill"],
        }
        with self.log.open("ab") as log:
            self.running[name] = subprocess.Popen(
                [str(part) for part in commands[name]],
                cwd=ROOT,
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1", **self.env},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self, name: str) -> None:
        process = self.running.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def wait_for_web(self) -> None:
        until = time.monotonic() + 30
        while time.monotonic() < until:
            try:
                if requests.get(f"{self.env['BASE_URL']}/healthz", timeout=1).ok:
                    return
            except requests.RequestException:
                time.sleep(0.05)
        raise AssertionError(f"the web server did not come up:\n{self.log.read_text()[-2000:]}")


@dataclass
class Result:
    acknowledged: int
    lost: list[str]
    doubled: list[str]
    rounds: int


def run(rounds: int, *, database_url: str = "", seed: int = 1, per_round: int = 12) -> Result:
    """Kill and restart `rounds` times while customers write; returns what became of the acknowledged messages."""
    rng = random.Random(seed)  # moments to kill at
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        port = free_ports()
        env = environment(port, folder, folder / "demo.env") | {"RETRY_BASE": "0.3s"}
        if database_url:
            env["DATABASE_URL"] = database_url
        twins = {t.name: t for t in make_twins(env, port, folder, day=0.05)}
        stack.callback(serve(host(twins.values()), port + 1))
        subprocess.run(
            [BIN / "flask", "--app", "app", "db", "upgrade"], cwd=ROOT, env={**os.environ, **env}, check=True
        )
        servers = Servers(env, port, folder / "servers.log")
        stack.callback(lambda: [servers.kill(name) for name in list(servers.running)])
        acknowledged: list[str] = []
        for number in range(rounds):
            for name in ("web", "worker"):
                if name not in servers.running:
                    servers.start(name)
            servers.wait_for_web()
            writers = [
                threading.Thread(target=_write, args=(port, f"{number}-{n}", acknowledged)) for n in range(per_round)
            ]
            for writer in writers:
                writer.start()
                time.sleep(rng.random() * 0.05)
            time.sleep(rng.random() * 0.8)
            for name in rng.sample(["web", "worker"], rng.choice([1, 1, 2])):
                servers.kill(name)
            for writer in writers:
                writer.join()
        for name in ("web", "worker"):
            if name not in servers.running:
                servers.start(name)
        replies = _settled(twins["intercom"], acknowledged)
        lost = [c for c in acknowledged if replies[c] == 0]
        doubled = [c for c in replies if replies[c] > 1]
        return Result(len(acknowledged), lost, doubled, rounds)


def _write(port: int, name: str, acknowledged: list[str]) -> None:
    said = {
        "conversation": f"kill-{name}",
        "email": f"kill.{name}@example.net",
        "text": "Please unsubscribe me from your newsletter, I want no more marketing mail.",
        "deliver": True,
    }
    try:
        answer = requests.post(f"http://127.0.0.1:{port + 1}/intercom/_twin/say", json=said, timeout=30)
    except requests.RequestException:
        return
    if answer.status_code == 200:
        acknowledged.append(f"kill-{name}")


def _settled(twin: Any, acknowledged: list[str]) -> Counter[str]:
    """Replies in each conversation, once they stop growing and everybody acknowledged has one (or after a minute)."""
    until, last, calm = time.monotonic() + 150, Counter[str](), 0
    while time.monotonic() < until:
        replies = Counter(
            {
                str(c["id"]): sum(shown(m, "")["who"] == "desk" for m in c["messages"])
                for c in twin.state()["conversations"]
                if str(c["id"]).startswith("kill-")
            }
        )
        calm = calm + 1 if replies == last else 0
        if calm >= 8 and all(replies[c] for c in acknowledged):
            return replies
        last = replies
        time.sleep(0.5)
    return last


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    began = time.monotonic()
    with ExitStack() as stack:
        url = stack.enter_context(postgres()) if asked.postgres else ""
        result = run(asked.rounds, database_url=url, seed=asked.seed)
    print(
        f"{result.rounds} rounds, {result.acknowledged} messages acknowledged, "
        f"{len(result.lost)} lost, {len(result.doubled)} doubled, {time.monotonic() - began:.0f} s"
    )
    for name in [*result.lost, *result.doubled]:
        print(f"  {name}")
    return bool(result.lost or result.doubled)


if __name__ == "__main__":
    sys.exit(main())
