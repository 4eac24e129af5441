"""What `script/bench` prints: speed as ratios to a yardstick measured in the same run, memory, and cold start.

    python -m tests.bench [--seconds 5] [--json]

Numbers without a yardstick beside them depend on the machine; ratios carry over.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import http.client
import json
import os
import re
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from demo.page import shown
from demo.run import environment, make_twins
from integrations.twin import host, serve
from tests import bench_audit
from tests.bench_recipients import check, one_clicks
from tests.house import free_ports
from tests.kill import BIN, ROOT, Servers

ASK = "Please unsubscribe me from your newsletter, I want no more marketing mail."


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0, help="length of each load")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        found |= {"sqlite_commits_per_s": commits(Path(folder), asked.seconds)}
        found |= house(Path(folder), asked.seconds)
    found |= detection()
    found |= apart("tests.bench_fanout", "--json")
    found |= apart("tests.bench_export")
    found |= bench_audit.measure()
    found["audit_rows_to_hmac"] = found["audit_rows_per_s"] / found["audit_hmac_per_s"]
    found["acks_to_bare_wsgi"] = found["acks_per_s"] / found["bare_wsgi_per_s"]
    found["acks_to_sqlite_commits"] = found["acks_per_s"] / found["sqlite_commits_per_s"]
    found["one_clicks_to_sqlite_commits"] = found["one_clicks_per_s"] / found["sqlite_commits_per_s"]
    print(json.dumps(found, indent=2) if asked.json else "\n".join(f"{k:<42}{v:>12.4g}" for k, v in found.items()))
    return 0


def apart(module: str, *arguments: str) -> dict[str, float]:
    """A part that needs a process of its own; it prints JSON in its last line."""
    command = [sys.executable, "-m", module, *arguments]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(ran.stdout.splitlines()[-1])
    return found


def commits(folder: Path, seconds: float) -> float:
    """Yardstick: one-row commits a second of SQLite (WAL, synchronous=FULL) on this disk."""
    db = sqlite3.connect(folder / "yardstick.sqlite", isolation_level=None)
    db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE t(body BLOB)")
    return _rate(seconds, lambda: db.execute("INSERT INTO t VALUES(?)", (b"x" * 4096,)))


def _rate(seconds: float, act: Callable[[], object]) -> float:
    began, count = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        act()
        count += 1
    return count / (time.perf_counter() - began)


def house(folder: Path, seconds: float) -> dict[str, float]:
    """Everything that needs the running servers."""
    port = free_ports()
    env = environment(port, folder, folder / "demo.env") | {"COOLING_OFF": "0s", "VENDOR_DAY": "0.001s"}
    twins = {t.name: t for t in make_twins(env, port, folder, day=0.001)}
    stop = serve(host(twins.values()), port + 1)
    subprocess.run([BIN / "flask", "--app", "app", "db", "upgrade"], cwd=ROOT, env={**os.environ, **env}, check=True)
    servers = Servers(env, port, folder / "servers.log")
    found: dict[str, float] = {}
    try:
        with bare(port + 2) as address:
            found["bare_wsgi_per_s"] = load(address, b"", seconds)
        began = time.perf_counter()
        servers.start("web")
        servers.wait_for_web()
        found["cold_start_web_s"] = time.perf_counter() - began
        found["acks_per_s"] = load(f"127.0.0.1:{port}", env["INTERCOM_CLIENT_SECRET"].encode(), seconds)
        _forget_load(folder)
        found |= one_clicks(env, folder) | check(env)
        _forget_load(folder)
        servers.start("worker")
        found |= replies(port, twins["intercom"])
        found |= erasures(port, twins)
        found |= {f"memory_{name}_mb": _memory(p.pid) for name, p in servers.running.items()}
    finally:
        for name in list(servers.running):
            servers.kill(name)
        stop()
    return found


@contextmanager
def bare(port: int) -> Iterator[str]:
    """Yardstick: the same server with the same settings, answering a WSGI callable that does nothing."""
    command = [BIN / "granian", "--interface", "wsgi", "tests.bench:nothing", "--port", port, "--workers", "1"]
    command += ["--blocking-threads", "8", "--log-level", "error"]
    process = subprocess.Popen([str(c) for c in command], cwd=ROOT, start_new_session=True)
    try:
        for _ in range(200):
            try:
                requests.get(f"http://127.0.0.1:{port}/", timeout=1)
                break
            except requests.RequestException:
                time.sleep(0.05)
        yield f"127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # the server's own workers too
        process.wait()


def nothing(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "0")])
    return [b""]


def load(address: str, secret: bytes, seconds: float, clients: int = 4) -> float:
    """Signed 4 kB deliveries of distinct events a second, over keep-alive connections of several processes."""
    with ProcessPoolExecutor(clients) as pool:
        return sum(pool.map(_client, [address] * clients, [secret] * clients, [seconds] * clients, range(clients)))


def _client(address: str, secret: bytes, seconds: float, number: int) -> float:
    connection, n = http.client.HTTPConnection(address, timeout=10), 0

    def one() -> None:
        nonlocal n
        n += 1
        body = _body(f"load-{number}-{n}")
        signature = hmac.new(secret, body, hashlib.sha1).hexdigest()
        connection.request("POST", "/webhooks/intercom", body, {"X-Hub-Signature": f"sha1={signature}"})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200, answer.status

    return _rate(seconds, one)


def _body(id: str) -> bytes:
    part = {"type": "conversation_part", "id": id, "part_type": "comment", "body": "x" * 3300}
    part |= {"created_at": 1795000000, "author": {"type": "user", "id": id, "email": f"{id}@example.net"}}
    item = {"type": "conversation", "id": id, "conversation_parts": {"conversation_parts": [part], "total_count": 1}}
    event = {"type": "notification_event", "id": f"notif_{id}", "topic": "conversation.user.replied"}
    event |= {"app_id": "a", "created_at": 1795000000, "data": {"type": "notification_event_data", "item": item}}
    return json.dumps(event).encode()


def _forget_load(folder: Path) -> None:
    """What was loaded is not to be worked off while the next thing is measured."""
    db = sqlite3.connect(folder / "privacy-desk.sqlite", timeout=30)
    db.execute("DELETE FROM workflow_status")
    db.execute("UPDATE messages SET handled_at = received_at")
    db.execute("UPDATE requests SET status = 'completed', wake_at = NULL")
    db.commit()
    db.close()


def replies(port: int, twin: Any, count: int = 60) -> dict[str, float]:
    """Milliseconds from the acknowledgement of a message to the desk's reply at the vendor."""
    waits = []
    for n in range(count):
        said = {"conversation": f"bench-{n}", "email": f"bench.{n}@example.net", "text": ASK, "deliver": True}
        assert requests.post(f"http://127.0.0.1:{port + 1}/intercom/_twin/say", json=said, timeout=30).ok
        began = time.perf_counter()
        while not _answered(twin, f"bench-{n}"):
            if time.perf_counter() - began > 30:
                raise AssertionError("no reply in 30 s")
            time.sleep(0.002)
        waits.append(1000 * (time.perf_counter() - began))
    waits = sorted(waits[5:])  # the worker has just started
    return {"reply_p50_ms": statistics.median(waits), "reply_p99_ms": waits[int(len(waits) * 0.99)]}


