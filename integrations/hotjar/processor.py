"""Hotjar as a processor: recordings, feedback and survey answers of a person, by user look-up.

API: https://help.hotjar.com/hc/en-us/articles/36820005914001-Hotjar-API-Reference; the tool in Hotjar's own pages:
https://help.hotjar.com/hc/en-us/articles/360001749014
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from dsr.addresses import find_in
from dsr.model import (
    DataFile,
    Findings,
    Identities,
    Instruction,
    Operation,
    Origin,
    Receipt,
    Residue,
    Support,
    done,
    manual,
)
from integrations.hotjar.api import Api
from integrations.hotjar.settings import HotjarSettings
from integrations.processor import Processor

if TYPE_CHECKING:
    from dsr.policy import Policy

SUPPORTS: Mapping[Operation, Support] = {
    Operation.FIND: Support.MANUAL,  # the API answers a look-up without documented contents
    Operation.EXPORT: Support.COMPOSED,
    Operation.ERASE: Support.NATIVE,
    Operation.SUPPRESS: Support.NONE,  # Hotjar sends nothing
    Operation.RESTRICT: Support.MANUAL,
    Operation.LIFT: Support.MANUAL,
    Operation.RECTIFY: Support.MANUAL,
}
_OPEN = (
    "Sign in at insights.hotjar.com as Admin or Write (Hotjar's staff cannot do it for you), open Settings > User "
    "Lookup and choose the organisation; repeat for each. Enter the e-mail address and, where it is known, site id and "
    "user id; submit and open the report. "
)
INSTRUCTIONS: Mapping[Operation, str] = {
    Operation.FIND: _OPEN + "Note how many hits of each kind it lists.",
    Operation.EXPORT: _OPEN + "Save the report as PDF; add the person's answers from Surveys > Responses.",
    Operation.ERASE: _OPEN + "Choose delete for everything listed and keep a screenshot as proof. Recordings that show "
    "the person without a linked id are not listed: open Recordings, filter by date and page, delete them by hand.",
    Operation.RESTRICT: "Hotjar cannot restrict one person. Make your site not load Hotjar's script for this account, "
    "or at least stop `hj('identify', …)` for it; the person can also opt out at "
    "www.hotjar.com/legal/compliance/opt-out.",
    Operation.LIFT: "Let your site load Hotjar's script and send `hj('identify', …)` for this account again.",
    Operation.RECTIFY: "Correct the data in your own database: the next `hj('identify', …)` overwrites the attributes "
    "at Hotjar. Answers in surveys are the person's own words; delete them if they must not stay.",
}
UNKNOWABLE = "Hotjar tells what it holds only in its own pages, not by API"
NOBODY = "Neither an address nor an account id with a configured site is known: there is nothing to look up by. "
PICTURES = Residue(
    "what is visible in pictures of pages: heat maps, recordings without a linked id",
    "Hotjar's look-up does not search them; a person deletes those that are known",
)
SETTLED_AFTER = 1.0  # days; deletion is submitted, and how long it takes is not documented
# An address that nobody has (RFC 6761), to see whether the plan includes the look-up.
PROBE = {"data_subject_email": "privacy-desk-check@example.invalid"}


class HotjarProcessor(Processor):
    """Submits deletions; whether anything was held is told to people only, so `no_match` is never claimed."""

    name: ClassVar[str] = "hotjar"
    label: ClassVar[str] = "HotJar"
    supports: ClassVar[Mapping[Operation, Support]] = SUPPORTS
    identity_types: ClassVar[frozenset[str]] = frozenset({"email", "account_id"})
    instructions: ClassVar[Mapping[Operation, str]] = INSTRUCTIONS

    def __init__(self, settings: HotjarSettings, policy: Policy | None = None) -> None:
        self._api = Api(settings)
        self._sites = settings.sites
        self._surveys = settings.surveys

    def find(self, subject: Identities) -> Findings:
        return Findings(unknowable=UNKNOWABLE, residue=(PICTURES,))

    def export(self, instruction: Instruction) -> Iterator[DataFile]:
        """The look-up's answer as it came, and with Ask Scale the survey answers in which the address stands."""
        yield DataFile("look_up.json", self._reports(instruction.subject))
        if self._surveys:
            yield DataFile("survey_responses.json", self._answers(instruction.subject), origin=Origin.PROVIDED)

    def erase(self, instruction: Instruction) -> Receipt:
        """Submit a deletion in every organisation, by address and by account id."""
        submitted = 0
        for organization, who in self._people(instruction.subject):
            self._api.look_up(organization, who, delete=True)
            submitted += 1
        if not submitted:
            return manual(NOBODY + INSTRUCTIONS[Operation.ERASE])
        return done({"deletions submitted": submitted}, residue=(PICTURES,), ready_after_days=SETTLED_AFTER)

    def check(self) -> None:
        """Looks up an address that nobody has, so that a plan without the API is noticed now."""
        for organization in self._sites:
            self._api.look_up(organization, PROBE, delete=False)

    def _people(self, subject: Identities) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Whom to look up, organisation by organisation. Account ids are case-sensitive."""
        for organization, sites in self._sites.items():
            for email in subject.of("email"):
                yield organization, {"data_subject_email": email}
            for account in subject.of("account_id") if sites else ():
                yield organization, {"data_subject_site_id_to_user_id_map": dict.fromkeys(sites, account)}

    def _reports(self, subject: Identities) -> Iterator[Mapping[str, object]]:
        for organization, who in self._people(subject):
            yield {"organization": organization, **who, "answer": self._api.look_up(organization, who, delete=False)}

    def _answers(self, subject: Identities) -> Iterator[Mapping[str, object]]:
        addresses = {email.lower() for email in subject.of("email")}
        for site in (site for sites in self._sites.values() for site in sites):
            for survey in self._api.surveys(site):
                for response in self._api.responses(site, str(survey.get("id"))):
                    if addresses & set(find_in(_words(response))):
                        yield {"site": site, "survey": survey.get("name"), **response}


def _words(response: Mapping[str, Any]) -> str:
    answers = [str(a.get("answer") or "") for a in response.get("answers") or [] if isinstance(a, dict)]
    return "\n".join((*answers, str(response.get("comment") or "")))
