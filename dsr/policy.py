"""The privacy policy as configuration: `policy.toml`, read once and checked as a whole.

What the policy leaves open is the string `unset` in the file; `Policy.unset()` names every such place.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import holidays
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from dsr.errors import ConfigurationError
from dsr.model import Origin, Right

UNSET = "unset"


def _country(code: str) -> str:
    if code not in holidays.list_supported_countries(include_aliases=False):
        raise ValueError("is not a country whose public holidays are known (ISO 3166-1 alpha-2)")
    return code


def _timezone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        raise ValueError("is not a time zone of the IANA database") from None
    return name


Text = Annotated[str, Field(min_length=1)]
Country = Annotated[str, AfterValidator(_country)]
Timezone = Annotated[str, AfterValidator(_timezone)]
Address = Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]  # of a folder, table or column: safe as an identifier


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Controller(_Part):
    """Who decides about the data (Art. 4(7)).

    Args:
        brand: the name that customers know.
        country: ISO 3166-1 alpha-2; its public holidays move deadlines.
        timezone: IANA name; fixes the day of receipt and the end of the last day.
        site: absolute address of the web site.
        support: the support mailbox, an official channel for requests.
        policy_date: ISO date of the policy's last revision.
    """

    name: Text
    brand: Text
    address: Text
    country: Country
    timezone: Timezone
    site: Text
    support: Address
    policy_date: Text


class Dpo(_Part):
    """The data protection officer (Art. 37); the mailbox is an official channel for requests."""

    email: Address


class Authority(_Part):
    """The supervisory authority that every refusal must name (Art. 12(4), 77)."""

    name: Text
    short: Text
    address: Text
    site: Text
    email: Address


class DataCategory(_Part):
    """A category of data with its purposes and source (Art. 15(1)(a), (b), (g)); `persons`: whom it is about."""

    id: Name
    name: Text
    persons: tuple[Text, ...] = Field(min_length=1)
    data: tuple[Text, ...]
    purposes: tuple[Text, ...]
    source: Text


class RightText(_Part):
    """What the policy promises about one right.

    Args:
        heading: of the policy's section; empty if the right stands only in the law.
        summary: in the policy's own words, shortened.
    """

    right: Right
    article: Text
    heading: str
    summary: Text


class RetentionEntry(_Part):
    """How long something is stored: `period` is a phrase, or `unset` where the policy only says `policy_says`."""

    id: Name
    what: Text
    policy_says: Text
    period: Text


class Transfers(_Part):
    """Transfers to third countries (Art. 13(1)(f), 15(2))."""

    countries: tuple[Text, ...]
    policy_says: Text
    safeguard: Text


class ProcessorEntry(_Part):
    """One row of the policy's list of sub-processors.

    Args:
        name: the folder in `integrations/`.
        label, purpose, location, site: as the policy writes them.
        data: ids of the categories of data that it may receive.
    """

    name: Name
    label: Text
    purpose: Text
    location: Text
    site: Text
    data: tuple[Name, ...] = Field(min_length=1)


class KeptRecord(_Part):
    """What stays after an erasure, and by what right.

    Args:
        holder: `controller`, or the name of the processor that keeps it.
        article: of the GDPR.
        ground: the duty or claim, in plain English.
        until: phrase for people.
        rule: id of a retention rule in `rules.toml` that gives the date; empty if there is no date.
    """

    id: Name
    holder: Name
    what: Text
    article: Text
    ground: Text
    until: Text
    rule: str = ""


class Topic(_Part):
    """One kind of promotional mail that a person can switch off by itself."""

    id: Name
    name: Text
    description: Text


class IdentifierColumns(_Part):
    """The columns of a table that holds a person's identifiers at other processors (`<vendor>.<kind>`, value)."""

    vendor: Name
    kind: Name
    value: Name


