"""What every use-case needs, in one value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from dsr.letters.mails import Company
from dsr.policy import Policy
from dsr.proof import Ladder
from dsr.proof import load as load_ladder
from dsr.settings import Settings
from dsr.store.database import Database, make_engine
from dsr.store.vault import Vault
from dsr.tasks import Tasks


@dataclass(frozen=True)
class Desk:
    """Args:
    channels: names of the channels that are connected -> the vendor that holds their conversations.
    now: the clock, aware.
    proof: what is asked of a person before anything is done.
    by_mail: channels whose conversations are answered by mail.
    unsubscribe_address: a mail to it unsubscribes; "" if no mail is read.
    """

    settings: Settings
    policy: Policy
    db: Database
    vault: Vault
    tasks: Tasks
    channels: dict[str, str]
    now: Callable[[], datetime]
    proof: Ladder
    by_mail: frozenset[str] = frozenset()
    unsubscribe_address: str = ""

    @property
    def company(self) -> Company:
        """Whom our mails come from."""
        policy = self.policy
        authority = f"{policy.authority.name} ({policy.authority.short}), {policy.authority.site}"
        return Company(policy.controller.brand, policy.dpo.email, authority, policy.controller.timezone)

    def url(self, path: str) -> str:
        """An absolute link; the base comes from the configuration alone (attack G14)."""
        return f"{self.settings.base_url}/{path.lstrip('/')}"


def utc_now() -> datetime:
    return datetime.now(UTC)


def make_desk(
    settings: Settings,
    policy: Policy,
    channels: dict[str, str],
    now: Callable[[], datetime] = utc_now,
    proof: Ladder | None = None,
    *,
    by_mail: frozenset[str] = frozenset(),
    unsubscribe_address: str = "",
) -> Desk:
    """Args:
    proof: default: the table that comes with the desk.
    """
    db = Database(make_engine(settings.database_url))
    vault = Vault(settings.data_keys.get_secret_value(), settings.hash_key.get_secret_value(), now)
    ladder = proof or load_ladder(on=now().date())
    return Desk(settings, policy, db, vault, Tasks(db.engine), channels, now, ladder, by_mail, unsubscribe_address)
