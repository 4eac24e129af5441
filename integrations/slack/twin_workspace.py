"""The twin's workspace: members, conversations and messages, as Slack keeps them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from integrations.slack.twin_webhooks import BOT, BOT_USER, TEAM
from integrations.twin import Records

DAY = 86400  # seconds


class Workspace:
    """Args:
    records: of the twin; `records.lock` guards every change.
    """

    def __init__(self, records: Records) -> None:
        self.records = records
        self._last_ts = 0

    def join(self, id: str, email: str, name: str, **more: Any) -> dict[str, Any]:
        """A full member with a confirmed address, unless `more` says otherwise."""
        first, _, last = name.partition(" ")
        user: dict[str, Any] = {
            "id": id,
            "team_id": TEAM,
            "name": id.lower(),
            "deleted": False,
            "real_name": name,
            "tz": "Europe/Bucharest",
            "is_admin": False,
            "is_owner": False,
            "is_restricted": False,
            "is_ultra_restricted": False,
            "is_bot": False,
            "is_email_confirmed": True,
            "updated": int(time.time()),
            **more,
        }
        user["profile"] = {
            "real_name": name,
            "real_name_normalized": name,
            "display_name": first.lower(),
            "display_name_normalized": first.lower(),
            "first_name": first,
            "last_name": last,
            "title": "Customer advisory board",
            "phone": "",
            "skype": "",
            "status_text": "",
            "status_emoji": "",
            "avatar_hash": "",
            "email": email,
            "team": user["team_id"],
        }
        self.records["users"][id] = user
        return user

    def install_bot(self) -> None:
        profile = {"bot_id": BOT, "real_name": "Privacy Desk"}
        self.records["users"][BOT_USER] = {
            "id": BOT_USER,
            "team_id": TEAM,
            "name": "privacy",
            "deleted": False,
            "is_bot": True,
            "profile": profile,
        }

    def delete_profile(self, wanted: Mapping[str, Any]) -> str:
        """As the Primary Owner does; returns the member's id, empty if nobody is meant."""
        for user in list(self.records["users"].values()):
            if wanted.get("user") == user["id"] or wanted.get("email") == user["profile"].get("email", ""):
                bare = {"real_name": "Deactivated User", "display_name": "deactivateduser", "team": TEAM}
                gone = {"real_name": "Deactivated User", "name": "deactivateduser", "deleted": True}
                self.records["users"][user["id"]] = {**user, **gone, "is_email_confirmed": False, "profile": bare}
                return str(user["id"])
        return ""

    def with_email(self, email: str) -> list[dict[str, Any]]:
        wanted = email.strip().lower()
        users = self.records["users"].values()
        return [user for user in users if wanted and (user["profile"].get("email") or "").lower() == wanted]

    def open(self, id: str, more: Mapping[str, Any]) -> str:
        """A conversation; its id."""
        if id not in self.records["conversations"]:
            self.records["conversations"][id] = {"id": id, "created": int(time.time()), "is_archived": False, **more}
        return id

    def direct(self, user: str) -> str:
        """The bot's one direct conversation with a member."""
        return self.open("D" + user[1:], {"is_im": True, "user": user, "is_user_deleted": False})

    def older_chat(self, user: str) -> None:
        """A direct conversation of last month, long enough for several pages."""
        lines = (
            (user, "Hi, is this where privacy questions go?"),
            (BOT_USER, "Hello! Yes: write what you would like to know."),
            (user, "Which countries is my data in?"),
            (BOT_USER, "In Romania, the EU and the USA."),
            (BOT_USER, "The privacy policy lists every processor by name."),
        )
        channel, start = self.direct(user), int(time.time()) - 30 * DAY
        for n, (author, text) in enumerate(lines):
            self.store(channel, author, text, ts=f"{start + 60 * n}.{n:06d}")

    def store(self, channel: str, user: str, text: str, ts: str = "", **more: Any) -> dict[str, Any]:
        """A message; `ts` is unique in the workspace and ascends."""
        with self.records.lock:
            if not ts:
                self._last_ts = max(self._last_ts + 1, int(time.time() * 1_000_000))
                ts = f"{self._last_ts // 1_000_000}.{self._last_ts % 1_000_000:06d}"
            message: dict[str, Any] = {"type": "message", "user": user, "text": text, "ts": ts, "team": TEAM, **more}
            if user == BOT_USER:
                message["bot_id"] = BOT
            self.records["messages"][f"{channel}:{ts}"] = message
            return message

    def messages(self, channel: str) -> list[dict[str, Any]]:
        return [message for key, message in self.records["messages"].items() if key.startswith(f"{channel}:")]
