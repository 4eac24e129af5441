"""Every vendor, one line each; and what is connected under the present settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dsr.errors import ConfigurationError
from dsr.model import Operation, Support
from dsr.policy import Policy
from integrations import (
    atlassian,
    baremetrics,
    dropbox,
    google,
    hotjar,
    hubspot,
    intercom,
    mailchimp,
    mailgun,
    maxmind,
    meta,
    microsoft,
    own_database,
    paddle,
    sentry,
    slack,
    smartsupp,
    tawkto,
    zendesk,
)
from integrations.channel import Channel
from integrations.mail import Mailer, make_mailer
from integrations.manual import ManualProcessor
from integrations.processor import Processor
from integrations.vendor import Vendor, VendorSettings

VENDORS: tuple[Vendor, ...] = (
    own_database.VENDOR,
    intercom.VENDOR,
    zendesk.VENDOR,
    zendesk.MESSAGING,
    slack.VENDOR,
    mailgun.VENDOR,
    mailchimp.VENDOR,
    paddle.VENDOR,
    baremetrics.VENDOR,
    hubspot.VENDOR,
    hotjar.VENDOR,
    maxmind.VENDOR,
    google.VENDOR,
    meta.VENDOR,
    sentry.VENDOR,
    atlassian.VENDOR,
    dropbox.VENDOR,
    tawkto.VENDOR,
    smartsupp.VENDOR,
    microsoft.VENDOR,
)


@dataclass
class Connections:
    """What this process talks to.

    Args:
        channels: webhook path -> channel.
        processors: the own database first, then the policy's list in its order, never one less; last the desk's own
            records, once there is a desk.
        off: labels of the processors that are not connected (every step is a manual task).
    """

    channels: dict[str, Channel] = field(default_factory=dict)
    processors: dict[str, Processor] = field(default_factory=dict)
    mailer: Mailer | None = None
    off: list[str] = field(default_factory=list)

    @property
    def supports(self) -> dict[str, Mapping[Operation, Support]]:
        """What is possible at each processor under the present settings."""
        return {name: processor.supports for name, processor in self.processors.items()}

    @property
    def vendor_of_channel(self) -> dict[str, str]:
        """Channel -> the vendor that holds its conversations; "" where they are mails, which only the person holds."""
        return {name: "" if c.answers_by_mail else c.vendor for name, c in self.channels.items()}

    @property
    def by_mail(self) -> frozenset[str]:
        """Channels that are answered by mail; none without a mailer."""
        return frozenset(name for name, c in self.channels.items() if c.answers_by_mail and self.mailer)

    @property
    def unsubscribe_address(self) -> str:
        return next((c.unsubscribe_address for c in self.channels.values() if c.unsubscribe_address), "")


def connect(env: Mapping[str, str], policy: Policy) -> Connections:
    """Make every channel and processor whose variables are set. No network.

    Raises:
        ConfigurationError: with the problems of all vendors at once.
    """
    problems: list[str] = []
    settings: dict[str, VendorSettings] = {}
    for one in VENDORS:
        try:
            if found := one.settings.from_env(env):
                settings[one.name] = found
        except ConfigurationError as error:
            problems += error.problems
    if problems:
        raise ConfigurationError(problems)
    made = Connections()
    known = {v.name: v for v in VENDORS if v.label}
    for name, label in [("own_database", policy.own_database.label), *((p.name, p.label) for p in policy.processors)]:
        vendor: Vendor | None = known.get(name)
        if vendor and vendor.processor and name in settings:
            made.processors[name] = vendor.processor(settings[name], policy)
            continue
        made.off.append(label)
        made.processors[name] = ManualProcessor(
            name, label, vendor.instructions if vendor else None, vendor.supports if vendor else None
        )
    for one in VENDORS:
        if one.name in settings:
            made.channels |= {path: make(settings[one.name]) for path, make in one.channels.items()}
    made.mailer = make_mailer(env.get("SMTP_URL", ""), settings.get("mailgun"), env.get("MAIL_FROM", ""))
    return made


def unknown_processors(policy: Policy) -> list[str]:
    """Processors that the policy names and no vendor's folder stands for: nobody has said what can be done there."""
    known = {v.name for v in VENDORS if v.label}
    return [entry.name for entry in policy.processors if entry.name not in known]


def unnamed_vendors(policy: Policy) -> list[str]:
    """Vendors' folders that stand for a processor which the policy does not name: no request reaches it."""
    named = {"own_database", *(entry.name for entry in policy.processors)}
    return [v.name for v in VENDORS if v.label and v.name not in named]
