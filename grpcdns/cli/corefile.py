"""Write a Corefile for this cluster, translate one, or check one.

Without --check and --from, print a Corefile. Its zones are those of --zones and --external-zones.
The networks of Services and Pods are read once from the cluster's ServiceCIDRs and the Nodes'
podCIDRs, through the API (--kubeconfig, or the Pod's service account) or from --manifests. What
cannot be found is marked MISSING. The cache gets room for the cluster's names: --names COUNT, else
one for each Service and each endpoint of a headless one, counted in the same reading.

With --from FILE (- is standard input), translate a Corefile with kubernetes or k8s_external: print
one with grpc, the flags that grpcdns needs with it, and what became of each line. The networks are
only read if the file needs them.

With --check FILE (- is standard input), report by line what does not work behind grpc, and why.
With --zones, also compare the Corefile's zones with them. With --names, --kubeconfig or
--manifests, compare the cache's size with the number of names. With --ttl-mode adaptive, report
what in the cache works against it.

Both take the ConfigMap of a Corefile, too.

Exit code 0: written, or nothing found but notes; 1: there are errors or warnings, or a part of the
Corefile is MISSING or not possible.

Examples:
    grpcdns corefile --zones cluster.local --kubeconfig ~/.kube/config
    kubectl -n kube-system get configmap coredns -o yaml | grpcdns corefile --from -
    grpcdns corefile --check Corefile --zones cluster.local,10.96.0.0/12 --ttl-mode adaptive
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from grpcdns.cli import corefile_from, listed, output
from grpcdns.cli.cidrs import Networks, count_names, find_networks
from grpcdns.cli.documents import CheckedCorefile, CorefileFinding, WrittenCorefile
from grpcdns.cli.output import Output, plural
from grpcdns.config import values
from grpcdns.config.load import Loaded
from grpcdns.config.options import Config, Option, UserError
from grpcdns.core.answers.policy import AUTO, with_networks
from grpcdns.corefile import translate
from grpcdns.corefile.cache import Names
from grpcdns.corefile.checker import check_corefile
from grpcdns.corefile.configmap import Embedded, NoCorefile, corefile_in
from grpcdns.corefile.traps.trap import LEVELS, NOTE, Backend, Finding
from grpcdns.corefile.write import Plan, write_corefile
from grpcdns.corefile.zones import is_reverse
from grpcdns.preflight.names import as_given

MOST_NAMES: Final = 10**8
NOT_WRITTEN: Final = frozenset(
    {"zones", "ttl-mode", "kubeconfig", "context", "manifests", "strict"}
)
"""Options that are not repeated in the command line of grpcdns; the first two are in it anyway."""
NOT_OURS: Final = frozenset({"default", "KUBECONFIG", "~/.kube/config"})
"""Origins of a source that no option of grpcdns names."""
_STYLES: Final = {"error": "bold red", "warning": "bold yellow", "note": "bold cyan"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--check", metavar="FILE", help="check this Corefile and write none")
    parser.add_argument("--from", dest="source", metavar="FILE", help="translate this Corefile")
    output.add_arguments(parser)
    many = {"action": "append", "metavar": "CIDR"}
    parser.add_argument("--service-cidr", help="network of the Services; repeat for more", **many)  # type: ignore[arg-type]
    parser.add_argument("--pod-cidr", help="network of the Pods; repeat for more", **many)  # type: ignore[arg-type]
    parser.add_argument(
        "--listen", metavar="ADDR", action="append", help="address of a worker; repeat for more"
    )
    parser.add_argument(
        "--forward",
        metavar="TO",
        default="/etc/resolv.conf",
        help="DNS servers for all other names [/etc/resolv.conf]",
    )
    parser.add_argument(
        "--tls", metavar="FILES", default="", help="CERT KEY CA, for workers on TCP"
    )
    parser.add_argument("--names", metavar="COUNT", help="names of the cluster [counted]")
    listed.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    loaded = listed.settings(args)
    if args.check and args.source:
        raise UserError("--check and --from exclude each other")
    if args.source:
        return _translate(args, loaded)
    return _check(args, loaded) if args.check else _write(args, loaded)


# -- writing


def _write(args: argparse.Namespace, loaded: Loaded) -> int:
    config = loaded.config
    services, pods = _cidrs(args.service_cidr), _cidrs(args.pod_cidr)
    names = _given_names(args)
    if services and pods:
        found = Networks(services, pods, (), names or _count(args, loaded))
    else:
        found = find_networks(config, args.output, services, pods)
    plan = Plan(
        zones=_forward_zones(config.zones),
        external=_forward_zones(config.external_zones),
        services=found.services,
        pods=found.pods,
        sockets=_listen(args.listen) or config.listen,
        upstream=args.forward,
        tls=tuple(args.tls.split()),
        missing=found.missing,
        names=names or found.names,
        follows_networks=AUTO in config.zones,
        ttl_mode=config.ttl_mode if loaded.origin["ttl-mode"] != "default" else "adaptive",
        flags=tuple(_flags(config, args.offered)),
    )
    text = write_corefile(plan)
    document = WrittenCorefile(
        corefile=text,
        zones=list(plan.keys),
        missing=list(plan.missing),
        names=plan.names.number or None,
    )
    output.emit(args, document, lambda _: output.write(text))
    return 1 if plan.missing else 0


def _given_names(args: argparse.Namespace) -> Names | None:
    if args.names is None:
        return None
    try:
        return as_given(values.integer(1, MOST_NAMES)(args.names), datetime.now(UTC).date())
    except ValueError as error:
        raise UserError(f"--names: {error}") from error


def _count(args: argparse.Namespace, loaded: Loaded) -> Names:
    """Of a cluster that an option of ours names: kubectl's own default is no request to ask it."""
    ours = (loaded.origin[name] for name in ("manifests", "kubeconfig"))
    known = not NOT_OURS.issuperset(ours)
    return count_names(loaded.config, args.output) if known else Names()


