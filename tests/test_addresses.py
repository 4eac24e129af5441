"""The short cut for plain addresses gives what the full check gives."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dsr import addresses

_TEXT = st.text("aZ09.-_+@'! xn\u00e4", max_size=24)
_NAMES = ["com", "local", "ARPA", "test", "onion", "invalid", "a" * 63]
_LABEL = st.text("aZ09-xn", max_size=8) | st.sampled_from(_NAMES)
_NEARLY = st.builds(lambda a, b: f"{a}@{'.'.join(b)}", _TEXT, st.lists(_LABEL, max_size=4))


@given(_TEXT | _NEARLY)
@example("A.b+c@Example.COM")
@example("a@b.axn--c.de")
@example("a@xn--bcher-kva.example.com")
@example("a@b.c1")
@example("a@sub.LocalHost")
@example("a@test")
@example("a@b." + "c" * 64)
@example("a" * 245 + "@b.com")
@example("a@" + "b." * 126 + "co")
@example(".a@b.com")
@example("a@b-.com")
@example("a@b.com\n")
@example("\u212a@b.com")
def test_the_short_cut_is_exact(written: str) -> None:
    stripped = written.strip().rstrip(".")
    full = addresses._checked(stripped) if len(stripped) <= 254 else ""
    assert addresses.normalise(written) == full


@pytest.mark.parametrize("written", ["maria.pop@example.com", "Maria+News@sub.Example.co.uk", "a_b-c@x1.io"])
def test_plain_addresses_take_the_short_cut(written: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "_checked", lambda address: pytest.fail("the long way"))
    assert addresses.normalise(written) == written.lower()


def test_a_long_hostile_address_costs_no_time() -> None:
    began = time.perf_counter()
    for hostile in ("a" * 250 + "!", "a." * 120 + "@", "a@" + "b-" * 120, "a@" + "b." * 120 + "!"):
        addresses.normalise(hostile)
    assert time.perf_counter() - began < 1
