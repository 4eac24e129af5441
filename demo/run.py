"""`flask demo`: the real app, a worker, and a twin of every vendor, in one process on loopback.

Everything lives under `instance/demo/` and survives a kill -9; `--reset` starts anew.
"""

from __future__ import annotations

import importlib
import os
import secrets
import shutil
import socket
import time
import webbrowser
from pathlib import Path

import click
from cryptography.fernet import Fernet

from demo.people import people
from integrations.registry import VENDORS
from integrations.twin import Twin, World, host, serve

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "instance" / "demo"
ENV_FILE = ROOT / "instance" / "demo.env"
DAY = 1.0  # seconds that a vendor's day takes


def run(*, port: int, reset: bool) -> None:
    """Start everything and stay until interrupted.

    Raises:
        click.ClickException: a port is taken.
    """
    began = time.monotonic()
    for wanted in (port, port + 1):
        if _taken(wanted):
            raise click.ClickException(f"port {wanted} is taken; stop what runs there or set PORT")
    if reset:
        shutil.rmtree(FOLDER, ignore_errors=True)
        ENV_FILE.unlink(missing_ok=True)
    FOLDER.mkdir(parents=True, exist_ok=True)
    env = environment(port, FOLDER, ENV_FILE)
    twins = make_twins(env, port, FOLDER)
    stop_twins = serve(host(twins), port + 1)

    from app import create_app
    from demo.page import bp
    from dsr.store.migrate import upgrade
    from workflows import engine
    from workflows.context import Worker

    app = create_app(env)
    if app.extensions["problems"]:
        raise click.ClickException("\n".join(app.extensions["problems"]))
    app.register_blueprint(bp)
    app.extensions["twins"] = {twin.name: twin for twin in twins}
    desk = app.extensions["desk"]
    upgrade(desk.db.engine)
    worker = Worker("demo", desk, app.extensions["connections"])
    stop_web = serve(app, port)
    engine.start(worker, engine.own_engine(desk.settings))
    address = f"http://127.0.0.1:{port}/demo"
    click.echo(f"Privacy Desk plays at {address} (ready after {time.monotonic() - began:.1f} s); Ctrl-C ends it")
    if not os.environ.get("NO_BROWSER") and not os.environ.get("CI"):
        webbrowser.open(address)
    try:
        engine.run_forever(worker)
    except KeyboardInterrupt:
        click.echo("bye")
    finally:
        stop_web()
        engine.stop()
        stop_twins()


def environment(port: int, folder: Path, env_file: Path) -> dict[str, str]:
    """Every variable of the demo, secrets included; kept in a file so that a restart knows them.

    Args:
        port: of the app; the twins have the next one.
        folder: where everything is kept.
        env_file: where the variables are written.
    """
    kept = (
        dict(line.split("=", 1) for line in env_file.read_text().splitlines() if "=" in line)
        if env_file.exists()
        else {}
    )
    twins = f"http://127.0.0.1:{port + 1}"
    fresh = {
        "SECRET_KEY": secrets.token_hex(32),
        "DATA_KEYS": Fernet.generate_key().decode(),
        "HASH_KEY": secrets.token_hex(32),
        "AUDIT_KEY": secrets.token_hex(32),
        "API_TOKENS": secrets.token_hex(32),
    }
    fixed = {
        "BASE_URL": f"http://127.0.0.1:{port}",
        "DATABASE_URL": f"sqlite:///{folder / 'privacy-desk.sqlite'}",
        "LEDGER_URL": f"sqlite:///{folder / 'ledger.sqlite'}",
        "PACKAGE_FOLDER": str(folder / "packages"),
        "COOLING_OFF": "5s",
        "VENDOR_DAY": f"{DAY}s",
        "RETRY_BASE": "1s",
    }
    for kind in twin_classes():
        for name, value in kind.variables.items():
            secret = kept.get(name) if "{secret}" in value else None
            fixed[name] = secret or value.format(
                app=fixed["BASE_URL"],
                twin=f"{twins}/{kind.name}",
                twins=twins,
                folder=folder,
                secret=secrets.token_hex(16),
            )
    env = {**fresh, **kept, **fixed}
    env_file.parent.mkdir(parents=True, exist_ok=True)
    env_file.write_text("".join(f"{name}={value}\n" for name, value in sorted(env.items())))
    env_file.chmod(0o600)
    return env


def make_twins(env: dict[str, str], port: int, folder: Path, day: float = DAY) -> list[Twin]:
    """One twin for each vendor that has one; seeded at the first start."""
    world = World(
        env=env,
        app_url=f"http://127.0.0.1:{port}",
        folder=folder,
        day=day,
        people=people(),
        base_url=f"http://127.0.0.1:{port + 1}",
    )
    return [kind(world) for kind in twin_classes()]


def twin_classes() -> list[type[Twin]]:
    """The twin of every vendor in the registry."""
    names = [vendor.twin.rpartition(".") for vendor in VENDORS if vendor.twin]
    return [getattr(importlib.import_module(module), name) for module, _, name in names]


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False
