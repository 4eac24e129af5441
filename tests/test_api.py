"""The HTTP API: who may call, what it answers, and that answers and description agree."""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import structlog
from werkzeug.test import TestResponse

from api.access import MAX_BYTES
from app import create_app
from dsr import commands, identity, suppression
from dsr.model import RequestStatus, Right
from tests.pages_desk import MARIA, World, make_world
from tests.test_structure import ROOT

TOKEN, SECOND = "t" * 40, "u" * 40
ION = "ion.ionescu@example.com"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path, API_TOKENS=f"{TOKEN}, {SECOND}")


def call(world: World, method: str, path: str, body: Any = None, token: str = TOKEN) -> TestResponse:
    """A call whose answer is held against the description."""
    headers = {"Authorization": f"Bearer {token}"}
    answer = world.client.open(f"/api/v1{path}", method=method, json=body, headers=headers)
    agrees(world, method, f"/api/v1{path}", answer)
    return answer


def agrees(world: World, method: str, path: str, answer: TestResponse) -> None:
    document = world.client.get("/api/openapi.json").json
    template = re.sub(r"/requests/[^/?]+", "/requests/{reference}", path.split("?")[0])
    responses = document["paths"][template][method.lower()]["responses"]
    assert str(answer.status_code) in responses, f"{answer.status_code} is not described"
    content = responses[str(answer.status_code)]["content"]
    assert answer.mimetype in content
    schema = content[answer.mimetype]["schema"] | {"components": document["components"]}
    jsonschema.Draft202012Validator(schema).validate(answer.json)


def post(world: World, path: str, **body: Any) -> TestResponse:
    return call(world, "POST", path, body)


# ---- who may call ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", f"Basic {TOKEN}", TOKEN, "Bearer \xff"],
)
def test_without_a_good_token_nothing_is_answered_and_nothing_is_read(world: World, header: str) -> None:
    for method, path in [("POST", "/suppressions"), ("GET", "/requests"), ("GET", "/requests/PR-000000")]:
        answer = world.client.open(f"/api/v1{path}", method=method, headers={"Authorization": header}, data=b"{broken")
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        agrees(world, method, f"/api/v1{path}", answer)


@pytest.mark.parametrize("token", [TOKEN, SECOND])
def test_each_of_several_tokens_is_good(world: World, token: str) -> None:
    assert call(world, "GET", "/requests", token=token).status_code == 200


