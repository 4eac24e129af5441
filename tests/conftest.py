"""Fixtures and options that several test files share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import responses

from tests.house import LOOPBACK, House, build


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="play whole products: every attack × right × channel")


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """The whole house; slow to build, so one for all tests of a process."""
    made, end = build(tmp_path_factory.mktemp("house"))
    yield made
    end()


@pytest.fixture(autouse=True)
def _the_house_goes_on() -> None:
    """`responses` catches the calls of every thread; those of a house of an earlier test go to its own twins."""
    responses.mock.passthru_prefixes = (LOOPBACK,)
