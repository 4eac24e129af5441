"""Find, export, erase, restrict, suppress and rectify in the company's own SQL database.

Which tables, which column identifies a person, and whether a row is erased, anonymised or kept (with its ground) is
data: `[own_database]` in `policy.toml`. Every operation is one transaction.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from dsr import deadlines
from dsr.errors import VendorAnswerUnexpected, VendorUnavailable
from dsr.forwarding import Customer
from dsr.model import (
    DataFile,
    Findings,
    Identities,
    Identity,
    Instruction,
    Operation,
    Receipt,
    Residue,
    Right,
    Support,
    done,
    no_match,
)
from dsr.policy import Policy, Table
from dsr.store.database import make_engine
from integrations.own_database.settings import OwnDatabaseSettings
from integrations.processor import Processor

SUPPORTS: Mapping[Operation, Support] = dict.fromkeys(Operation, Support.NATIVE)

UNDER_16 = "privacy_under_16_reported"
BATCH = 500  # rows fetched at a time for an export

# What a rectification may name -> the columns that it may mean.
_FIELDS = {
    "name": ("full_name", "name"),
    "email": ("email",),
    "phone": ("phone",),
    "company": ("company",),
    "address": ("address",),
}


class OwnDatabaseProcessor(Processor):
    """Args:
    policy: `policy.own_database` describes the tables.
    """

    name: ClassVar[str] = "own_database"
    label: ClassVar[str] = "own database"
    supports: ClassVar[Mapping[Operation, Support]] = SUPPORTS
    identity_types: ClassVar[frozenset[str]] = frozenset({"email", "account_id"})
    keeps: ClassVar[bool] = True  # a kind is a table

    def __init__(self, settings: OwnDatabaseSettings, policy: Policy) -> None:
        self.label = policy.own_database.label  # type: ignore[misc]  # the company's name for it
        self._policy, self._tables = policy, policy.own_database.tables
        self._engine = make_engine(settings.url.get_secret_value(), pool_size=5)

    # -- looking -------------------------------------------------------------------------------------------------

    def find(self, subject: Identities) -> Findings:
        with self._connect(reading=True) as conn:
            subject = self._resolved(conn, subject)
            held: dict[str, int] = {}
            residue: list[Residue] = []
            for table in self._tables:
                count = conn.execute(self._select(table, subject, sa.func.count())).scalar_one()
                if count and table.erasure == "keep":
                    residue.append(self._kept(conn, table, subject, count))
                elif count:
                    held[table.name] = count
            accounts = subject.of("account_id")
            return Findings(held, identities=subject.all, ambiguous=len(accounts) > 1, residue=tuple(residue))

    def _resolved(self, conn: sa.Connection, subject: Identities) -> Identities:
        """The person's account ids, and their identifiers at other processors."""
        accounts = self._policy.own_database.accounts
        rows = conn.execute(self._select(accounts, subject, sa.column(accounts.person["account_id"]), types=("email",)))
        subject = subject.plus(Identity("account_id", str(row[0])) for row in rows)
        for table in self._tables:
            if table.identifiers:
                columns: tuple[sa.ColumnClause[Any], ...] = (
                    sa.column(table.identifiers.vendor),
                    sa.column(table.identifiers.kind),
                    sa.column(table.identifiers.value),
                )
                found = conn.execute(self._select(table, subject, *columns))
                subject = subject.plus(Identity(f"{v}.{k}", str(value)) for v, k, value in found)
        return subject

    def _select(self, table: Table, subject: Identities, *what: Any, types: Any = None) -> sa.Select[Any]:
        return sa.select(*what).select_from(sa.table(table.name)).where(self._whose(table, subject, types))

    @staticmethod
    def _whose(table: Table, subject: Identities, types: tuple[str, ...] | None = None) -> sa.ColumnElement[bool]:
        """The rows of this person: exact match; addresses without regard to ASCII case, as they are kept anyhow."""
        clauses: list[sa.ColumnElement[bool]] = []
        for type, name in table.person.items():
            values = subject.of(type) if types is None or type in types else ()
            column: sa.ColumnElement[str] = sa.column(name, sa.String)
            column = sa.func.lower(column) if type == "email" else sa.cast(column, sa.String)
            clauses.append(column.in_(values))
        return sa.or_(*clauses)

    def _kept(self, conn: sa.Connection, table: Table, subject: Identities, count: int) -> Residue:
        record = self._policy.kept_record(table.kept)
        until = record.until
        if record.rule and table.kept_from:
            newest = conn.execute(self._select(table, subject, sa.func.max(sa.column(table.kept_from)))).scalar_one()
            end = deadlines.retention_end(record.rule, date.fromisoformat(str(newest)[:10]))
            until = end.isoformat() if end else until
        return Residue(f"{table.holds} ({count})", f"{record.ground} ({record.article})", until, kept_by_law=True)

    def address_of(self, identity: Identity) -> str:
        """Address of the one account that another processor knows by this id; empty if there is none, or two."""
        vendor, _, kind = identity.type.partition(".")
        accounts = self._policy.own_database.accounts
        found: set[str] = set()
        with self._connect(reading=True) as conn:
            for table in self._tables:
                if table.identifiers and "account_id" in table.person:
                    names = (table.identifiers.vendor, table.identifiers.kind, table.identifiers.value)
                    wanted = zip(names, (vendor, kind, identity.value), strict=True)
                    whose = sa.select(sa.cast(sa.column(table.person["account_id"]), sa.String))
                    whose = whose.select_from(sa.table(table.name)).where(
                        *(sa.cast(sa.column(name), sa.String) == value for name, value in wanted)
                    )
                    account = sa.cast(sa.column(accounts.person["account_id"]), sa.String)
                    query = sa.select(sa.column(accounts.person["email"], sa.String))
                    rows = conn.execute(query.select_from(sa.table(accounts.name)).where(account.in_(whose)))
                    found |= {address for address in rows.scalars() if address}
        return found.pop() if len(found) == 1 else ""

    def addresses(self) -> Iterator[str]:
        """Every account's address, as it is kept, for the look after erased persons."""
        accounts = self._policy.own_database.accounts
        query = sa.select(sa.column(accounts.person["email"], sa.String)).select_from(sa.table(accounts.name))
        with self._connect(reading=True) as conn:
            rows = conn.execute(query.execution_options(yield_per=BATCH)).scalars()
            yield from (address for address in rows if address)

    def customers_of(self, address: str, *, still_mailed: bool) -> tuple[Customer, ...]:
        """The customers in whose lists an address stands: they are the controllers there.

        Args:
            still_mailed: only those whose list may still mail it.
        """
        subject = Identities.of_email(address)
        accounts: set[str] = set()
        with self._connect(reading=True) as conn:
            for table in self._tables:
                if table.role == "processor":
                    query = self._select(table, subject, sa.cast(sa.column(table.customer), sa.String)).distinct()
                    if still_mailed and table.suppress:
                        flag = sa.func.coalesce(sa.column(table.suppress, sa.Boolean), sa.false())
                        query = query.where(flag.is_(sa.false()))
                    accounts |= {str(found) for found in conn.execute(query).scalars() if found}
            return self._customers(conn, accounts)

    def customer(self, account: str) -> Customer | None:
        """One customer by account id; None if there is none, or it has no address."""
        with self._connect(reading=True) as conn:
            return next(iter(self._customers(conn, {account})), None)

    def _customers(self, conn: sa.Connection, accounts: set[str]) -> tuple[Customer, ...]:
        table = self._policy.own_database.accounts
        id = sa.cast(sa.column(table.person["account_id"]), sa.String)
        company = sa.column(table.company, sa.String) if table.company else sa.literal("")
        query = sa.select(id, sa.column(table.person["email"], sa.String), company).select_from(sa.table(table.name))
        rows = conn.execute(query.where(id.in_(accounts)).order_by(id)).all() if accounts else ()
        return tuple(Customer(str(row[0]), row[1], row[2] or "") for row in rows if row[1])

    # -- acting --------------------------------------------------------------------------------------------------

    def export(self, instruction: Instruction) -> Iterator[DataFile]:
        with self._connect(reading=True) as conn:
            subject = self._resolved(conn, instruction.subject)
            for table in self._tables:
                columns: list[sa.ColumnClause[Any]] = [sa.column(name) for name in table.exported]
                if columns:
                    rows = conn.execution_options(yield_per=BATCH).execute(self._select(table, subject, *columns))
                    # The rows of a table are one person's by its own columns: there is nobody to mask.
                    found = (dict(row._mapping) for row in rows)
                    yield DataFile(f"{table.name}.json", found, origin=table.origin, names_others=False)

    def erase(self, instruction: Instruction) -> Receipt:
        if instruction.keep - {table.name for table in self._tables}:
            raise VendorAnswerUnexpected(self.name, "a hold exempts a table that policy.toml does not name")
        counts: dict[str, int] = {}
        residue: list[Residue] = []
        with self._connect() as conn:
            subject = self._resolved(conn, instruction.subject)
            tables = sorted(
                (t for t in self._tables if t.name not in instruction.keep),
                key=lambda t: t is self._policy.own_database.accounts,
            )  # what points to it first
            for table in tables:
                where, target = self._whose(table, subject), self._table(table)
                if table.erasure == "keep":
                    if count := conn.execute(self._select(table, subject, sa.func.count())).scalar_one():
                        residue.append(self._kept(conn, table, subject, count))
                elif table.erasure == "anonymise":
                    cleared = conn.execute(target.update().where(where).values(dict.fromkeys(table.clear)))
                    counts[table.name] = cleared.rowcount
                else:
                    rows = target.delete().where(where)
                    if table.customer:  # the lists of a customer who leaves go with the account
                        owned = sa.cast(sa.column(table.customer), sa.String).in_(subject.of("account_id"))
                        rows = target.delete().where(sa.or_(where, owned))
                    counts[table.name] = conn.execute(rows).rowcount
        counts = {name: n for name, n in counts.items() if n}
        if not counts and not residue:
            return no_match()
        return done(counts, identities=subject.all, residue=tuple(residue))

    def suppress(self, instruction: Instruction) -> Receipt:
        with self._connect() as conn:
            subject = self._resolved(conn, instruction.subject)
            counts = self._flag(conn, subject, "suppress", True)
            if instruction.right is Right.AGE_REPORT:
                self._tag(conn, subject)
        return done(counts) if counts else no_match()

    def restrict(self, instruction: Instruction) -> Receipt:
        return self._set(instruction.subject, "restrict", True)

    def lift(self, instruction: Instruction) -> Receipt:
        if instruction.right is Right.AGE_REPORT:
            with self._connect() as conn:
                self._untag(conn, self._resolved(conn, instruction.subject))
        return self._set(instruction.subject, "restrict", False)

    def stands(self, instruction: Instruction) -> bool | None:
        which = {Operation.RESTRICT: "restrict", Operation.SUPPRESS: "suppress"}[instruction.operation]
        with self._connect(reading=True) as conn:
            subject = self._resolved(conn, instruction.subject)
            for table in self._tables:
                if name := getattr(table, which):
                    flag = sa.func.coalesce(sa.column(name, sa.Boolean), sa.false())
                    rows = self._select(table, subject, sa.func.count()).where(flag.is_(sa.false()))
                    if conn.execute(rows).scalar_one():
                        return False
        return True

    def resubscribe(self, instruction: Instruction) -> Receipt:
        """In the company's own tables. In the lists of its customers the stop stays: who subscribes to our mail has
        not subscribed to theirs."""
        with self._connect() as conn:
            subject = self._resolved(conn, instruction.subject)
            counts = self._flag(conn, subject, "suppress", False, [t for t in self._tables if t.role != "processor"])
        return done(counts) if counts else no_match()

    def rectify(self, instruction: Instruction) -> Receipt:
        counts: dict[str, int] = {}
        with self._connect() as conn:
            subject = self._resolved(conn, instruction.subject)
            for table in self._tables:
                values = {
                    column: value
                    for field, value in instruction.changes.items()
                    for column in _FIELDS.get(field, (field,))
                    if column in table.rectify
                }
                if values:
                    changed = conn.execute(
                        self._table(table).update().where(self._whose(table, subject)).values(values)
                    )
                    counts[table.name] = changed.rowcount
        counts = {name: n for name, n in counts.items() if n}
        return done(counts) if counts else no_match()

    def check(self) -> None:
        with self._connect(reading=True) as conn:
            for table in self._tables:
                conn.execute(sa.select(*map(sa.column, table.columns)).select_from(sa.table(table.name)).limit(1))

    def _set(self, subject: Identities, column: str, value: bool) -> Receipt:
        with self._connect() as conn:
            counts = self._flag(conn, self._resolved(conn, subject), column, value)
        return done(counts) if counts else no_match()

    def _flag(
        self,
        conn: sa.Connection,
        subject: Identities,
        which: str,
        value: bool,
        tables: Sequence[Table] | None = None,
    ) -> dict[str, int]:
        counts = {}
        for table in self._tables if tables is None else tables:
            if name := getattr(table, which):
                changed = conn.execute(
                    self._table(table).update().where(self._whose(table, subject)).values({name: value})
                )
                if changed.rowcount:
                    counts[table.name] = changed.rowcount
        return counts

    def _tag(self, conn: sa.Connection, subject: Identities) -> None:
        for table in self._tables:
            if table.tag:
                flags = sa.func.coalesce(sa.column(table.tag, sa.String), "")
                conn.execute(
                    self._table(table)
                    .update()
                    .where(self._whose(table, subject), flags.not_like(f"%{UNDER_16}%"))
                    .values({table.tag: sa.func.trim(flags.concat(f" {UNDER_16}"))})
                )

    def _untag(self, conn: sa.Connection, subject: Identities) -> None:
        for table in self._tables:
            if table.tag:
                flags = sa.func.replace(sa.column(table.tag, sa.String), UNDER_16, "")
                where = (self._whose(table, subject), sa.column(table.tag, sa.String).like(f"%{UNDER_16}%"))
                conn.execute(self._table(table).update().where(*where).values({table.tag: sa.func.trim(flags)}))

    @staticmethod
    def _table(table: Table) -> Any:
        return sa.table(table.name, *(sa.column(name) for name in table.columns))

    @contextmanager
    def _connect(self, *, reading: bool = False) -> Iterator[sa.Connection]:
        """One transaction; a database that does not answer is worth another try, a missing column is not a guess."""
        try:
            if reading:
                with self._engine.connect().execution_options(reading=True) as conn:
                    yield conn
            else:
                with self._engine.begin() as conn:
                    yield conn
        except OperationalError as error:
            if "no such" in str(error.orig):
                raise VendorAnswerUnexpected(
                    self.name, "a table or column of policy.toml is not in the database"
                ) from None
            raise VendorUnavailable(self.name, "the database does not answer") from None
        except SQLAlchemyError as error:
            raise VendorAnswerUnexpected(self.name, f"the database refused ({type(error).__name__})") from None
