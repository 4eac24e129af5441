"""`flask unsubscribe …`: for the company's own mailer."""

from __future__ import annotations

import json

import click
from flask.cli import AppGroup

from command_line.common import as_json, get_desk
from dsr import addresses, suppression

unsubscribe_ = AppGroup("unsubscribe", help="One-click unsubscribe for the company's own mailer.")


@unsubscribe_.command("headers")
@click.argument("address")
@click.argument("list_name")
@as_json
def unsubscribe_headers(address: str, list_name: str, json_: bool) -> None:
    """Print the two headers (RFC 8058) for a mail to ADDRESS of the list LIST_NAME."""
    desk = get_desk()
    if not (known := addresses.normalise(address)):
        raise click.UsageError("that is not an e-mail address that we can use")
    headers = suppression.list_unsubscribe_headers(desk, known, list_name)
    click.echo(json.dumps(headers, indent=2) if json_ else "\n".join(f"{k}: {v}" for k, v in headers.items()))
