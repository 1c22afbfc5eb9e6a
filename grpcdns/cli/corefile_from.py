"""``grpcdns corefile --from FILE``: a Corefile with ``kubernetes`` as one with grpcdns.

The text is the new Corefile. Its first lines are comments: grpcdns's command line, and what became
of each line of the old one.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from grpcdns.cli import NotDone, output
from grpcdns.cli.cidrs import find_networks
from grpcdns.cli.documents import TranslatedCorefile, TranslatedLine
from grpcdns.config.options import Config, UserError
from grpcdns.core.answers.policy import Policy
from grpcdns.corefile.cache import Names
from grpcdns.corefile.configmap import Embedded
from grpcdns.corefile.flags import Account, Fate
from grpcdns.corefile.syntax import SyntaxProblem
from grpcdns.corefile.translate import (
    Networks,
    Translation,
    Untranslatable,
    needs_networks,
    translate,
)


def run(
    args: argparse.Namespace,
    read: Embedded,
    config: Config,
    given: Networks,
    sockets: Sequence[str],
    given_names: Names | None,
    count: Callable[[], Names],
) -> int:
    """The exit code: 1 when something is MISSING or not possible. ``count`` counts the cluster's
    names where nothing else is read of it. Raises `UserError` for a text that cannot be translated.
    """
    path = args.source
    try:
        needed = needs_networks(read.text)
        networks, missing, counted = _networks(config, given, needed, args.output)
        names = given_names or counted or count()
        made = translate(read.text, networks, sockets, args.tls, names.number)
    except SyntaxProblem as problem:
        line = problem.line + (read.before or 0)
        raise UserError(f"--from {path}:{line}: {problem.message}") from problem
    except Untranslatable as problem:
        raise UserError(f"--from {path}: {problem}") from problem
    missing += [one for one in made.missing if not (missing and "networks" in one)]
    accounts = [one._replace(line=one.line + (read.before or 0)) for one in made.accounts]
    made = made._replace(accounts=tuple(accounts))
    document = TranslatedCorefile(
        corefile=made.text,
        flags=list(made.flags),
        lines=[
            TranslatedLine(line=one.line, text=one.text, fate=one.fate, detail=one.detail)
            for one in made.accounts
        ],
        missing=missing,
        names=names.number or None,
    )
    head = "".join(f"{line}\n" for line in _head(path, made, missing, names))
    output.emit(args, document, lambda _: output.write(head + made.text))
    lost = any(one.fate is Fate.LOST for one in made.accounts)
    return 1 if missing or lost else 0


def _networks(
    config: Config, given: Networks, needed: bool, form: str
) -> tuple[Networks, list[str], Names | None]:
    """The options' networks; what they do not say is read from the cluster, if it is needed, and
    its names are counted with it."""
    if not needed or (given.services and given.pods):
        return given, [], None
    try:
        found = find_networks(config, form, *given)
    except (NotDone, UserError) as error:
        why = f"the cluster's networks ({error}); give --service-cidr and --pod-cidr"
        return given, [why], Names(source=str(error))
    return Networks(found.services, found.pods), list(found.missing), found.names


def _head(path: str, made: Translation, missing: Sequence[str], names: Names) -> Iterator[str]:
    yield f"# grpcdns serve {shlex.join(made.flags)}"
    for remark in missing:
        yield f"# MISSING: {remark}"
    yield "#"
    yield from _ttls(made.flags)
    yield f"# The cache with grpc. {names.comment()} Fits --ttl-mode fixed and adaptive."
    yield "#"
    yield f"# What became of the lines of {path}:"
    width = max((len(_place(one)) for one in made.accounts), default=0)
    for one in made.accounts:
        yield f"# {_place(one):{width}}  {one.fate}: {one.detail}"
    yield ""


def _ttls(flags: Sequence[str]) -> Iterator[str]:
    """The flags that give adaptive TTLs. The command line has the TTL that clients get now: whether
    it changes is the operator's decision."""
    ttl = dict(pairwise(flags)).get("--ttl", "")
    if ttl == "0":  # no answer may be kept
        return
    stable = max(int(ttl or 0), Policy().ttl_stable)
    of_ttl = f" of --ttl {ttl}" if ttl else ""
    yield f"# TTLs stay as they are. --ttl-mode adaptive --ttl-stable {stable} instead{of_ttl}, as"
    yield "# deploy/kubeadm has it, is less for what changes (docs/operations.md, Adaptive TTLs)."
    yield "#"


def _place(one: Account) -> str:
    text = one.text if len(one.text) <= 50 else f"{one.text[:47]}..."
    return f"{one.line:>4}  {text}"