def _forward_zones(zones: Sequence[str]) -> tuple[str, ...]:
    return tuple(_plain(zone) for zone in zones if zone != AUTO and not is_reverse(zone))


def _flags(config: Config, offered: Sequence[Option]) -> Iterator[str]:
    """What was given, but for where the cluster is: in its Pod grpcdns needs no such option."""
    for option in offered:
        value = getattr(config, option.field)
        if option.name not in NOT_WRITTEN and value != option.default:
            yield f"--{option.name}"
            if option.metavar:
                many = isinstance(value, tuple)
                yield ",".join(map(_plain, value)) if many else option.show(value)


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


# -- translating


def _translate(args: argparse.Namespace, loaded: Loaded) -> int:
    return corefile_from.run(
        args,
        _read("--from", args.source),
        loaded.config,
        translate.Networks(_cidrs(args.service_cidr), _cidrs(args.pod_cidr)),
        _listen(args.listen) or loaded.config.listen,
        _given_names(args),
        lambda: _count(args, loaded),
    )


# -- checking


def _check(args: argparse.Namespace, loaded: Loaded) -> int:
    read = _read("--check", args.check)
    given = loaded.origin["zones"] != "default"
    served = (*_served_zones(args, loaded.config), *loaded.config.external_zones) if given else ()
    names = _given_names(args) or _count(args, loaded)
    if names.source and not names.number:
        print(f"grpcdns corefile: names not counted: {names.source}", file=sys.stderr)
    backend = Backend(names.number, adaptive=loaded.config.ttl_mode == "adaptive")
    findings = check_corefile(read.text, served, backend=backend)
    lines = read.text.split("\n")
    if read.before is not None:
        lines = [""] * read.before + lines
        findings = [one._replace(line=one.line + read.before) for one in findings]
    place = f"{args.check} (ConfigMap {read.name})" if read.before is None else args.check
    document = CheckedCorefile(file=args.check, findings=[_document(one) for one in findings])
    output.emit(args, document, lambda out: _show(out, place, lines, findings))
    return 1 if any(one.trap.level != NOTE for one in findings) else 0


def _served_zones(args: argparse.Namespace, config: Config) -> tuple[str, ...]:
    """Those of --zones; auto needs the networks of --service-cidr or of the cluster."""
    if AUTO not in config.zones:
        return config.zones
    networks = _cidrs(args.service_cidr) or find_networks(config, args.output).services
    return with_networks(config.policy(), networks).zones


def _read(flag: str, path: str) -> Embedded:
    """A Corefile, or the one in a ConfigMap."""
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text()
        return corefile_in(text) or Embedded(text, "", 0)
    except OSError as error:
        raise UserError(f"{flag} {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{flag} {path}: not UTF-8") from error
    except NoCorefile as error:
        raise UserError(f"{flag} {path}: {error}") from error


def _document(finding: Finding) -> CorefileFinding:
    trap = finding.trap
    return CorefileFinding(
        line=finding.line,
        level=trap.level,
        trap=trap.name,
        what=finding.what,
        why=trap.why,
        mend=trap.mend,
    )


def _show(out: Output, path: str, lines: list[str], findings: list[Finding]) -> None:
    for finding in findings:
        trap = finding.trap
        out.line(
            (f"{path}:{finding.line}", "bold"),
            ": ",
            (trap.level, _STYLES[trap.level]),
            f": {finding.what} ",
            (f"[{trap.name}]", "dim"),
        )
        if finding.line <= len(lines):
            out.line((lines[finding.line - 1].strip(), "cyan"), indent=6)
        out.line(trap.why, indent=4)
        out.line(("-> ", "bold"), trap.mend, indent=4)
        out.line()
    counts = Counter(one.trap.level for one in findings)
    if not findings:
        out.line((f"{path}: nothing found", "green"))
    else:
        shown = [plural(counts[level], level) for level in LEVELS if counts[level]]
        out.line((f"{path}: {', '.join(shown)}", "bold"))
