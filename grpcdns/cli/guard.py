"""Show what --guard holds, or let go.

When more of the cluster is lost at once than --guard allows, a running serve goes on with the old
answers. `grpcdns guard status` shows since when, why and how much; `grpcdns guard release` follows
what the API says from now on. Each serve decides by itself: with several Pods, run it in each. This
needs the user that grpcdns runs as, on the same machine or in the same container.

Exit code 1: no serve with --guard was found, or there was nothing to release.

Examples:
    grpcdns guard status --server unix:///run/grpcdns/0.sock
    grpcdns guard release --server unix:///run/grpcdns/0.sock
"""

from __future__ import annotations

import argparse
import time

from msgspec.structs import asdict

from grpcdns.cli import NotDone, attached, output, servers
from grpcdns.cli.documents import Guard
from grpcdns.cli.output import Output, ago, plural
from grpcdns.serve.link import GuardStatus


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", metavar="status|release", choices=("status", "release"))
    parser.add_argument(
        "--server", metavar="ADDR", required=True, help="address of a running worker"
    )
    parser.add_argument("--timeout", metavar="DURATION", default="10s", help="for the reply [10s]")
    output.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    release = args.action == "release"
    address = servers.address(args.server)
    status = attached.ask_guard(address, servers.seconds(args), release=release)
    if not status.percent:
        raise NotDone(f"{address}: runs without --guard")
    document = Guard(**asdict(status) | {"withheld": dict(status.withheld)})
    output.emit(args, document, lambda out: _show(out, status))
    return int(release and not status.released)


def _show(out: Output, status: GuardStatus) -> None:
    if not status.since:
        out.line(f"nothing is held (--guard {status.percent:g})")
        return
    now = time.time()
    if status.released:
        out.line(("released", "bold green"), ": the answers are those of the API")
        out.line(f"was held since {ago(now - status.since)}: {status.why}", indent=2)
    else:
        out.line(("old answers are held", "bold yellow"), f" since {ago(now - status.since)}")
        out.line(status.why, indent=2)
        out.line(f"ends by itself within {max(0, status.until - now) / 60:.0f} min", indent=2)
    out.line(f"{plural(status.services, 'Service')} gone or without ready endpoints", indent=2)
    out.rows((kind, f"{count:,} withheld") for kind, count in status.withheld)
