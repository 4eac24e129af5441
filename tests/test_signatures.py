"""The one comparison of signatures; that each channel uses it rightly is the channels' contract."""

from __future__ import annotations

import pytest

from dsr.errors import DeliveryRejected
from integrations.signatures import check


def test_one_good_secret_of_several_is_enough_while_a_secret_is_replaced() -> None:
    check("paddle", ["old", "new"], [b"other", b"new"])


@pytest.mark.parametrize("given", [[], [""], ["ü"], ["\ud800"], ["goo"], ["good "], ["Good"]])
def test_everything_else_is_refused_in_any_shape_and_not_repeated(given: list[str]) -> None:
    with pytest.raises(DeliveryRejected) as caught:
        check("paddle", given, [b"good"])
    assert str(caught.value) == "paddle: the signature is missing or wrong"


def test_a_secret_that_is_empty_opens_nothing() -> None:
    with pytest.raises(DeliveryRejected):
        check("zendesk-messaging", [""], [b""])
