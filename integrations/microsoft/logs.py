"""Log Analytics: rows about a person are counted and read by query, and purged.

"Delete data" only hides rows and is not enough for Art. 17; purge erases, within 30 days.

https://learn.microsoft.com/rest/api/loganalytics/workspace-purge/purge
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator

from dsr.errors import VendorAnswerUnexpected
from dsr.model import Identities
from integrations.microsoft.api import Object, Service
from integrations.microsoft.settings import MicrosoftSettings
from integrations.microsoft.suppressions import management

API_VERSION = {"api-version": "2025-07-01"}


class Logs:
    """One workspace."""

    def __init__(self, settings: MicrosoftSettings) -> None:
        host = "api.loganalytics.azure.com"
        self._query_service = Service(settings, "logs", host, f"https://{host}/.default")
        self._management = management(settings)
        self._workspace, self._id = settings.log_workspace, settings.log_workspace_id
        self._columns = settings.columns

    def held(self, subject: Identities) -> dict[tuple[str, str], dict[str, int]]:
        """(table, column) -> the values there that stand for the person, as they are written, with their rows.

        Addresses are found in any capitals, for a log has what was typed; account ids exactly.
        """
        emails, accounts = {e.lower() for e in subject.of("email")}, subject.of("account_id")
        found: dict[tuple[str, str], dict[str, int]] = {}
        for table, column in self._columns if emails or accounts else ():
            by_value = f"summarize Count = count() by Value = tostring({column})"
            for row in self._query(f"{_where(table, column, subject)} | {by_value}"):
                value, n = str(row.get("Value")), row.get("Count")
                if not isinstance(n, int) or not (value in accounts or value.lower() in emails):
                    raise VendorAnswerUnexpected("microsoft", "a count of something else than asked for")
                found.setdefault((table, column), {})[value] = n
        return found

    def rows(self, subject: Identities) -> Iterator[Object]:
        """The rows themselves. A query gives 500,000 at most and then says so with an error, which stops us."""
        for table, column in self._columns if subject.of("email") or subject.of("account_id") else ():
            for row in self._query(_where(table, column, subject)):
                yield {"table": table, **row}

    def purge(self, table: str, column: str, values: Collection[str]) -> str:
        """Begin to erase; returns the id of the operation. Again is harmless: another operation finds less.

        Args:
            values: from `held`; the filter compares them exactly.
        """
        condition = {"column": column, "operator": "in", "value": sorted(values)}
        body = {"table": table, "filters": [condition]}
        answer = self._management.call("POST", f"{self._workspace}/purge", params=API_VERSION, json=body)
        found = answer.json()
        id = found.get("operationId") if isinstance(found, dict) else None
        if answer.status != 202 or not isinstance(id, str) or not re.fullmatch(r"[\w-]{1,100}", id, re.ASCII):
            raise VendorAnswerUnexpected("microsoft", "did not accept a purge")
        return id

    def purged(self, operation: str) -> bool:
        """Whether the operation is completed."""
        found = self._management.object("GET", f"{self._workspace}/operations/{operation}", params=API_VERSION)
        if found.get("status") not in ("pending", "completed"):
            raise VendorAnswerUnexpected("microsoft", "a purge of unknown state")
        return bool(found["status"] == "completed")

    def check(self) -> None:
        self._query("print Count = 1")

    def _query(self, kql: str) -> list[Object]:
        """A query reads only, so it may be repeated."""
        path = f"v1/workspaces/{self._id}/query"
        answer = self._query_service.object("POST", path, json={"query": kql}, retry=True)
        try:
            (table,) = answer["tables"]
            names = [str(column["name"]) for column in table["columns"]]
            return [dict(zip(names, row, strict=True)) for row in table["rows"]]
        except (KeyError, TypeError, ValueError):
            raise VendorAnswerUnexpected("microsoft", "a query's answer without one table") from None


def _where(table: str, column: str, subject: Identities) -> str:
    """KQL, in which `in` tells capitals from small letters and `in~` does not.

    https://learn.microsoft.com/kusto/query/in-operator. Its string literals are written as JSON's are, so no value ends
    the literal.
    """
    clauses = [
        f"tostring({column}) {operator} ({', '.join(json.dumps(value) for value in values)})"
        for operator, values in (("in", subject.of("account_id")), ("in~", subject.of("email")))
        if values
    ]
    return f"{table} | where {' or '.join(clauses)}"
