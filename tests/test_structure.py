"""The house keeps its shape: who may import whom, how long a file may be, one registry line a vendor."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dsr import policy
from integrations.registry import VENDORS

ROOT = Path(__file__).resolve().parent.parent
ROOMS = {"intents", "dsr", "integrations", "workflows", "pages", "api", "demo", "migrations", "tests"}
OURS = ROOMS | {"app", "command_line"}
# room -> rooms that it may import
MAY = {
    "intents": set(),
    "dsr": {"intents"},
    "integrations": {"dsr", "intents"},
    "workflows": {"dsr", "intents", "integrations"},
    "pages": {"dsr"},
    "api": {"dsr"},
    "migrations": {"dsr"},
    "demo": OURS - {"tests"},
    "app": OURS - {"tests", "demo", "workflows", "migrations"},
    "command_line": OURS - {"tests", "migrations"},
}
# library -> the only places that may import it
SOLE = {
    "requests": ("integrations/transport.py", "tests/"),
    "dbos": ("dsr/tasks.py", "dsr/store/migrate.py", "workflows/engine.py"),
    "spectree": ("api/",),
    "slack_bolt": ("integrations/slack/",),
    "slack_sdk": ("integrations/slack/", "tests/"),
    "flask": (
        "app.py",
        "api/",
        "command_line/",
        "pages/",
        "demo/",
        "integrations/webhooks.py",
        "integrations/twin.py",
        "tests/",
    ),
}


def tracked(pattern: str = "*.py") -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", pattern], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [name for name in listed.stdout.split() if (ROOT / name).exists()]


def imports(name: str) -> Iterator[str]:
    for node in ast.walk(ast.parse((ROOT / name).read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room(name: str) -> str:
    return name.split("/")[0].removesuffix(".py")


@pytest.mark.parametrize("name", [n for n in tracked() if room(n) in MAY])
def test_no_import_goes_against_the_directions(name: str) -> None:
    allowed = MAY[room(name)] | {room(name)}
    wrong = {i for i in imports(name) if i.split(".")[0] in OURS - allowed}
    assert not wrong, f"{name} imports {wrong}"


@pytest.mark.parametrize("library", SOLE)
def test_a_library_with_one_door_is_imported_only_there(library: str) -> None:
    twin = lambda n: "twin" in Path(n).name  # noqa: E731  # a twin is a web server of its own
    users = [n for n in tracked() if any(i.split(".")[0] == library for i in imports(n))]
    wrong = [n for n in users if not n.startswith(SOLE[library]) and not (library == "flask" and twin(n))]
    assert not wrong


def test_a_vendor_never_imports_another() -> None:
    folders = {v.name.split("-")[0] for v in VENDORS}
    for name in tracked("integrations/*/*.py"):
        own = name.split("/")[1]
        others = {f"integrations.{f}" for f in folders - {own}}
        wrong = [i for i in imports(name) if any(i == o or i.startswith(f"{o}.") for o in others)]
        assert not wrong, f"{name} imports {wrong}"


@pytest.mark.parametrize("name", tracked())
def test_no_file_is_longer_than_400_lines(name: str) -> None:
    assert len((ROOT / name).read_text("utf-8").splitlines()) <= 400


def test_only_the_application_reads_the_environment() -> None:
    readers = [
        name
        for name in tracked()
        if not name.startswith(("app.py", "demo/", "tests/", "script/", "integrations/twin.py", "intents/"))
        and ("os.environ" in (ROOT / name).read_text("utf-8") or "os.getenv" in (ROOT / name).read_text("utf-8"))
    ]
    assert not readers


def test_each_vendor_folder_has_one_registry_line_and_a_readme() -> None:
    registered = {v.name.split("-")[0] for v in VENDORS}
    folders = {name.split("/")[1] for name in tracked("integrations/*/*.py")}
    assert registered == folders
    lines = (ROOT / "integrations" / "registry.py").read_text().splitlines()
    for folder in folders:
        assert (ROOT / "integrations" / folder / "README.md").exists(), f"integrations/{folder} has no README.md"
        assert sum(f"    {folder}.VENDOR," == line for line in lines) == 1


def test_every_processor_folder_is_named_in_the_policy() -> None:
    named = {p.name for p in policy.load(ROOT / "policy.toml").processors} | {"own_database"}
    assert {v.name for v in VENDORS if v.processor} <= named
