"""The page: its blocks are filled and its text stays; ratios; targets."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from bench import bootstrap, report, targets, usage
from bench.bootstrap import Estimate
from bench.cluster import Name, questions
from bench.samples import Results, Spread
from bench.servers import COREDNS, ECHO, OURS


def test_a_block_is_filled_and_the_text_stays() -> None:
    page = "# Text\n\n<!-- bench:grpc -->\nold\n<!-- /bench -->\n\nmore text\n"
    filled = report.fill(page, {"grpc": "| new |"})
    assert filled == ("# Text\n\n<!-- bench:grpc -->\n\n| new |\n\n<!-- /bench -->\n\nmore text\n")
    assert report.fill(filled, {"grpc": "| new |"}) == filled
    assert report.fill(page, {"udp": "another"}) == page


def test_the_page_has_a_block_for_each_measurement() -> None:
    page = report.PAGE.read_text()
    for name in (*report.MEASUREMENTS, "summary", "targets", "machine"):
        assert f"<!-- bench:{name} -->" in page


def test_the_tables_of_the_page_are_those_of_the_results() -> None:
    page = report.PAGE.read_text()
    assert report.fill(page, report.blocks_of(report.saved())) == page


def test_a_ratio_is_the_median_over_rounds() -> None:
    results = Results("grpc")
    for number, (ours, peer) in enumerate(((10.0, 20.0), (100.0, 50.0), (30.0, 30.0))):
        results.add(OURS, 64, number, cpu=ours)
        results.add(COREDNS, 64, number, cpu=peer)
    assert results.ratio("cpu", (OURS, 64), (COREDNS, 64)) == Estimate(1.0, 0.5, 2.0, 3)
    assert results.spread(OURS, 64, "cpu") == Spread(30.0, 10.0, 100.0)
    assert math.isnan(results.ratio("cpu", (ECHO, 64), (COREDNS, 64)).value)


def test_an_interval_covers_the_median_19_times_in_20() -> None:
    draw = random.Random(7)
    covered = 0
    for _ in range(200):
        found = bootstrap.median([draw.lognormvariate(0.0, 0.3) for _ in range(9)])
        covered += found.low <= 1.0 <= found.high
    assert 0.88 <= covered / 200 <= 0.99


def test_a_quantile_draws_whole_rounds() -> None:
    results = Results("propagation")
    for number in range(3):
        for _ in range(10):
            results.add(OURS, "", number, ms=2.0 + number)
            results.add(COREDNS, "", number, ms=2.0)
    assert results.quantile_ratio("ms", (OURS, ""), (COREDNS, ""), 0.5) == Estimate(
        1.5, 1.0, 2.0, 3
    )
    assert results.quantile("ms", (OURS, ""), 0.99) == Estimate(4.0, 2.0, 4.0, 3)


@pytest.mark.parametrize(
    ("cpu", "verdict"),
    [
        ((6.0, 6.1, 6.2), "met"),
        ((6.0, 6.5, 7.5), "undecided"),
        ((6.5, 7.5, 8.0), "undecided"),
        ((7.5, 8.0, 9.0), "missed"),
    ],
)
def test_a_target_is_met_or_missed_by_its_whole_interval(
    cpu: Sequence[float], verdict: str
) -> None:
    results = Results("grpc")
    for number, value in enumerate([*cpu] * 3):
        results.add(OURS, 64, number, cpu=value, per_second=100.0)
        results.add(COREDNS, 64, number, cpu=10.0, per_second=100.0)
    table = targets.table({"grpc": results})
    shown = f"{cpu[1] / 10:.2f} [{cpu[0] / 10:.2f}, {cpu[2] / 10:.2f}]"
    assert f"| at most 0.7 | {shown} | {verdict} |" in table
    assert "| at least 1.2 | 1.00 [1.00, 1.00] | missed |" in table
    assert "not measured" in table


def test_few_rounds_decide_nothing() -> None:
    results = Results("grpc")
    for number in range(targets.ROUNDS):
        table = targets.table({"grpc": results})
        assert "| met |" not in table
        results.add(OURS, 64, number, cpu=5.0)
        results.add(COREDNS, 64, number, cpu=10.0)
    assert f"undecided: {targets.ROUNDS - 1} rounds" in table
    assert "| at most 0.7 | 0.50 [0.50, 0.50] | met |" in targets.table({"grpc": results})


def test_a_busy_machine_is_noted() -> None:
    assert "busy" in "; ".join(report.notes(10, 7, 3.0, load=0.6))
    assert "busy" not in "; ".join(report.notes(10, 7, 3.0, load=0.5))


def test_questions_are_the_same_each_time_and_their_names_exist() -> None:
    asked = questions(40)
    assert asked == questions(40)
    assert {one.qtype for one in asked} == {"A", "AAAA", "SRV", "PTR"}
    known = {Name(number).qname for number in range(40)}
    assert known <= {one.qname for one in asked}


def test_usage_of_this_process() -> None:
    pid = int(Path("/proc/self").readlink().name)
    assert pid in usage.family(pid)
    assert usage.cpu_seconds([pid]) > 0
    found = usage.memory([pid])
    assert 0 < found.pss <= found.rss <= found.peak * 1.01
