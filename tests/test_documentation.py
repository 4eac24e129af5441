"""The documentation tells the truth: commands, variables, files, links and the table agree with the code."""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import click
import pytest
from dotenv import dotenv_values

from app import create_app
from dsr import policy
from dsr.model import Support
from dsr.settings import Settings
from integrations import matrix
from integrations.registry import VENDORS
from tests.test_structure import ROOT, tracked

DOCUMENTS = tracked("*.md")
HANDBOOK = [name for name in DOCUMENTS if "/" not in name or name.startswith("docs/")]
# Read by the demo alone: nobody else's vendors have shorter days.
DEMO_ONLY = {"VENDOR_DAY"}
FENCE = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
FLASK = re.compile(r"(?<![\w./-])(?:\.venv/bin/)?flask((?: +[\w.=/-]+)+)")


def text_of(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def code_in(name: str) -> Iterator[str]:
    """Every line of code blocks, and every code span."""
    text = text_of(name)
    for block in FENCE.findall(text):
        yield from block.splitlines()
    yield from SPAN.findall(FENCE.sub("", text))


def flask_problem(words: list[str]) -> str:
    """What is wrong with `flask WORDS…`; empty if it exists with these options."""
    command: click.Command | None = create_app({}).cli
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        word = words.pop(0)
        command = command.commands.get(word)
        if command is None:
            return f"there is no command {word!r}"
    assert command is not None
    if isinstance(command, click.Group):
        return "a command is missing after the group"
    known = {option for parameter in command.params for option in parameter.opts}
    return ", ".join(f"no option {w}" for w in words if w.startswith("--") and w.split("=")[0] not in known)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_flask_command_exists(name: str) -> None:
    wrong = {}
    for code in code_in(name):
        for found in FLASK.findall(code):
            if problem := flask_problem(found.split()):
                wrong[f"flask{found}"] = problem
    assert not wrong


def test_a_flask_command_that_does_not_exist_would_be_noticed() -> None:
    assert flask_problem(["wrong"])
    assert flask_problem(["dsr", "wrong"])
    assert flask_problem(["dsr"])
    assert flask_problem(["dsr", "show", "REF", "--wrong"])
    assert not flask_problem(["dsr", "show", "REF", "--plan"])


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_script_exists_and_can_be_run(name: str) -> None:
    for script in {s for code in code_in(name) for s in re.findall(r"(?<![\w/])script/[\w-]+", code)}:
        assert os.access(ROOT / script, os.X_OK), f"{name} names {script}"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_python_module_that_is_to_be_run_exists(name: str) -> None:
    for module in {m for code in code_in(name) for m in re.findall(r"python -m ([\w.]+)", code)}:
        assert importlib.util.find_spec(module), f"{name} names {module}"


@pytest.mark.parametrize("name", HANDBOOK)
def test_every_file_that_is_named_exists(name: str) -> None:
    named = {c for c in code_in(name) if re.fullmatch(r"[\w.-]+/[\w./-]+\.(?:py|toml|md|png|yaml|example)", c)}
    missing = [c for c in named if "acme" not in c and not (ROOT / c).exists()]
    assert not missing


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_relative_link_leads_to_a_file(name: str) -> None:
    targets = {urlsplit(target) for target in LINK.findall(FENCE.sub("", text_of(name)))}
    missing = [
        t.path for t in targets if not t.scheme and t.path and not ((ROOT / name).parent / t.path).resolve().exists()
    ]
    assert not missing


def test_the_readmes_first_screen_has_the_picture_and_the_two_commands() -> None:
    first = text_of("README.md").partition("\n## ")[0]
    assert first.startswith("# Privacy Desk\n")
    assert "](docs/playground.png)" in first
    assert "script/demo" in first
    assert "script/test" in first
    picture = (ROOT / "docs" / "playground.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) < 300_000


def test_the_readme_names_every_command_of_ours() -> None:
    readme = text_of("README.md")
    for name, command in create_app({}).cli.commands.items():
        if name in ("run", "shell", "routes"):  # Flask's own
            continue
        ours = [f"flask {name} {sub}" for sub in command.commands] if isinstance(command, click.Group) else []
        for wanted in ours or [f"flask {name}"]:
            assert f"`{wanted}`" in readme, f"README.md does not name {wanted}"


def test_the_example_environment_names_exactly_the_variables_that_are_read() -> None:
    shown = set(dotenv_values(ROOT / ".env.example"))
    read = {name.upper() for name in Settings.model_fields} - DEMO_ONLY
    read |= {v.settings.variable(name) for v in VENDORS for name in v.settings.model_fields}
    assert not shown - read, f".env.example names what nothing reads: {sorted(shown - read)}"
    assert not read - shown, f".env.example lacks: {sorted(read - shown)}"


def test_the_example_environment_works_once_the_secrets_are_filled_in(tmp_path: Path) -> None:
    example = {name: value or "" for name, value in dotenv_values(ROOT / ".env.example").items()}
    fresh = create_app({}).test_cli_runner().invoke(args=["keys"]).output
    keys = dict(line.split("=", 1) for line in fresh.splitlines())
    app = create_app({**example, **keys, "DATABASE_URL": f"sqlite:///{tmp_path / 'desk.sqlite'}"})
    assert app.extensions["problems"] == []
    assert set(app.extensions["connections"].channels) == set(), "nobody has given a vendor's key yet"


def test_the_readmes_table_is_the_generated_one() -> None:
    readme = text_of("README.md")
    made = matrix.table(VENDORS, policy.load(ROOT / "policy.toml"))
    assert matrix.put_into(readme, made) == readme, "run: .venv/bin/python -m integrations.matrix --write"


def test_the_table_has_a_row_for_every_processor_and_makes_the_unconnected_manual() -> None:
    known = policy.load(ROOT / "policy.toml")
    rows = matrix.table((), known).splitlines()[2:]
    assert len(rows) == 1 + len(known.processors)
    for row in rows:
        assert row.count(f" {Support.MANUAL} ") == 7
    assert len(matrix.table(VENDORS, known).splitlines()) == 2 + len(rows)


def test_a_readme_without_the_marks_is_told_so() -> None:
    with pytest.raises(ValueError, match="needs the lines"):
        matrix.put_into("# No marks", "table")


def test_the_changelog_has_an_unreleased_section_with_entries() -> None:
    changelog = text_of("CHANGELOG.md")
    unreleased = changelog.partition("## [Unreleased]\n")[2].partition("\n## [")[0]
    assert re.search(r"^### (?:Added|Changed|Deprecated|Removed|Fixed|Security)$", unreleased, re.MULTILINE)
    assert re.search(r"^- \S", unreleased, re.MULTILINE)


def test_no_tracked_file_names_a_package_index_or_a_path_of_this_machine() -> None:
    index = "pypi" + ".org"
    hosts = ["files.pythonhosted" + ".org", index]
    configured = [os.environ.get(name, "") for name in ("PIP_INDEX_URL", "UV_INDEX_URL", "UV_DEFAULT_INDEX")]
    for place in (Path("/etc/pip.conf"), Path.home() / ".pip" / "pip.conf", Path.home() / ".config/pip/pip.conf"):
        configured += re.findall(r"https?://\S+", place.read_text()) if place.exists() else []
    hosts += [host for url in configured if (host := urlsplit(url).hostname) and host != "localhost"]
    wrong = re.compile("|".join([*map(re.escape, hosts), r"(?<![\w.~}-])/(?:work|root|home|tmp)/\w"]))
    found = []
    for name in tracked("*"):
        try:
            text = text_of(name)
        except UnicodeDecodeError:
            continue
        found += [f"{name}: {line.strip()[:120]}" for line in text.splitlines() if wrong.search(line)]
    assert not found
