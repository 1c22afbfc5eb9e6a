"""The measurement of messages: both packers write the same records, each row has its figures."""

from __future__ import annotations

import dns.message

from bench.measure import messages


def test_both_packers_write_the_same_records() -> None:
    for work in messages.works()[:2]:
        ours, theirs = (
            dns.message.from_wire(made)
            for made in (work.by[messages.OURS](), work.by[messages.DNSLIB]())
            if isinstance(made, bytes)
        )
        assert ours == theirs
        assert sum(map(len, ours.answer)) == messages.RECORDS


def test_each_work_is_measured() -> None:
    results = messages.measure(runs=1)
    assert all(one.values["us"] > 0 for one in results.samples)
    rows = messages.table(results).splitlines()[2:]
    assert [row.split(" | ")[0].strip("| ") for row in rows] == [
        one.name for one in messages.works()
    ]
