"""The audit: whatever is done to it by someone who has the database but neither key nor anchor is found."""

from __future__ import annotations

import hmac
import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from dsr import anchor, audit, audit_scan
from dsr.desk import Desk, make_desk
from dsr.store.migrate import upgrade
from dsr.store.tables import audit as table
from tests.pages_desk import World, make_world
from tests.postgres import postgres

CHECK = Path(__file__).resolve().parent.parent / "script" / "check-proof"
Row = dict[str, Any]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A desk with 60 rows of 6 requests, anchored in three batches."""
    world = make_world(tmp_path_factory.mktemp("audit"))
    for batch in range(3):
        write(world.desk, 20, batch)
        assert anchor.drop(world.desk)
    return world


@pytest.fixture
def restored(world: World) -> Iterator[World]:
    """The same; whatever the test does to the table is undone, and the anchor too."""
    rows, file = rows_of(world.desk), anchor.path(world.desk.settings)
    lines = file.read_text()
    yield world
    put(world.desk, rows)
    file.write_text(lines)


def write(desk: Desk, count: int, batch: int = 0) -> None:
    for i in range(count):
        with desk.db.write() as conn:
            audit.record(
                desk,
                conn,
                who=f"agent:U{i % 4}",
                what="request.moved",
                why=f"step {i} of batch {batch}",
                reference=f"PR-00000{i % 6}",
                details={"n": i},
            )


def rows_of(desk: Desk) -> list[Row]:
    with desk.db.read() as conn:
        return [dict(row._mapping) for row in conn.execute(sa.select(table).order_by(table.c.seq))]


def put(desk: Desk, rows: list[Row]) -> None:
    with desk.db.write() as conn:
        conn.execute(table.delete())
        if rows:
            conn.execute(table.insert(), rows)


def verify(desk: Desk) -> tuple[int, audit.Fault | None]:
    return audit.verify(desk, anchor.read(anchor.path(desk.settings)))


# -- what an attacker does: each takes the rows and gives others -------------------------------------------------------


def edit(rows: list[Row], r: random.Random) -> list[Row]:
    row = r.choice(rows)
    column = r.choice([c for c in row if c != "seq"])
    old = row[column]
    if column == "at":
        row[column] = old.replace(microsecond=(old.microsecond + r.randint(1, 999)) % 1_000_000)
    elif column in ("hash", "prev_hash", "commitment"):
        row[column] = r.choice([r.randbytes(32).hex(), "", *(other[column] for other in rows if other[column] != old)])
    else:
        row[column] = r.choice([f"{old} ", "customer", "{}", r.randbytes(4).hex()])
    return rows


def delete(rows: list[Row], r: random.Random) -> list[Row]:
    del rows[r.randrange(len(rows))]
    if r.random() < 0.5:  # and close the gap
        for seq, row in enumerate(rows, 1):
            row["seq"] = seq
    return rows


def reorder(rows: list[Row], r: random.Random) -> list[Row]:
    one, other = r.sample(rows, 2)
    one["seq"], other["seq"] = other["seq"], one["seq"]
    return rows


def truncate(rows: list[Row], r: random.Random) -> list[Row]:
    return rows[: r.randrange(len(rows))]


def insert(rows: list[Row], r: random.Random) -> list[Row]:
    at = r.randrange(len(rows) + 1)
    new = {**rows[min(at, len(rows) - 1)], "why": "was never so"}
    return [{**row, "seq": seq} for seq, row in enumerate([*rows[:at], new, *rows[at:]], 1)]


def rehash(rows: list[Row], r: random.Random) -> list[Row]:
    """Change, delete or add a row and make the tail consistent, as well as that goes without the key."""
    start = r.randrange(len(rows))
    rows = r.choice([edit, delete, insert, lambda rows, r: rows])(rows, r)
    for seq, row in enumerate(rows, 1):
        row["seq"] = seq
    chain = audit.Chain(r.choice(["", "guessed", "k" * 40]))
    plain = r.random() < 0.5
    before = rows[start - 1]["hash"] if start else r.choice([rows[0]["prev_hash"], chain.start])
    for seq, row in enumerate(rows[start:], start + 1):
        values = [seq, row["at"].isoformat(), *(row[c] for c in audit.COLUMNS[2:])]
        content = audit.canonical(values)
        commitment = sha256(content).hexdigest() if plain else hmac.digest(chain.salt(seq), content, "sha256").hex()
        row |= {"prev_hash": before, "commitment": commitment}
        row["hash"] = audit.fold(before, commitment) if plain else chain.link(before, commitment)
        before = row["hash"]
    return rows


def blank(rows: list[Row], r: random.Random) -> list[Row]:
    """Edit, and pretend that all is older than the chain."""
    for row in edit(rows, r):
        row |= {"prev_hash": "", "commitment": "", "hash": ""}
    return rows


EACH = 143  # of seven kinds: 1,001
TAMPERINGS: tuple[Callable[[list[Row], random.Random], list[Row]], ...] = (
    edit,
    delete,
    reorder,
    truncate,
    insert,
    rehash,
    blank,
)


@pytest.mark.parametrize("tampering", TAMPERINGS, ids=lambda t: t.__name__)
def test_every_tampering_is_found(restored: World, tampering: Callable[..., list[Row]]) -> None:
    desk, r, true = restored.desk, random.Random(tampering.__name__), rows_of(restored.desk)
    tried = 0
    while tried < EACH:
        forged = tampering([dict(row) for row in true], r)
        if forged == true:
            continue
        put(desk, forged)
        assert verify(desk)[1] is not None
        tried += 1
    put(desk, true)
    assert verify(desk) == (60, None)


def test_the_fast_bytes_are_the_canonical_bytes() -> None:
    for seed in range(300):
        r = random.Random(seed)
        texts = ["".join(map(chr, r.choices([9, 10, 34, 92, 127, 0xE9, 0x2028, 0x1F600], k=9))) for _ in range(5)]
        at = datetime(2026, 11, 23, 22, 1, 2, r.choice([0, 5, 123456, 999999]), tzinfo=UTC)
        values = [*texts[:2], r.choice([None, "PR-000000"]), texts[3], json.dumps({texts[4]: seed})]
        stored = at.strftime("%Y-%m-%d %H:%M:%S.%f")
        assert audit_scan.canonical((seed, stored, *values)) == audit.canonical([seed, at.isoformat(), *values])


def test_several_processes_find_what_one_finds(restored: World) -> None:
    desk, lines = restored.desk, anchor.read(anchor.path(restored.desk.settings))
    with desk.db.write() as conn:
        conn.execute(table.update().where(table.c.seq == 58).values(why="was never so"))
    found = audit.verify(desk, lines, several=1)
    assert found == audit.verify(desk, lines) == (57, audit.Fault(58, "is not what was written"))


def test_a_later_row_or_a_fresh_anchor_does_not_hide_a_tampering(restored: World) -> None:
    desk = restored.desk
    for tampering in (truncate, edit, blank):
        true = rows_of(desk)
        put(desk, tampering([dict(row) for row in true], random.Random(7)))
        anchor.drop(desk)
        write(desk, 3)
        anchor.drop(desk)
        assert verify(desk)[1] is not None, tampering.__name__
        put(desk, true)


def test_a_cut_end_raises_one_alarm(restored: World) -> None:
    desk = restored.desk
    put(desk, rows_of(desk)[:50])
    assert not anchor.drop(desk)
    assert anchor.drop(desk)
    with desk.db.read() as conn:
        alarms = conn.execute(sa.text("select count(*) from outgoing where key like 'alarm:audit:60:%'")).scalar_one()
    assert alarms == 1  # the mail; no Slack is connected here


def test_verify_says_which_row_and_exits_1(restored: World) -> None:
    run = restored.app.test_cli_runner().invoke
    assert run(args=["audit", "verify"]).output == "60 rows are as they were written; anchored up to row 60\n"
    with restored.desk.db.write() as conn:
        conn.execute(table.update().where(table.c.seq == 17).values(who="agent:other"))
    result = run(args=["audit", "verify", "--json"])
    assert result.exit_code == 1
    assert json.loads(result.output) | {"problem": ""} == {"rows": 16, "anchored": 60, "row": 17, "problem": ""}
    anchor.path(restored.desk.settings).unlink()
    put(restored.desk, rows_of(restored.desk)[:10])
    assert "no anchor" in run(args=["audit", "verify"]).output


def check(tmp_path: Path, proof: Any, lines: str) -> tuple[int, str]:
    (tmp_path / "proof.json").write_text(json.dumps(proof))
    (tmp_path / "anchor").write_text(lines)
    files = [str(tmp_path / "proof.json"), str(tmp_path / "anchor")]
    done = subprocess.run([sys.executable, "-I", str(CHECK), *files], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_a_proof_is_checked_without_key_or_database_and_shows_no_other_request(restored: World, tmp_path: Path) -> None:
    result = restored.app.test_cli_runner().invoke(args=["audit", "prove", "pr-000002"])
    proof, lines = json.loads(result.output), anchor.path(restored.desk.settings).read_text()
    assert "PR-000003" not in result.output
    code, said = check(tmp_path, proof, lines)
    assert code == 0, said
    assert "proved: 9 rows" in said
    assert len(CHECK.read_text().splitlines()) <= 50


def test_the_daily_line_alone_is_anchor_enough(restored: World, tmp_path: Path) -> None:
    newest = anchor.path(restored.desk.settings).read_text().splitlines()[-1]
    (tmp_path / "posted").write_text(newest)
    run = restored.app.test_cli_runner().invoke
    result = run(args=["audit", "prove", "PR-000002", "--anchor", str(tmp_path / "posted")])
    assert check(tmp_path, json.loads(result.output), newest)[0] == 0


@pytest.mark.parametrize("forgery", ["content", "salt", "commitment", "dropped", "start", "reference"])
def test_a_forged_proof_fails(restored: World, tmp_path: Path, forgery: str) -> None:
    lines = anchor.read(anchor.path(restored.desk.settings))
    proof = audit.prove(restored.desk, "PR-000002", lines)
    segment = proof["segments"][1]
    if forgery == "content":
        segment["rows"][0]["why"] = "refused"
    elif forgery == "salt":
        segment["rows"][0]["salt"] = "00" * 32
    elif forgery == "commitment":
        row = segment["rows"][0]
        row["why"] = "refused"
        made = hmac.digest(bytes.fromhex(row["salt"]), audit.canonical([row[c] for c in audit.COLUMNS]), "sha256")
        segment["commitments"][row["seq"] - segment["after"]["seq"] - 1] = made.hex()
    elif forgery == "dropped":
        del segment["commitments"][-1]
    elif forgery == "start":
        segment["after"]["seq"] += 1
    else:
        proof["reference"] = "PR-000003"
    assert check(tmp_path, proof, "\n".join(map(str, lines)))[0] == 1


def test_a_change_that_is_rolled_back_leaves_no_row(restored: World) -> None:
    def fail() -> None:
        with restored.desk.db.write() as conn:
            audit.record(restored.desk, conn, who="desk", what="never", why="it failed")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert len(rows_of(restored.desk)) == 60


def test_a_torn_line_of_the_anchor_is_passed_over(restored: World) -> None:
    file = anchor.path(restored.desk.settings)
    file.write_text(file.read_text() + "61 abc")
    write(restored.desk, 1)
    assert anchor.drop(restored.desk)
    assert file.read_text().splitlines()[-1].startswith("61 ")
    assert verify(restored.desk) == (61, None)


@pytest.mark.parametrize("which", ["every row", "rows that are not anchored yet", "the head's hash alone"])
def test_rows_without_a_hash_are_never_signed_by_the_next_row_and_alarm(restored: World, which: str) -> None:
    desk = restored.desk
    write(desk, 3)
    rows = rows_of(desk)
    rows[-2]["why"] = "was never so"
    if which == "the head's hash alone":
        rows[-1]["hash"] = ""
    else:
        rows.append({**rows[-1], "seq": 64, "what": "request.refused", "why": "was never so"})
        for row in rows if which == "every row" else rows[60:]:
            row |= {"prev_hash": "", "commitment": "", "hash": ""}
    forged = [(row["seq"], row["hash"]) for row in rows]
    put(desk, rows)
    write(desk, 2)
    assert [(row["seq"], row["hash"]) for row in rows_of(desk)[: len(rows)]] == forged, "none of them is linked"
    assert len(rows_of(desk)) == len(rows) + 2, "and no act is lost"
    assert not anchor.drop(desk)
    assert anchor.drop(desk), "it alarms once"
    cause = {"every row": "60", "the head's hash alone": "break:63"}.get(which, "break:61")
    with desk.db.read() as conn:
        assert conn.execute(sa.text(f"select 1 from outgoing where key like 'alarm:audit:{cause}:%'")).first()
    good, fault = verify(desk)
    assert fault, "and it is found for ever, also behind a fresh anchor"
    assert good == {"every row": 0, "the head's hash alone": 61}.get(which, 60)


def _together(desk: Desk) -> None:
    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(write, desk, 15, batch) for batch in range(8)]:
            done.result()
    anchor.drop(desk)
    assert verify(desk) == (120, None)


def test_many_append_at_the_same_time_on_sqlite(tmp_path: Path) -> None:
    _together(make_world(tmp_path).desk)


def test_many_append_at_the_same_time_on_postgresql(world: World, tmp_path: Path) -> None:
    with postgres() as url:
        files = {"database_url": url, "ledger_url": f"sqlite:///{tmp_path / 'ledger.sqlite'}"}
        desk = make_desk(world.desk.settings.model_copy(update=files), world.desk.policy, {})
        upgrade(desk.db.engine)
        try:
            _together(desk)
        finally:
            desk.tasks.close()
            desk.db.engine.dispose()