class Table(_Part):
    """One table of the company's own database, as data for a SQL processor.

    Args:
        columns: all columns that the processor knows; any other column is left alone.
        person: identity type (`email`, `account_id`) -> the column that holds it.
        role: `controller`, or `processor` when the rows are about the recipients of a customer's mail.
        customer: for role `processor`: the column with the id of the account whose list this is. A row goes
            with that account; a recipient's own request is suppressed here and forwarded to the customer.
        erasure: erase the row, anonymise it (`clear`), or keep it (`kept`).
        clear: columns set to NULL by `anonymise`.
        kept: id of the kept record with the ground.
        kept_from: column with the date from which its rule counts.
        export: part of the package (Art. 15).
        origin: where the rows come from; what the controller made itself is no part of Art. 20.
        secret: columns that never leave, e.g. a password hash.
        suppress: boolean column that stops promotional mail.
        restrict: boolean column that stops use (Art. 18).
        tag: text column for tags of the account.
        company: column with the customer's company, told to recipients of its mail who proved themselves.
        rectify: columns that a rectification may change.
        identifiers: set on the table of identifiers at other processors.
    """

    name: Name
    holds: Text
    columns: tuple[Name, ...]
    person: Mapping[Literal["email", "account_id"], Name] = Field(min_length=1)
    role: Literal["controller", "processor"] = "controller"
    customer: str = ""
    erasure: Literal["erase", "anonymise", "keep"]
    clear: tuple[Name, ...] = ()
    kept: str = ""
    kept_from: str = ""
    export: bool
    origin: Origin
    secret: tuple[Name, ...] = ()
    suppress: str = ""
    restrict: str = ""
    tag: str = ""
    company: str = ""
    rectify: tuple[Name, ...] = ()
    identifiers: IdentifierColumns | None = None

    @property
    def exported(self) -> tuple[str, ...]:
        """The columns of the package, in order; empty if the table is not exported."""
        return tuple(c for c in self.columns if c not in self.secret) if self.export else ()

    @model_validator(mode="after")
    def _consistent(self) -> Table:
        named = [*self.person.values(), *self.clear, *self.secret, *self.rectify]
        named += [c for c in (self.customer, self.kept_from, self.suppress, self.restrict, self.tag, self.company) if c]
        named += list(self.identifiers.model_dump().values()) if self.identifiers else []
        problems = [f"column {c} is not in columns" for c in dict.fromkeys(named) if c not in self.columns]
        if (self.erasure == "anonymise") != bool(self.clear):
            problems.append("clear belongs to erasure = anonymise, and is needed there")
        if (self.erasure == "keep") != bool(self.kept):
            problems.append("kept (the ground) belongs to erasure = keep, and is needed there")
        if (self.role == "processor") != bool(self.customer):
            problems.append("customer belongs to role = processor, and is needed there")
        if problems:
            raise ValueError("; ".join(problems))
        return self


class OwnDatabase(_Part):
    """The company's own database, described as data."""

    name: Name
    label: Text
    tables: tuple[Table, ...]

    @property
    def accounts(self) -> Table:
        """The table that turns an e-mail address into an account id."""
        return next(t for t in self.tables if {"email", "account_id"} <= t.person.keys())

    def table(self, name: str) -> Table:
        """One table; KeyError if there is none of this name."""
        return {table.name: table for table in self.tables}[name]

    @model_validator(mode="after")
    def _one_accounts_table(self) -> OwnDatabase:
        if sum({"email", "account_id"} <= t.person.keys() for t in self.tables) != 1:
            raise ValueError("exactly one table must hold both email and account_id of a person")
        return self


