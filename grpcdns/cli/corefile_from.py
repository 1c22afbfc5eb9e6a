"""``grpcdns corefile --from FILE``: a Corefile with ``kubernetes`` as one with grpcdns.

The text is the new Corefile. Its first lines are comments: grpcdns's command line, and what became
of each line of the old one.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from grpcdns.cli import NotDone
from grpcdns.cli.cidrs import find_networks
from grpcdns.cli.output import print_json
from grpcdns.config.options import Config, UserError
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
    path: str,
    read: Embedded,
    config: Config,
    given: Networks,
    sockets: Sequence[str],
    tls: str,
    *,
    json: bool,
) -> int:
    """The exit code: 1 when something is MISSING or not possible. Raises `UserError` for a text
    that cannot be translated."""
    try:
        networks, missing = _networks(config, given) if needs_networks(read.text) else (given, [])
        made = translate(read.text, networks, sockets, tls)
    except SyntaxProblem as problem:
        line = problem.line + (read.before or 0)
        raise UserError(f"--from {path}:{line}: {problem.message}") from problem
    except Untranslatable as problem:
        raise UserError(f"--from {path}: {problem}") from problem
    missing += [one for one in made.missing if not (missing and "networks" in one)]
    accounts = [one._replace(line=one.line + (read.before or 0)) for one in made.accounts]
    made = made._replace(accounts=tuple(accounts))
    if json:
        print_json(
            {
                "corefile": made.text,
                "flags": made.flags,
                "lines": [
                    {"line": one.line, "text": one.text, "fate": one.fate, "detail": one.detail}
                    for one in made.accounts
                ],
                "missing": missing,
            }
        )
    else:
        print("\n".join(_head(path, made, missing)))
        print(made.text, end="")
    lost = any(one.fate is Fate.LOST for one in made.accounts)
    return 1 if missing or lost else 0


def _networks(config: Config, given: Networks) -> tuple[Networks, list[str]]:
    """The options' networks; what they do not say is read from the cluster."""
    if given.services and given.pods:
        return given, []
    try:
        found = find_networks(config)
    except (NotDone, UserError) as error:
        return given, [f"the cluster's networks ({error}); give --service-cidr and --pod-cidr"]
    networks = Networks(given.services or found.services, given.pods or found.pods)
    remarks = [
        remark
        for remark in found.missing
        if not (
            (given.services and "--service-cidr" in remark)
            or (given.pods and "--pod-cidr" in remark)
        )
    ]
    return networks, remarks


def _head(path: str, made: Translation, missing: Sequence[str]) -> Iterator[str]:
    yield f"# grpcdns serve {shlex.join(made.flags)}"
    for remark in missing:
        yield f"# MISSING: {remark}"
    yield "#"
    yield f"# What became of the lines of {path}:"
    width = max((len(_place(one)) for one in made.accounts), default=0)
    for one in made.accounts:
        yield f"# {_place(one):{width}}  {one.fate}: {one.detail}"
    yield ""


def _place(one: Account) -> str:
    text = one.text if len(one.text) <= 50 else f"{one.text[:47]}..."
    return f"{one.line:>4}  {text}"
