"""Ask a cluster whether it has all that grpcdns serve needs, before anything is deployed.

Takes the options of serve, and asks: the API version of each watched kind, the rights of the
service account, CoreDNS's ConfigMap, the Service and Pod networks against --zones, the DNS Service
and its endpoints, and how large the cluster is. A line a check: ok, warning, fail, or unknown where
the credentials do not allow to ask.

The rights are those of --as: in a Pod its own account, with an operator's kubeconfig CoreDNS's
(kube-system/coredns), which need not exist yet. --as self: the kubeconfig's own user.

Exit code 0: no check failed; 1: one did, or nothing could be asked; 2: the options make no sense.

Example:
    grpcdns preflight --zones cluster.local,10.96.0.0/12,10.244.0.0/16 --kubeconfig ~/.kube/config
"""

from __future__ import annotations

import argparse
from typing import Final

from grpcdns.cli import listed, output, servers
from grpcdns.cli.output import Cell, Output, plural
from grpcdns.cli.progress import Progress
from grpcdns.config import values
from grpcdns.config.options import UserError
from grpcdns.preflight import account
from grpcdns.preflight.report import FAIL, OK, UNKNOWN, WARNING, Check, Report, Status

_STYLES: Final = {OK: "green", WARNING: "bold yellow", FAIL: "bold red", UNKNOWN: "bold cyan"}
_WORDS: Final[dict[Status, str]] = {
    OK: "ok",
    WARNING: "with a warning",
    FAIL: "failed",
    UNKNOWN: "unknown",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--as",
        dest="account",
        metavar="ACCOUNT",
        default="",
        help="whose rights: NAMESPACE/NAME, system:serviceaccount:NAMESPACE:NAME or self "
        "[the Pod's; kube-system/coredns with an operator's kubeconfig]",
    )
    parser.add_argument(
        "--configmap",
        metavar="NAMESPACE/NAME",
        default="kube-system/coredns",
        help="CoreDNS's ConfigMap [kube-system/coredns]",
    )
    output.add_arguments(parser)
    parser.add_argument(
        "--timeout", metavar="DURATION", default="2s", help="for each request to the API [2s]"
    )
    listed.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    loaded = listed.settings(args)
    config = loaded.config
    if config.manifests:
        raise UserError("--manifests: preflight asks a cluster; leave it out")
    configmap = _parsed("--configmap", values.namespaced_name, args.configmap)
    given = _parsed("--as", account.parse_account, args.account) if args.account else ""
    has_zones = loaded.origin["zones"] != "default"
    namespace, _, name = configmap.partition("/")
    from grpcdns.preflight.checks import run_checks  # the kubernetes package: 0.2 s

    with Progress("asking the cluster", args.output) as progress:
        found = run_checks(
            config,
            given,
            (namespace, name),
            (*config.zones, *config.external_zones) if has_zones else (),
            servers.seconds(args),
            progress.at,
        )
    output.emit(args, found, lambda out: _show(out, found))
    return 0 if found.ready else 1


def _parsed(flag: str, parse: values.Parser, text: str) -> str:
    try:
        return str(parse(text))
    except ValueError as error:
        raise UserError(f"{flag}: {error}") from error


def _show(paper: Output, found: Report) -> None:
    rows: list[list[Cell]] = [
        [(check.status, _STYLES[check.status]), check.name, check.found] for check in found.checks
    ]
    paper.rows(rows, indent=0)
    todo: dict[str, list[Check]] = {}
    for check in found.checks:
        if check.do:
            todo.setdefault(check.do, []).append(check)
    if todo:
        paper.heading("What to do")
    for do, checks in todo.items():
        names = ", ".join(check.name for check in checks)
        paper.line((names, _STYLES[checks[0].status]), f": {do}", indent=2)
    counts = [f"{n} {_WORDS[status]}" for status, n in found.counts.items() if n]
    paper.heading(
        f"{plural(len(found.checks), 'check')}: {', '.join(counts)}",
        "bold green" if found.ready else "bold red",
    )