def _answered(twin: Any, conversation: str) -> bool:
    found = twin.records["conversations"].get(conversation)
    return found is not None and any(shown(m, "")["who"] == "desk" for m in _messages(twin, conversation))


def _messages(twin: Any, conversation: str) -> list[dict[str, Any]]:
    return next(c["messages"] for c in twin.state()["conversations"] if str(c["id"]) == conversation)


def erasures(port: int, twins: dict[str, Any], count: int = 3) -> dict[str, float]:
    """Seconds from the typed code to the certificate mail, all connected processors done and asked again."""
    times = []
    for n in range(count):
        address, conversation = f"erase.{n}@example.net", f"erase-{n}"
        say = lambda text, a=address, c=conversation: requests.post(  # noqa: E731
            f"http://127.0.0.1:{port + 1}/intercom/_twin/say",
            json={"conversation": c, "email": a, "text": text, "deliver": True},
            timeout=30,
        )
        say("Please delete my account and all my personal data.")
        code = _mail(twins, address, r"(?m)^([0-9A-Z]{4}-[0-9A-Z]{4})$")
        began = time.perf_counter()
        say(code)
        _mail(twins, address, r"(Certificate PR-\w{6})")
        times.append(time.perf_counter() - began)
    return {"verified_to_certificate_s": statistics.median(times)}


def _mail(twins: dict[str, Any], address: str, pattern: str) -> str:
    until = time.perf_counter() + 60
    while time.perf_counter() < until:
        for mail in twins["mailgun"].state()["messages"]:
            if address in str(mail["to"]) and (found := re.search(pattern, mail["text"])):
                return found[1]
        time.sleep(0.01)
    raise AssertionError(f"no mail with {pattern}")


def _memory(pid: int) -> float:
    """Resident megabytes of a process and its children."""
    pids = [pid, *map(int, subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True).stdout.split())]
    total = 0
    for one in pids:
        status = Path(f"/proc/{one}/status").read_text()
        total += int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])
    return total / 1024


def detection() -> dict[str, float]:
    """Detection in a process of its own: milliseconds a message, and memory after the first."""
    script = (
        "import time, json, resource, statistics\n"
        "from intents import detect\n"
        "detect('hello')\n"
        "mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024\n"
        "lines = [json.loads(l)['text'] for l in open('intents/data/dev/faro.jsonl')]\n"
        "t = []\n"
        "for text in lines:\n"
        "    b = time.perf_counter(); detect(text); t.append(1000 * (time.perf_counter() - b))\n"
        "b = time.perf_counter(); detect('delete my account. ' * 5300); big = 1000 * (time.perf_counter() - b)\n"
        "t.sort()\n"
        "print(json.dumps({'detect_p50_ms': statistics.median(t), 'detect_p99_ms': t[int(len(t) * .99)],\n"
        "                  'detect_100kb_ms': big, 'detect_memory_mb': mb}))\n"
    )
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    ran = subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(ran.stdout)
    return found


if __name__ == "__main__":
    sys.exit(main())
