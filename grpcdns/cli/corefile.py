"""Write a Corefile for this cluster, or check one.

Without --check: the zones are those of --zones and --external-zones, the Service networks come from
the cluster's ServiceCIDR objects, the Pod networks from the Nodes' podCIDRs, asked once of the API
(--kubeconfig, or the Pod's own) or of --manifests. What cannot be found out is marked MISSING.

With --check FILE (- is standard input): says, by line, what will not work behind grpc, and why.
With --zones the Corefile's zones are compared with them.

Exit code 0: written, or nothing found but notes; 1: there are errors or warnings, or a part of the
Corefile is MISSING.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path
from typing import Final

from grpcdns.cli import listed
from grpcdns.cli.networks import Networks, find_networks
from grpcdns.cli.output import Output, plural, print_json
from grpcdns.config import values
from grpcdns.config.load import Loaded
from grpcdns.config.options import Config, UserError
from grpcdns.corefile.checker import check_corefile
from grpcdns.corefile.traps.trap import LEVELS, NOTE, Finding
from grpcdns.corefile.write import Plan, write_corefile
from grpcdns.corefile.zones import is_reverse

_STYLES: Final = {"error": "bold red", "warning": "bold yellow", "note": "bold cyan"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--check", metavar="FILE", help="check this Corefile instead")
    parser.add_argument("--json", action="store_true", help="print JSON")
    many = {"action": "append", "metavar": "CIDR"}
    parser.add_argument("--service-cidr", help="the Services' network, again for another", **many)  # type: ignore[arg-type]
    parser.add_argument("--pod-cidr", help="the Pods' network, again for another", **many)  # type: ignore[arg-type]
    parser.add_argument(
        "--listen", metavar="ADDR", action="append", help="a worker's address, again for another"
    )
    parser.add_argument(
        "--forward",
        metavar="TO",
        default="/etc/resolv.conf",
        help="who answers for all other names [/etc/resolv.conf]",
    )
    parser.add_argument(
        "--tls", metavar="FILES", default="", help="CERT KEY CA, for workers on TCP addresses"
    )
    listed.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    loaded = listed.settings(args)
    return _check(args, loaded) if args.check else _write(args, loaded.config)


# -- writing


def _write(args: argparse.Namespace, config: Config) -> int:
    services, pods = _cidrs(args.service_cidr), _cidrs(args.pod_cidr)
    given = Networks(services, pods, ()) if services and pods else None
    found = given or find_networks(config)
    plan = Plan(
        zones=tuple(_plain(zone) for zone in _forward_zones(config)),
        services=services or found.services,
        pods=pods or found.pods,
        sockets=_listen(args.listen) or config.listen,
        upstream=args.forward,
        tls=tuple(args.tls.split()),
        missing=tuple(
            remark
            for remark in found.missing
            if not ((services and "--service-cidr" in remark) or (pods and "--pod-cidr" in remark))
        ),
    )
    text = write_corefile(plan)
    if args.json:
        print_json({"corefile": text, "zones": plan.keys, "missing": plan.missing})
    else:
        print(text, end="")
    return 1 if plan.missing else 0


def _forward_zones(config: Config) -> list[str]:
    every = (*config.zones, *config.external_zones)
    return [zone for zone in every if not is_reverse(zone)]


def _plain(zone: str) -> str:
    return zone.rstrip(".")


def _cidrs(given: list[str] | None) -> tuple[str, ...]:
    try:
        for cidr in given or ():
            values.reverse_zones(cidr)
    except ValueError as error:
        raise UserError(f"--service-cidr or --pod-cidr: {error}") from error
    return tuple(given or ())


def _listen(given: list[str] | None) -> tuple[str, ...]:
    try:
        return tuple(values.many(values.listen_address)(given or []))
    except ValueError as error:
        raise UserError(f"--listen: {error}") from error


# -- checking


def _check(args: argparse.Namespace, loaded: Loaded) -> int:
    text = _read(args.check)
    given = loaded.origin["zones"] != "default"
    served = (*loaded.config.zones, *loaded.config.external_zones) if given else ()
    findings = check_corefile(text, served)
    if args.json:
        print_json({"file": args.check, "findings": [_data(one) for one in findings]})
    else:
        _show(Output(), args.check, text.splitlines(), findings)
    return 1 if any(one.trap.level != NOTE for one in findings) else 0


def _read(path: str) -> str:
    try:
        return sys.stdin.read() if path == "-" else Path(path).read_text()
    except OSError as error:
        raise UserError(f"--check {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"--check {path}: not UTF-8") from error


def _data(finding: Finding) -> dict[str, str | int]:
    trap = finding.trap
    return {
        "line": finding.line,
        "level": trap.level,
        "trap": trap.name,
        "what": finding.what,
        "why": trap.why,
        "mend": trap.mend,
    }


def _show(paper: Output, path: str, lines: list[str], findings: list[Finding]) -> None:
    for finding in findings:
        trap = finding.trap
        paper.line(
            (f"{path}:{finding.line}", "bold"),
            ": ",
            (trap.level, _STYLES[trap.level]),
            f": {finding.what} ",
            (f"[{trap.name}]", "dim"),
        )
        if finding.line <= len(lines):
            paper.line((lines[finding.line - 1].strip(), "cyan"), indent=6)
        paper.line(trap.why, indent=4)
        paper.line(("-> ", "bold"), trap.mend, indent=4)
        paper.line()
    counts = Counter(one.trap.level for one in findings)
    if not findings:
        paper.line((f"{path}: nothing found", "green"))
    else:
        shown = [plural(counts[level], level) for level in LEVELS if counts[level]]
        paper.line((f"{path}: {', '.join(shown)}", "bold"))