def test_without_tokens_the_api_is_off_and_says_so(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    answer = world.client.get("/api/v1/requests", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 503
    assert "API_TOKENS" in answer.json["detail"]


def test_a_token_that_can_be_guessed_is_refused_at_the_start() -> None:
    problems = create_app({"API_TOKENS": f"{TOKEN},guess-me"}).extensions["problems"]
    (problem,) = [one for one in problems if one.startswith("API_TOKENS:")]
    assert "guess-me" not in problem


def test_neither_token_nor_address_reaches_a_log(world: World) -> None:
    with structlog.testing.capture_logs() as logs:
        post(world, "/requests", address=MARIA, right="erasure")
        post(world, "/requests", address=MARIA, right="nonsense")
        post(world, "/suppressions/check", addresses=[MARIA], **{MARIA: 1})
        world.client.get("/api/v1/requests", headers={"Authorization": f"Bearer {TOKEN}x"})
    assert MARIA not in repr(logs)
    assert TOKEN not in repr(logs)


# ---- misshapen calls -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "kind", "status"),
    [
        (b"{broken", "application/json", 400),
        (b"{}", "text/plain", 415),
        (b"{}", "application/json", 422),
        (b"[]", "application/json", 422),
        (b"null", "application/json", 422),
        (b'{"addresses": "a@b.com"}', "application/json", 422),
        (b'{"addresses": [1]}', "application/json", 422),
        (b'{"addresses": [], "other": 1}', "application/json", 422),
        (b'{"addresses": [], "topic": "a b"}', "application/json", 422),
    ],
)
def test_a_misshapen_body_is_a_problem_that_repeats_nothing(world: World, data: bytes, kind: str, status: int) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    answer = world.client.post("/api/v1/suppressions/check", data=data, content_type=kind, headers=headers)
    assert answer.status_code == status
    assert answer.mimetype == "application/problem+json"
    agrees(world, "POST", "/api/v1/suppressions/check", answer)


def test_a_problem_names_the_field_and_not_the_value(world: World) -> None:
    answer = post(world, "/suppressions/check", addresses=[MARIA, 5, MARIA * 100])
    assert [wrong["field"] for wrong in answer.json["errors"]] == ["addresses.1", "addresses.2"]
    assert "maria" not in answer.text


def test_a_body_beyond_the_limit_is_413_and_a_hundred_thousand_long_addresses_fit(world: World) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    answer = world.client.post("/api/v1/suppressions/check", data=b"[" + b" " * MAX_BYTES + b"]", headers=headers)
    assert answer.status_code == 413
    agrees(world, "POST", "/api/v1/suppressions/check", answer)
    longest = json.dumps({"addresses": ["a" * 242 + "@example.com"] * 100_000})
    assert len(longest) < MAX_BYTES


def test_one_address_too_many_is_refused(world: World) -> None:
    assert post(world, "/suppressions/check", addresses=["a@b.com"] * 100_001).status_code == 422


def test_webhooks_keep_their_smaller_limit(world: World) -> None:
    assert world.client.post("/webhooks/intercom", data=b"x" * (2**20 + 1)).status_code in (404, 413)
    assert world.client.post("/unsubscribe/x", data=b"x" * (2**20 + 1)).status_code in (404, 413)


# ---- suppression -----------------------------------------------------------------------------------------------------


def test_what_is_added_is_found_as_it_is_written_and_nothing_else(world: World) -> None:
    added = post(world, "/suppressions", addresses=[MARIA], tell_processors=False).json
    assert added == {"added": 1, "requests": [], "unusable": []}
    asked = ["Maria.Pop@Example.com ", ION, "no address", MARIA]
    answer = post(world, "/suppressions/check", addresses=asked).json
    assert answer == {"checked": 4, "suppressed": [asked[0], MARIA], "unusable": ["no address"]}


def test_adding_tells_the_processors_by_one_request_each_and_once(world: World) -> None:
    first = post(world, "/suppressions", addresses=[MARIA, ION, MARIA.upper()]).json
    assert first["added"] == len(first["requests"]) == 2
    assert {world.row(reference).channel for reference in first["requests"]} == {"api"}
    assert post(world, "/suppressions", addresses=[MARIA, ION]).json["requests"] == []
    world.move(first["requests"][0], RequestStatus.COMPLETED)
    world.clock.pass_(days=2)
    later = post(world, "/suppressions", addresses=[MARIA, ION]).json["requests"]
    assert [world.row(reference).address_hash for reference in later] == [world.row(first["requests"][0]).address_hash]


def test_too_many_requests_in_one_call_are_refused_and_none_is_opened(world: World) -> None:
    many = [f"p{n}@example.com" for n in range(1001)]
    assert post(world, "/suppressions", addresses=many).status_code == 422
    assert post(world, "/suppressions/check", addresses=many).json["suppressed"] == []
    assert post(world, "/suppressions", addresses=many, tell_processors=False).json["added"] == 1001
    assert len(post(world, "/suppressions/check", addresses=many).json["suppressed"]) == 1001


def test_a_topic_counts_for_its_list_alone(world: World) -> None:
    post(world, "/suppressions", addresses=[MARIA], topic="newsletter")
    check = lambda **more: post(world, "/suppressions/check", addresses=[MARIA], **more).json["suppressed"]  # noqa: E731
    assert check() == check(topic="offers") == []
    assert check(topic="newsletter") == [MARIA]
    post(world, "/suppressions", addresses=[MARIA], tell_processors=False)
    assert check() == check(topic="offers") == [MARIA]


def test_objections_are_told_by_purpose_with_kinds_and_date(world: World) -> None:
    with world.desk.db.write() as conn:
        for kind in (suppression.OBJECTION, suppression.AGE):
            suppression.add(world.desk, conn, MARIA, source="chat", kind=kind)
        suppression.add(world.desk, conn, ION, source="chat")
    asked = [MARIA, ION, "none@example.com"]
    analytics = post(world, "/objections/check", addresses=asked, purpose="analytics").json
    assert [(o["address"], o["kinds"]) for o in analytics["objections"]] == [(MARIA, ["age", "objection"])]
    assert analytics["objections"][0]["since"].startswith("2026-11-23T12:00:00")
    advertising = post(world, "/objections/check", addresses=asked).json
    assert {o["address"] for o in advertising["objections"]} == {MARIA, ION}


def test_the_headers_lead_to_a_page_that_unsubscribes(world: World) -> None:
    made = post(world, "/unsubscribe-headers", address=MARIA, list="newsletter").json
    assert made["headers"]["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert MARIA not in json.dumps(made)
    assert world.client.post(world.path(made["footer_link"]), data={"List-Unsubscribe": "One-Click"}).status_code == 200
    assert post(world, "/suppressions/check", addresses=[MARIA]).json["suppressed"] == [MARIA]
    assert post(world, "/unsubscribe-headers", address="nobody").status_code == 422


# ---- requests --------------------------------------------------------------------------------------------------------


def test_a_request_asks_the_person_for_proof_in_their_language(world: World) -> None:
    answer = post(world, "/requests", address=MARIA, right="erasure", language="ro")
    assert answer.status_code == 201
    shown = answer.json
    assert (shown["status"], shown["channel"], shown["right"]) == ("identity_pending", "api", "erasure")
    assert shown["dates"]["due"] > shown["dates"]["received"]
    assert shown["dates"]["verified"] is None
    assert world.code()
    assert world.row(shown["reference"]).language == "ro"


def test_what_needs_no_proof_acts_at_once(world: World) -> None:
    shown = post(world, "/requests", address=MARIA, right="unsubscribe").json
    assert shown["status"] == "in_progress"
    assert post(world, "/suppressions/check", addresses=[MARIA]).json["suppressed"] == [MARIA]


def test_after_too_many_codes_nothing_is_opened_and_429_says_when(world: World) -> None:
    for _ in range(3):
        assert post(world, "/requests", address=MARIA, right="erasure").status_code == 201
    refused = post(world, "/requests", address=MARIA, right="erasure")
    assert refused.status_code == 429
    assert refused.headers["Retry-After"] == "3600"
    assert len(call(world, "GET", "/requests").json["requests"]) == 3


def test_codes_that_strangers_use_up_do_not_shut_the_companys_own_site_out(world: World) -> None:
    with world.desk.db.write() as conn:
        for _ in range(3):
            assert identity.count_mail(world.desk, conn, world.desk.vault.hash("address", MARIA), "unsubscribe_link")
    assert post(world, "/requests", address=MARIA, right="erasure").status_code == 201


@pytest.mark.parametrize("body", [{"address": "x", "right": "erasure"}, {"address": MARIA, "right": "forget"}])
def test_what_cannot_be_opened_is_refused(world: World, body: dict[str, str]) -> None:
    assert 400 <= call(world, "POST", "/requests", body).status_code < 500
    assert call(world, "GET", "/requests").json["requests"] == []


def test_a_request_is_shown_with_its_receipts_and_no_personal_datum(world: World) -> None:
    reference = world.verified(Right.ERASURE)
    for spelling in (reference, reference.lower(), reference.removeprefix("PR-")):
        answer = call(world, "GET", f"/requests/{spelling}")
        assert answer.json["reference"] == reference
    assert answer.json["status"] == "cooling_off"
    assert answer.json["dates"]["verified"]
    assert answer.json["dates"]["starts"]
    assert answer.json["receipts"] == []
    assert "maria" not in answer.text.lower()
    assert "m***" not in answer.text


def test_an_unknown_reference_is_404(world: World) -> None:
    answer = call(world, "GET", "/requests/PR-000000")
    assert answer.status_code == 404
    assert answer.json["detail"] == "there is no request PR-000000"


def test_open_requests_come_in_pages_the_most_urgent_first(world: World) -> None:
    references = []
    for n in range(5):
        references.append(world.request(Right.ERASURE, f"p{n}@example.com"))
        world.clock.pass_(days=7)  # so that no holiday moves two to one day
    with world.desk.db.write() as conn:
        commands.withdraw(world.desk, conn, "customer", references[1], "test")
    first = call(world, "GET", "/requests?limit=2").json
    assert [r["reference"] for r in first["requests"]] == [references[0], references[2]]
    with world.desk.db.write() as conn:
        commands.withdraw(world.desk, conn, "customer", first["next"], "test")
    second = call(world, "GET", f"/requests?limit=2&after={first['next']}").json
    assert [r["reference"] for r in second["requests"]] == references[3:]
    assert second["next"] is None


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x"])
def test_a_page_that_cannot_be_is_422(world: World, query: str) -> None:
    assert call(world, "GET", f"/requests?{query}").status_code == 422


# ---- the description -------------------------------------------------------------------------------------------------


def test_every_route_is_described_and_nothing_else(world: World) -> None:
    document = world.client.get("/api/openapi.json").json
    described = {(path, method.upper()) for path, found in document["paths"].items() for method in found}
    routes = {
        (re.sub(r"<[^>]*?(\w+)>", r"{\1}", rule.rule), method)
        for rule in world.app.url_map.iter_rules()
        if rule.rule.startswith("/api/v1/")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert described == routes
    assert document["openapi"].startswith("3.1")
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"


def test_every_reference_inside_the_description_leads_somewhere(world: World) -> None:
    document = world.client.get("/api/openapi.json").json
    schemas = document["components"]["schemas"]
    named = re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document))
    assert named
    assert set(named) <= set(schemas)
    for schema in schemas.values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_every_documented_status_is_one(world: World) -> None:
    document = world.client.get("/api/openapi.json").json
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert {"401", "503"} <= set(operation["responses"]), path
            assert all(HTTPStatus(int(status)) for status in operation["responses"])


# ---- the company's own mailer ----------------------------------------------------------------------------------------


def test_the_python_example_of_the_readme_runs(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    (example,) = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)
    for name, value in world.app.extensions["env"].items():
        monkeypatch.setenv(name, value)
    found: dict[str, Any] = {}
    exec(example, found)
    assert set(found["headers"]) == {"List-Unsubscribe", "List-Unsubscribe-Post"}
    assert suppression.read_token(world.desk, found["footer"].rsplit("/", 1)[1]) == (MARIA, "newsletter")


def test_the_readme_names_every_call(world: World) -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    for path, operations in world.client.get("/api/openapi.json").json["paths"].items():
        for method in operations:
            assert f"`{method.upper()} {path}`" in readme


def test_a_click_tells_the_processors_of_somebody_who_was_only_imported(world: World) -> None:
    post(world, "/suppressions", addresses=[MARIA], tell_processors=False)
    world.clock.pass_(days=2)
    assert len(post(world, "/suppressions", addresses=[MARIA]).json["requests"]) == 1
    post(world, "/suppressions", addresses=[MARIA], tell_processors=False)
    assert post(world, "/suppressions", addresses=[MARIA]).json["requests"] == []
    (objection,) = post(world, "/objections/check", addresses=[MARIA]).json["objections"]
    assert objection["since"].startswith("2026-11-23"), "the earlier date stays"
