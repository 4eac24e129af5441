"""The policy as configuration says what the published policy says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dsr.errors import ConfigurationError
from dsr.model import Right
from dsr.policy import Policy, load

ROOT = Path(__file__).parents[1]
COPY = Path(__file__).parent / "fixtures" / "policy_table.txt"
PUBLISHED = ROOT.parent / "shared" / "policy.txt"
HEADING = "Entity Name Data Processing Purpose Location Website"
FOLDERS = [
    *("intercom", "zendesk", "google", "hotjar", "baremetrics", "dropbox", "meta", "sentry", "microsoft"),
    *("tawkto", "smartsupp", "slack", "mailgun", "paddle", "maxmind", "atlassian", "mailchimp", "hubspot"),
]


@pytest.fixture(scope="module")
def policy() -> Policy:
    return load(ROOT / "policy.toml")


@pytest.fixture
def broken(tmp_path: Path) -> Callable[..., list[str]]:
    """Load the policy with pieces of its text replaced; the problems that are found."""

    def load_with(*replacements: tuple[str, str]) -> list[str]:
        text = (ROOT / "policy.toml").read_text("utf-8")
        for old, new in replacements:
            assert old in text, old
            text = text.replace(old, new, 1)
        path = tmp_path / "policy.toml"
        path.write_text(text, "utf-8")
        with pytest.raises(ConfigurationError) as caught:
            load(path)
        return caught.value.problems

    return load_with


def table_of(text: str) -> list[str]:
    return text.split(HEADING + "\n", 1)[1].split("\n\n", 1)[0].strip().splitlines()


def rows_of(policy: Policy) -> list[str]:
    return [f"{p.label} {p.purpose} {p.location} {p.site}" for p in policy.processors]


def test_the_processors_are_the_rows_of_the_policys_table_in_its_order(policy: Policy) -> None:
    assert rows_of(policy) == table_of(COPY.read_text("utf-8"))
    assert [p.name for p in policy.processors] == FOLDERS
    assert {p.location for p in policy.processors} == {"USA", "EU"}
    assert all(" " not in p.site for p in policy.processors)


@pytest.mark.skipif(not PUBLISHED.exists(), reason="the published policy is not beside this repository")
def test_the_processors_are_those_of_the_published_policy(policy: Policy) -> None:
    assert rows_of(policy) == table_of(PUBLISHED.read_text("utf-8"))


@pytest.mark.skipif(not PUBLISHED.exists(), reason="the published policy is not beside this repository")
def test_words_quoted_from_the_policy_stand_in_the_published_policy(policy: Policy) -> None:
    published = PUBLISHED.read_text("utf-8").replace("’", "'")
    for entry in policy.retention:
        assert entry.policy_says in published
    assert policy.transfers.policy_says in published
    for right in policy.rights:
        assert right.heading in published
    for category in policy.categories:
        assert category.name in published
    for address in (policy.dpo.email, policy.controller.support, policy.controller.name):
        assert address in published


def test_the_policys_own_figures(policy: Policy) -> None:
    assert policy.age_floor == 16
    assert (policy.controller.country, policy.controller.timezone) == ("RO", "Europe/Bucharest")
    assert policy.dpo.email == "dpo@intellimails.com"
    assert policy.authority.short == "ANSPDCP"
    assert [t.id for t in policy.topics] == ["newsletter", "product_news", "offers"]


def test_something_is_said_of_every_right(policy: Policy) -> None:
    assert {policy.right(right).right for right in Right} == set(Right)


def test_what_the_policy_leaves_open_is_named(policy: Policy) -> None:
    assert policy.unset() == (
        "controller.policy_date",
        "retention.closed_account.period",
        "retention.business_operations.period",
        "transfers.safeguard",
    )


def test_the_own_database_says_for_every_table_what_an_erasure_does(policy: Policy) -> None:
    does = {table.name: table.erasure for table in policy.own_database.tables}
    assert does == {
        "accounts": "erase",
        "profiles": "erase",
        "log_entries": "anonymise",
        "campaigns": "erase",
        "subscribers": "erase",
        "invoices": "keep",
        "external_ids": "erase",
    }
    accounts = policy.own_database.accounts
    assert (accounts.name, accounts.suppress, accounts.restrict, accounts.tag) == (
        "accounts",
        "marketing_opt_out",
        "restricted",
        "flags",
    )
    invoices = policy.own_database.table("invoices")
    assert policy.kept_record(invoices.kept).article == "Art. 17(3)(b)"
    assert invoices.kept_from == "issued_on"


def test_a_password_hash_is_not_exported(policy: Policy) -> None:
    exported = policy.own_database.accounts.exported
    assert "email" in exported
    assert "password_hash" not in exported


def test_recipients_of_a_customers_mail_are_not_part_of_the_customers_package(policy: Policy) -> None:
    subscribers = policy.own_database.table("subscribers")
    assert (subscribers.role, subscribers.customer, subscribers.exported) == ("processor", "account_id", ())


def test_the_policy_cannot_be_changed(policy: Policy) -> None:
    with pytest.raises(ValueError, match="frozen"):
        policy.age_floor = 13  # type: ignore[misc]


def test_all_problems_are_told_at_once_by_name_and_never_by_value(broken: Callable[..., list[str]]) -> None:
    problems = broken(
        ('country = "RO"', 'country = "Atlantis"'),
        ('timezone = "Europe/Bucharest"', 'timezone = "../etc/passwd"'),
        ('email = "dpo@intellimails.com"', 'email = "nobody"'),
        ('heading = "Data Portability"\n', ""),
        ('holds = "Invoices"', 'holds = "Invoices"\nsurprise = 1'),
        ('kept_from = "issued_on"', 'kept_from = "nowhere"'),
    )
    paths = {problem.split(":")[0] for problem in problems}
    assert {
        "controller.country",
        "controller.timezone",
        "dpo.email",
        "rights.export.heading",
        "own_database.tables.invoices.surprise",
    } <= paths
    assert not any(value in " ".join(problems) for value in ("Atlantis", "passwd", "nobody"))


@pytest.mark.parametrize(
    ("replacement", "told"),
    [
        (('"billing_email"]', '"billing_email"]\ntag = "nowhere"'), "nowhere is not in columns"),
        (('kept = "accounting"', 'kept = "hearsay"'), "invoices.kept: there is no kept record"),
        (('kept = "accounting"', ""), "kept (the ground) belongs to erasure = keep"),
        (('clear = ["account_id", "ip", "user_agent", "url"]\n', ""), "clear belongs to erasure = anonymise"),
        (('customer = "account_id"\n', ""), "customer belongs to role = processor"),
        (('person = { email = "email", account_id = "id" }', 'person = { email = "email" }'), "exactly one table"),
        (('name = "hubspot"', 'name = "intercom"'), "processors: twice: intercom"),
        (('holder = "paddle"', 'holder = "somebody"'), "kept.merchant_of_record.holder"),
        (('right = "restriction"', 'right = "access"'), "nothing is said of restriction"),
        (('name = "profiles"', 'name = "profiles; DROP TABLE accounts"'), "own_database.tables"),
        (("age_floor = 16", "age_floor = 9"), "age_floor"),
    ],
)
def test_a_contradiction_is_found(broken: Callable[..., list[str]], replacement: tuple[str, str], told: str) -> None:
    assert told in "; ".join(broken(replacement))


def test_a_missing_file_and_a_file_that_is_not_toml_are_configuration_errors(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot read"):
        load(tmp_path / "policy.toml")
    (tmp_path / "policy.toml").write_bytes(b"\xff\xfe = [")
    with pytest.raises(ConfigurationError, match="not TOML"):
        load(tmp_path / "policy.toml")
