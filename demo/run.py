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
        **{name: secrets.token_hex(16) for name in _SECRETS},
    }
    fixed = {
        "BASE_URL": f"http://127.0.0.1:{port}",
        "DATABASE_URL": f"sqlite:///{folder / 'privacy-desk.sqlite'}",
        "LEDGER_URL": f"sqlite:///{folder / 'ledger.sqlite'}",
        "PACKAGE_FOLDER": str(folder / "packages"),
        "OWN_DATABASE_URL": f"sqlite:///{folder / 'intellimails.sqlite'}",
        "COOLING_OFF": "5s",
        "VENDOR_DAY": f"{DAY}s",
        "RETRY_BASE": "1s",
        **{name: f"{twins}/{path}" for name, path in _TWIN_URLS.items()},
        **_FIXED,
        "SLACK_HOOKS_URL": twins,
    }
    env = {**fresh, **kept, **fixed}
    env_file.parent.mkdir(parents=True, exist_ok=True)
    env_file.write_text("".join(f"{name}={value}\n" for name, value in sorted(env.items())))
    env_file.chmod(0o600)
    return env


_SECRETS = (
    "INTERCOM_ACCESS_TOKEN",
    "INTERCOM_CLIENT_SECRET",
    "ZENDESK_API_TOKEN",
    "ZENDESK_WEBHOOK_SECRET",
    "ZENDESK_MESSAGING_KEY_SECRET",
    "ZENDESK_MESSAGING_WEBHOOK_SECRET",
    "SLACK_BOT_TOKEN",
    "SLACK_SIGNING_SECRET",
    "MAILGUN_API_KEY",
    "MAILGUN_WEBHOOK_SIGNING_KEY",
    "MAILCHIMP_WEBHOOK_SECRET",
)
_TWIN_URLS = {
    "INTERCOM_API_URL": "intercom",
    "ZENDESK_API_URL": "zendesk",
    "ZENDESK_MESSAGING_API_URL": "zendesk-messaging",
    "SLACK_API_URL": "slack",
    "MAILGUN_API_URL": "mailgun",
    "MAILCHIMP_API_URL": "mailchimp",
}
_FIXED = {
    "INTERCOM_ADMIN_ID": "9001",
    "ZENDESK_SUBDOMAIN": "intellimails",
    "ZENDESK_EMAIL": "desk@intellimails.com",
    "ZENDESK_MESSAGING_APP_ID": "app-demo",
    "ZENDESK_MESSAGING_KEY_ID": "key-demo",
    "SLACK_AGENT_CHANNEL": "C0AGENTS",
    "SLACK_AGENTS": "U0AGENT,U0AGENT2",
    "MAILGUN_DOMAIN": "privacy.intellimails.com",
    "MAILGUN_MARKETING_DOMAINS": "news.intellimails.com,mg.intellimails.com",
    "MAILCHIMP_API_KEY": "demo-demo-demo-demo-us19",
}


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
    return [twin_class(name.strip())(world) for vendor in VENDORS for name in vendor.twin.split(",") if name]


def twin_class(dotted: str) -> type[Twin]:
    module, _, name = dotted.rpartition(".")
    found: type[Twin] = getattr(importlib.import_module(module), name)
    return found


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False
