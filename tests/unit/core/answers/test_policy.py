"""The ttl option: facts about the plugin, each with its id (tt); what zones `auto` stands for."""

from __future__ import annotations

import pytest

from grpcdns.config.load import load
from grpcdns.config.options import UserError
from grpcdns.config.values import cluster_zones
from grpcdns.core.answers.policy import REVERSE_ROOTS, Policy, watched_kinds, with_networks
from grpcdns.core.cluster.objects import Kind


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


@pytest.mark.parametrize(
    ("given", "networks", "zones"),
    [
        ("auto", ["10.96.0.0/16"], ("cluster.local.", "96.10.in-addr.arpa.")),
        ("auto", [], ("cluster.local.", *REVERSE_ROOTS)),
        ("auto", ["not a network", "0.0.0.0/0"], ("cluster.local.", *REVERSE_ROOTS)),
        ("auto,10.96.0.0/16", ["10.96.0.0/16"], ("cluster.local.", "96.10.in-addr.arpa.")),
        ("a.example,auto,b.example", ["fd00::/16"],
         ("a.example.", "0.0.d.f.ip6.arpa.", "b.example.")),
        ("cluster.local,10.1.0.0/16", ["10.96.0.0/16"], ("cluster.local.", "1.10.in-addr.arpa.")),
    ],
    ids=["auto", "none known", "unreadable", "twice", "in its place", "no auto"],
)  # fmt: skip
def test_zones_that_follow_the_service_networks(
    given: str, networks: list[str], zones: tuple[str, ...]
) -> None:
    assert with_networks(Policy(zones=cluster_zones(given)), networks).zones == zones


@pytest.mark.parametrize(
    ("given", "watched"),
    [
        ("cluster.local,10.96.0.0/16", True),
        ("cluster.local,in-addr.arpa,fd00::/112", True),
        ("auto", True),
        ("cluster.local,in-addr.arpa,ip6.arpa", False),
        ("cluster.local", False),
    ],
)
def test_service_cidrs_are_watched_where_one_may_be_outside(given: str, watched: bool) -> None:
    policy = Policy(zones=cluster_zones(given))
    assert (Kind.SERVICE_CIDR in watched_kinds(policy)) is watched
