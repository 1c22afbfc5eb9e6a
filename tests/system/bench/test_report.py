"""The page: its blocks are filled and its text stays; ratios; targets."""

from __future__ import annotations

import math
from pathlib import Path

from bench import report, targets, usage
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
    assert results.ratio("cpu", (OURS, 64), (COREDNS, 64)) == 1.0
    assert results.spread(OURS, 64, "cpu") == Spread(30.0, 10.0, 100.0)
    assert math.isnan(results.ratio("cpu", (ECHO, 64), (COREDNS, 64)))


def test_targets_are_judged() -> None:
    results = Results("grpc")
    results.add(OURS, 64, 0, cpu=6.0, per_second=100.0)
    results.add(COREDNS, 64, 0, cpu=10.0, per_second=100.0)
    table = targets.table({"grpc": results})
    assert "| at most 0.7 | 0.60 | met |" in table
    assert "| at least 1.2 | 1.00 | missed |" in table
    assert "not measured" in table


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
