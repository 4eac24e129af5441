"""A stand-in of one Slack workspace: Web API methods, direct messages, commands, buttons and response URLs.

Besides the usual control paths:

`POST _twin/command {"user", "text"}`               a member types `/privacy text`
`POST _twin/press {"user", "action", "reference"}`  a member presses a button of an announcement
`POST _twin/delete-profile {"user"|"email"}`        what the Primary Owner does on the admin pages
"""

from __future__ import annotations

import json
import re
import time
import uuid
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Any, ClassVar

from flask import Blueprint, Response, jsonify, request

from dsr.errors import VendorError
from integrations.slack.twin_methods import Arguments, SlackError, call
from integrations.slack.twin_webhooks import (
    FORM,
    JSON,
    TEAM,
    as_sent,
    button_press,
    message_event,
    signed,
    slash_command,
)
from integrations.slack.twin_workspace import Workspace
from integrations.transport import Transport
from integrations.twin import Person, Twin

AGENT = "U0AGENT"
ANSWERS_PER_URL = 5
URL_LIFE = 1800  # seconds
WAIT = 15.0  # seconds that a command waits for an answer at its response URL
CODES = {401: "invalid_auth", 403: "missing_scope", 429: "ratelimited", 503: "service_unavailable"}


class SlackTwin(Twin):
    name: ClassVar[str] = "slack"
    variables: ClassVar[Mapping[str, str]] = {
        "SLACK_API_URL": "{twin}",
        "SLACK_HOOKS_URL": "{twins}",
        "SLACK_AGENT_CHANNEL": "C0AGENTS",
        "SLACK_AGENTS": "U0AGENT,U0AGENT2",
        "SLACK_BOT_TOKEN": "{secret}",
        "SLACK_SIGNING_SECRET": "{secret}",
    }
    calls_per_minute: ClassVar[int] = 3000  # of each method; above it: 429 with Retry-After

    @cached_property
    def workspace(self) -> Workspace:
        return Workspace(self.records)

    @cached_property
    def _starts(self) -> dict[str, deque[float]]:
        return defaultdict(deque)

    @property
    def agent_channel(self) -> str:
        return self.world.env.get("SLACK_AGENT_CHANNEL") or "C0PRIVACY"

    def routes(self, api: Blueprint) -> None:
        api.add_url_rule("/<method>", "method", self._method, methods=["GET", "POST"])
        api.add_url_rule("/commands/<team>/<number>", "response_url", self._answered, methods=["POST"])
        api.add_url_rule("/_twin/command", "command", self._command, methods=["POST"])
        api.add_url_rule("/_twin/press", "press", self._press, methods=["POST"])
        api.add_url_rule("/_twin/delete-profile", "delete_profile", self._delete_profile, methods=["POST"])

    def seed(self, people: Iterable[Person]) -> None:
        """Members with confirmed addresses; the id is derived from the account's. Maria has written before."""
        self.workspace.install_bot()
        for id in dict.fromkeys([AGENT, *self.world.env.get("SLACK_AGENTS", "").replace(",", " ").split()]):
            self.workspace.join(id, f"{id.lower()}@intellimails.example", "Alex Agent", is_admin=True)
        channel = {"name": "privacy", "is_channel": True, "is_im": False, "is_member": True}
        self.workspace.open(self.agent_channel, channel)
        for person in people:
            id = "U" + re.sub("[^A-Z0-9]", "", person.account_id.upper())
            self.workspace.join(id, person.email, person.name)
            if person.email == "maria.pop@example.com":
                self.workspace.older_chat(id)

    def state(self) -> dict[str, Any]:
        conversations = self.records["conversations"].values()
        return {
            "users": [{**user, "email": user["profile"].get("email") or ""} for user in self.records["users"].values()],
            "conversations": [{**c, "messages": self.workspace.messages(c["id"])} for c in conversations],
            "ephemeral": list(self.records["ephemeral"].values()),
        }

    # -- the Web API ------------------------------------------------------------------------------------------------

    def error(self, status: int) -> tuple[Any, int]:
        return {"ok": False, "error": CODES.get(status, "internal_error")}, status

    def _method(self, method: str) -> tuple[Response, int]:
        body = request.get_json(silent=True) if request.is_json else None
        arguments = {**request.args.to_dict(), **request.form.to_dict(), **(body if isinstance(body, dict) else {})}
        try:
            self._authenticate(arguments)
            if wait := self._too_many(method):
                answer = jsonify(self.error(429)[0])
                answer.headers["Retry-After"] = str(wait)
                return answer, 429
            return jsonify(call(self.workspace, method, arguments)), 200
        except SlackError as error:
            return jsonify({"ok": False, "error": error.code}), 200

    def _authenticate(self, arguments: Arguments) -> None:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ") or arguments.get("token")
        if not given:
            raise SlackError("not_authed")
        if given != self.world.env.get("SLACK_BOT_TOKEN"):
            raise SlackError("invalid_auth")

    def _too_many(self, method: str) -> int:
        """Seconds to wait; 0 if the call may go on."""
        with self.records.lock:
            starts, now = self._starts[method], time.monotonic()
            while starts and starts[0] < now - 60:
                starts.popleft()
            if len(starts) >= self.calls_per_minute:
                return max(1, round(60 - (now - starts[0])))
            starts.append(now)
            return 0

    # -- what people do ---------------------------------------------------------------------------------------------

    def say(self, said: Mapping[str, Any]) -> dict[str, Any]:
        with self.records.lock:
            user = self._author(said)
            known = said.get("conversation") in self.records["conversations"]
            channel = str(said["conversation"]) if known else self.workspace.direct(user)
            message = self.workspace.store(channel, user, as_sent(str(said.get("text", ""))))
            body = message_event(channel, message, self.new_id("event"))
        answer: dict[str, Any] = {"conversation": channel, "user": user, "ts": message["ts"]}
        if said.get("deliver"):
            answer["delivered"] = self._send(body, JSON)[0]
            answer["status"] = answer["delivered"] or 502
        return answer

    def _author(self, said: Mapping[str, Any]) -> str:
        """Who writes: a known member, or somebody new. Who is new and not `verified` comes from another organisation
        (Slack Connect), for whom this workspace vouches for nothing."""
        email = str(said.get("email") or "")
        if said.get("user") in self.records["users"]:
            return str(said["user"])
        if not said.get("user"):
            if known := self.workspace.with_email(email):
                return str(known[0]["id"])
            conversation = self.records["conversations"].get(str(said.get("conversation")), {})
            if conversation.get("user") and "email" not in said:
                return str(conversation["user"])
        id = str(said.get("user") or f"U0X{self.new_id('user')}")
        other = {"team_id": "T0OTHER001", "is_stranger": True, "is_email_confirmed": False}
        name = str(said.get("name") or "Somebody New")
        return str(self.workspace.join(id, email, name, **({} if said.get("verified") else other))["id"])

    def _command(self) -> Response:
        asked = request.get_json(force=True)
        user, text = str(asked.get("user", AGENT)), str(asked.get("text", ""))
        return self._interact(user, True, lambda url, id: slash_command(user, self.agent_channel, text, url, id))

    def _press(self) -> Response:
        asked = request.get_json(force=True)
        user, action, value = (str(asked.get(key, "")) for key in ("user", "action", "reference"))
        return self._interact(
            user, False, lambda url, id: button_press(user, self.agent_channel, action, value, url, id)
        )

    def _interact(self, user: str, shows_response: bool, body: Callable[[str, str], bytes]) -> Response:
        """Send it, show the immediate answer, and wait a little for those at the response URL.

        Args:
            shows_response: Slack shows the response to a command, but not the one to a button.
            body: makes the request's body from a response URL and a trigger id.
        """
        number = self.new_id("command")
        url = f"{self.world.base_url or request.host_url.rstrip('/')}/slack/commands/{TEAM}/{number}"
        self.records["commands"][number] = {"user": user, "at": time.time()}
        status, content = self._send(body(url, f"{number}.{TEAM}.{uuid.uuid4().hex}"), FORM)
        immediate = _read(content)
        shown = shows_response and bool(immediate.get("text"))
        if shown:
            self._show(number, immediate)
        waiting = 200 <= status < 300 and not shown
        until = time.monotonic() + (WAIT if waiting else 0)
        while not (answers := self._answers(number)) and time.monotonic() < until:
            time.sleep(0.05)
        return jsonify({"status": status, "response": immediate, "answers": answers})

    def _show(self, number: str, answer: Mapping[str, Any], response_url: str = "") -> None:
        """Only the member who asked sees it; Slack does not keep it, the twin does."""
        id, user = self.new_id("ephemeral"), self.records["commands"][number]["user"]
        shown = {"id": id, "command": number, "channel": self.agent_channel, "user": user}
        self.records["ephemeral"][id] = {**shown, "text": str(answer.get("text", "")), "response_url": response_url}

    def _answers(self, number: str) -> list[str]:
        with self.records.lock:
            shown = self.records["ephemeral"].values()
            return [e["text"] for e in shown if e["command"] == number and e["response_url"]]

    def _answered(self, team: str, number: str) -> tuple[Any, int]:
        with self.records.lock:
            command = self.records["commands"].get(number)
            if command is None or command["at"] < time.time() - URL_LIFE:
                return jsonify({"ok": False, "error": "expired_url"}), 404
            if len(self._answers(number)) >= ANSWERS_PER_URL:
                return jsonify({"ok": False, "error": "used_url"}), 404
            self._show(number, request.get_json(force=True), request.base_url)
            return "ok", 200

    def _delete_profile(self) -> tuple[Response, int]:
        with self.records.lock:
            id = self.workspace.delete_profile(request.get_json(force=True))
        return (jsonify({"deleted": id}), 200) if id else (jsonify({"error": "no such member"}), 404)

    def _send(self, body: bytes, content_type: str) -> tuple[int, bytes]:
        """Deliver to the app's one Slack route: the status, 0 if nobody answered, and the answer."""
        if not self.world.app_url:
            return 0, b""
        headers = signed(self.world.env.get("SLACK_SIGNING_SECRET", ""), body, content_type)
        app = Transport(self.name, self.world.app_url, deadline=10)
        try:
            answer = app.call("POST", "/slack/events", data=body, headers=headers, retry=False, accept=range(300, 600))
        except VendorError:
            return 0, b""
        return answer.status, answer.content


def _read(content: bytes) -> dict[str, Any]:
    """The immediate answer to a command: JSON, plain text, or nothing."""
    try:
        answer = json.loads(content)
    except ValueError:
        answer = None
    return answer if isinstance(answer, dict) else {"text": content.decode("utf-8", "replace")} if content else {}
