"""The register of processing, the page of the sub-processors, and the agreement of policy and connectors."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from flask.testing import FlaskCliRunner

from app import create_app
from dsr import register
from dsr.letters import catalogue
from dsr.model import Operation, Support
from dsr.policy import load
from tests.pages_desk import NOW, World, make_world
from tests.test_structure import ROOT


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path)


@pytest.fixture
def runner(world: World) -> FlaskCliRunner:
    return world.app.test_cli_runner()


# ---- the register ----------------------------------------------------------------------------------------------------


def test_the_register_has_every_part_of_article_30_1(runner: FlaskCliRunner, world: World) -> None:
    found = json.loads(runner.invoke(args=["register", "--json"]).output)
    policy = world.desk.policy
    assert found["controller"]["name"] == policy.controller.name
    assert found["controller"]["data_protection_officer"] == policy.dpo.email
    assert [a["name"] for a in found["activities"]] == [
        *(c.name for c in policy.categories),
        "Requests of data subjects",
    ]
    for activity in found["activities"]:
        assert all(activity[part] for part in ("purposes", "persons", "data", "recipients")), activity["name"]
    assert [r["name"] for r in found["recipients"]] == [p.label for p in policy.processors]
    outside = [p.label for p in policy.processors if p.location == "USA"]
    assert found["transfers"]["recipients"] == outside
    assert found["transfers"]["safeguard"] == "unset"
    kept = {line["what"] for line in found["retention"]}
    assert {policy.retention[0].what, policy.kept[0].what} <= kept
    assert any(line.startswith("privacy desk: ") for line in kept)
    assert found["security"] == list(policy.security)
    assert found["unset"] == list(policy.unset())


def test_the_register_as_a_document_shows_what_is_unset_and_needs_nothing_from_elsewhere(
    runner: FlaskCliRunner, tmp_path: Path, world: World
) -> None:
    file = tmp_path / "register.html"
    assert runner.invoke(args=["register", "--html", str(file)]).exit_code == 0
    html = file.read_text("utf-8")
    assert "<dt>Safeguard (Art. 46)</dt><dd><mark>unset</mark></dd>" in html
    assert "transfers.safeguard" in html
    assert all(p.label in html.replace("&#39;", "'") for p in world.desk.policy.processors)
    assert "@media print" in html
    assert "prefers-color-scheme: dark" in html
    assert not any(loaded in html for loaded in ("src=", "<link", "@import", "url(", "<script"))


def test_a_category_that_does_not_exist_is_a_problem_of_the_policy(tmp_path: Path) -> None:
    file = changed(tmp_path, 'data = ["account", "payment"]', 'data = ["acount"]')
    assert any("no category acount" in p for p in create_app({"POLICY_FILE": str(file)}).extensions["problems"])


def test_what_happens_at_a_recipient_comes_from_its_connector() -> None:
    policy = load(ROOT / "policy.toml")
    table = {"intercom": {Operation.ERASE: Support.NATIVE}}
    found = {one.name: one for one in register.recipients(policy, table)}
    assert (found["intercom"].erasure, found["intercom"].copy) == (Support.NATIVE, Support.NONE)
    assert (found["zendesk"].erasure, found["zendesk"].copy) == (Support.MANUAL, Support.MANUAL)
    assert found["microsoft"].site == "https://www.azure.com"
    assert (found["hotjar"].outside, found["hubspot"].outside) == (False, True)
    assert register.register(policy, table, NOW)["on"] == "2026-11-23"


# ---- the page --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", catalogue.LANGUAGES)
def test_the_page_names_every_processor_with_purpose_place_data_and_link(world: World, language: str) -> None:
    answer = world.client.get(f"/processors?lang={language}")
    assert answer.status_code == 200
    html = answer.text.replace("&#39;", "'")
    for entry in world.desk.policy.processors:
        assert f"<h2>{entry.label}</h2>" in html
        for purpose in entry.purpose.split(", "):
            assert catalogue.phrase(purpose, language)[0] in html
        assert f'href="{entry.site if "//" in entry.site else "https://" + entry.site}"' in html
    for category in world.desk.policy.categories:
        name, of = catalogue.phrase(category.name, language)
        assert of == language, "every category of data has its name in every language"
        assert name in html
    assert f"<dd>{catalogue.phrase('USA', language)[0]}</dd>" in html.replace("<span>", "").replace("</span>", "")


def test_the_page_says_by_hand_until_a_connector_is_connected(tmp_path: Path) -> None:
    by_desk = catalogue.say("page.processors_desk", "en")
    off = make_world(tmp_path / "off").client.get("/processors").text
    on = make_world(tmp_path / "on", HOTJAR_CLIENT_ID="i", HOTJAR_CLIENT_SECRET="s", HOTJAR_ORGANIZATION_IDS="1").client
    assert by_desk not in off
    assert by_desk in on.get("/processors").text


def test_the_home_page_leads_to_it(world: World) -> None:
    assert 'href="/processors?lang=en"' in world.client.get("/").text


# ---- policy and connectors agree -------------------------------------------------------------------------------------


def changed(folder: Path, old: str, new: str) -> Path:
    text = (ROOT / "policy.toml").read_text("utf-8")
    assert old in text
    file = folder / "policy.toml"
    file.write_text(text.replace(old, new, 1), "utf-8")
    return file


def check(folder: Path, policy: Path) -> tuple[int, dict[str, list[str]]]:
    world = make_world(folder, POLICY_FILE=str(policy), SMTP_URL="smtp://localhost:1", MAIL_FROM="desk@example.com")
    result = world.app.test_cli_runner().invoke(args=["check", "--offline", "--json"])
    found: dict[str, list[str]] = json.loads(result.output)
    return result.exit_code, found


def test_a_processor_in_the_policy_without_a_connector_fails_the_check(tmp_path: Path) -> None:
    file = changed(tmp_path, 'name = "hubspot", ', 'name = "newcrm", ')
    code, found = check(tmp_path, file)
    assert code == 1
    assert any("newcrm" in p and "no connector" in p for p in found["problems"])
    assert any("does not name hubspot" in n for n in found["notes"])


def test_the_policy_that_ships_agrees_with_the_connectors(tmp_path: Path) -> None:
    _, found = check(tmp_path, ROOT / "policy.toml")
    assert not [p for p in found["problems"] if "connector" in p]
    assert not [n for n in found["notes"] if "does not name" in n]
