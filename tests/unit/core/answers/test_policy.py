"""The ttl option: facts about the plugin, each with its id (tt)."""

from __future__ import annotations

import pytest

from grpcdns.config.load import load
from grpcdns.config.options import UserError


@pytest.mark.parametrize(
    ("given", "effective"),
    [
        pytest.param("56", 56, id="tt-01"),
        pytest.param(None, 5, id="tt-02"),
        pytest.param("-1", None, id="tt-03"),
        pytest.param("3601", None, id="tt-04"),
    ],
)
def test_ttl(given: str | None, effective: int | None) -> None:
    flags = {} if given is None else {"ttl": given}
    if effective is None:
        with pytest.raises(UserError, match="--ttl"):
            load(flags, {})
    else:
        assert load(flags, {}).config.policy().ttl == effective
