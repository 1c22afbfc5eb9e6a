"""The plots of docs/benchmarks.md. They need matplotlib, from the extra `bench`."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from bench.measure import churn, propagation
from bench.samples import Results
from bench.servers import COREDNS, ECHO, OURS, OURS_2

_COLOURS: Final = {ECHO: "#999999", OURS: "#1f77b4", OURS_2: "#17becf", COREDNS: "#d95f02"}


def draw(found: Mapping[str, Results], folder: Path) -> None:
    try:
        import matplotlib
    except ImportError:
        print("bench: no plots without matplotlib: pip install 'grpcdns[bench]'", file=sys.stderr)
        return
    matplotlib.use("agg")
    for name, plot in (
        ("grpc", _grpc), ("udp", _udp), ("churn", _churn), ("propagation", _propagation),
        ("growth", _growth),
    ):  # fmt: skip
        if name in found:
            plot(found[name], folder / f"{name}.png")


def _axes(count: int) -> tuple[Any, Sequence[Any]]:
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, count, figsize=(5.2 * count, 3.8), squeeze=False)
    return figure, axes[0]


def _save(figure: Any, path: Path) -> None:
    from matplotlib import pyplot

    figure.tight_layout()
    figure.savefig(path, dpi=110, metadata={"Software": None})
    pyplot.close(figure)


def _bars(axes: Any, results: Results, cases: Sequence[str], value: str, title: str) -> None:
    """Bars with the spread of the rounds, a group for each case."""
    names = [name for name in results.servers() if any(results.find(name, c) for c in cases)]
    width = 0.8 / len(names)
    for at, name in enumerate(names):
        found = [results.spread(name, case, value) for case in cases]
        heights = [one.median if one else 0 for one in found]
        below = [one.median - one.low if one else 0 for one in found]
        above = [one.high - one.median if one else 0 for one in found]
        places = [index + (at - (len(names) - 1) / 2) * width for index in range(len(cases))]
        axes.bar(
            places, heights, width, label=name, color=_COLOURS.get(name),
            yerr=[below, above], error_kw={"elinewidth": 0.8},
        )  # fmt: skip
    axes.set_xticks(range(len(cases)), cases)
    axes.set_title(title)
    axes.legend(fontsize="small")


def _grpc(results: Results, path: Path) -> None:
    figure, (rate, cpu) = _axes(2)
    _bars(rate, results, results.cases(), "per_second", "requests per second, by callers")
    _bars(cpu, results, results.cases(), "cpu", "server CPU seconds per million requests")
    _save(figure, path)


def _udp(results: Results, path: Path) -> None:
    figure, (rate, cpu) = _axes(2)
    _bars(rate, results, results.cases(), "per_second", "requests per second through CoreDNS")
    _bars(cpu, results, results.cases(), "cpu", "CPU seconds per million, both servers")
    _save(figure, path)


def _churn(results: Results, path: Path) -> None:
    figure, (axes,) = _axes(1)
    cases = [case for case in results.cases() if case in (churn.IDLE, churn.CHURN, churn.FEED)]
    _bars(axes, results, cases, "p99", "p99, microseconds")
    _save(figure, path)


def _propagation(results: Results, path: Path) -> None:
    figure, (axes,) = _axes(1)
    for name in (OURS, COREDNS):
        for case, style in zip(results.cases(), ("-", "--"), strict=False):
            found = sorted(one.values["ms"] for one in results.find(name, case))
            shares = [(index + 1) / len(found) for index in range(len(found))]
            axes.plot(found, shares, style, color=_COLOURS.get(name), label=f"{name}: {case}")
    axes.set_xlim(
        0, 3 * max(propagation.quantile(results, COREDNS, c, 0.9) for c in results.cases())
    )
    axes.set_title("share of changes answered within so many ms")
    axes.legend(fontsize="small")
    _save(figure, path)


def _growth(results: Results, path: Path) -> None:
    figure, plots = _axes(3)
    titles = (("pss", "memory, PSS MB"), ("start", "start, s"), ("per_second", "req/s"))
    for axes, (value, title) in zip(plots, titles, strict=True):
        for name in results.servers():
            points = [
                (int(case), one.median)
                for case in results.cases()
                if (one := results.spread(name, case, value))
            ]
            axes.plot(*zip(*points, strict=True), "o-", color=_COLOURS.get(name), label=name)
        axes.set_title(f"{title}, by Services")
        axes.set_ylim(bottom=0)
        axes.legend(fontsize="small")
    _save(figure, path)