class Policy(_Part):
    """The whole policy.

    Args:
        age_floor: years of age below which a person may not use the service without parental consent (Art. 8).
        security: the measures of Art. 32 in general, for the register of processing.
    """

    age_floor: int = Field(ge=13, le=18)
    security: tuple[Text, ...] = Field(min_length=1)
    controller: Controller
    dpo: Dpo
    authority: Authority
    categories: tuple[DataCategory, ...] = Field(min_length=1)
    rights: tuple[RightText, ...] = Field(min_length=1)
    retention: tuple[RetentionEntry, ...] = Field(min_length=1)
    transfers: Transfers
    processors: tuple[ProcessorEntry, ...] = Field(min_length=1)
    kept: tuple[KeptRecord, ...] = ()
    topics: tuple[Topic, ...] = Field(min_length=1)
    own_database: OwnDatabase

    def processor(self, name: str) -> ProcessorEntry:
        """The policy's row of one processor; KeyError if the policy does not name it."""
        return {entry.name: entry for entry in self.processors}[name]

    def kept_record(self, id: str) -> KeptRecord:
        """One kept record; KeyError if there is none of this id."""
        return {record.id: record for record in self.kept}[id]

    def right(self, right: Right) -> RightText:
        """What the policy says of a right (`load` made sure that it says something of each)."""
        return next(text for text in self.rights if text.right is right)

    def unset(self) -> tuple[str, ...]:
        """Dotted paths of everything that the policy leaves open, e.g. `retention.closed_account.period`."""
        return tuple(_open_places(self.model_dump(mode="json")))

    @model_validator(mode="after")
    def _whole(self) -> Policy:
        problems = [f"{what}: twice: {', '.join(twice)}" for what, twice in self._repetitions().items() if twice]
        missing = [right.value for right in Right if right not in {text.right for text in self.rights}]
        if missing:
            problems.append(f"rights: nothing is said of {', '.join(missing)}")
        known = {record.id for record in self.kept}
        for table in self.own_database.tables:
            if table.kept and table.kept not in known:
                problems.append(f"own_database.tables.{table.name}.kept: there is no kept record of this id")
        categories = {category.id for category in self.categories}
        for entry in self.processors:
            problems += [f"processors.{entry.name}.data: no category {c}" for c in entry.data if c not in categories]
        holders = {"controller", *(entry.name for entry in self.processors)}
        for record in self.kept:
            if record.holder not in holders:
                problems.append(f"kept.{record.id}.holder: is neither controller nor a processor")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _repetitions(self) -> dict[str, list[str]]:
        return {
            "processors": _repeated(entry.name for entry in self.processors),
            "processors (label)": _repeated(entry.label for entry in self.processors),
            "categories": _repeated(entry.id for entry in self.categories),
            "rights": _repeated(entry.right.value for entry in self.rights),
            "retention": _repeated(entry.id for entry in self.retention),
            "kept": _repeated(entry.id for entry in self.kept),
            "topics": _repeated(entry.id for entry in self.topics),
            "own_database.tables": _repeated(table.name for table in self.own_database.tables),
        }


def load(path: str | Path) -> Policy:
    """Read and check a policy file.

    Raises:
        ConfigurationError: the file is missing or is not TOML; or all problems of its content, by dotted path.
    """
    try:
        raw = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError:
        raise ConfigurationError([f"POLICY_FILE: cannot read {Path(path).name}"]) from None
    except ValueError as error:  # TOMLDecodeError, UnicodeDecodeError
        raise ConfigurationError([f"{Path(path).name}: is not TOML in UTF-8: {error}"]) from None
    try:
        return Policy.model_validate(raw)
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False)
        raise ConfigurationError(
            f"{_path(e['loc'], raw)}: {e['msg'].removeprefix('Value error, ')}" for e in found
        ) from None


def _path(location: tuple[int | str, ...], raw: object) -> str:
    """A dotted path that names list entries by their own name, as `Policy.unset` does."""
    parts: list[str] = []
    for step in location:
        inner = raw[step] if (isinstance(raw, list) and isinstance(step, int) and step < len(raw)) else None
        if isinstance(raw, dict):
            inner = raw.get(step)
        parts.append(_label(inner, step) if isinstance(step, int) else step)
        raw = inner
    return ".".join(parts) or "policy"


def _label(entry: object, index: int) -> str:
    if isinstance(entry, dict):
        for key in ("id", "name", "right"):
            if isinstance(entry.get(key), str):
                return str(entry[key])
    return str(index)


def _open_places(value: object, path: str = "") -> Iterator[str]:
    if value == UNSET:
        yield path
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _open_places(inner, f"{path}.{key}".lstrip("."))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _open_places(inner, f"{path}.{_label(inner, index)}")


def _repeated(values: Iterable[str]) -> list[str]:
    seen = list(values)
    return sorted({value for value in seen if seen.count(value) > 1})
