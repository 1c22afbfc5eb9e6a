"""``corefile --check`` held against CoreDNS: does it start with a Corefile or not?

Random Corefiles (corefiles.py) go to both. Where they differ, the check is wrong, unless the reason
is one that the text does not have: files, addresses and names of the machine, and the few languages
within a Corefile that the check does not read. docs/corefile.md lists these limits.

DIFFERENTIAL_COREFILES is how many, DIFFERENTIAL_SEED the seed.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from grpcdns.corefile.checker import check_corefile
from grpcdns.corefile.plugins import CHECKS
from grpcdns.corefile.start import refusals
from grpcdns.corefile.syntax import SyntaxProblem, parse_corefile
from grpcdns.corefile.translate import Networks, Untranslatable, translate
from grpcdns.corefile.traps.trap import ERROR
from harness.fixtures import skip_unless_built
from tests.differential.corefiles import PLUGINS, VARIABLES, Made, Maker
from tests.differential.judge import Answer, judge, run

pytestmark = pytest.mark.servers

COUNT: Final = int(os.environ.get("DIFFERENTIAL_COREFILES", "200"))
SEED: Final = int(os.environ.get("DIFFERENTIAL_SEED", "20"))
NETWORKS: Final = Networks(("10.96.0.0/12", "fd00:96::/112"), ("10.244.0.0/16",))
SAMPLE: Final = max(8, COUNT // 50)

LIMITS: Final = {
    "files": r"no such file|File to import not found|failed to open|is a directory"
    "|no valid upstream addresses|no nameservers",
    "addresses": r"cannot assign requested address|interface name",
    "names": r"failed to resolve|no such host|lookup ",
    "the Pod": r"in-cluster configuration",
    "the API": r"failed to create kubernetes",
    "loops": r"it died: $|plugin/loop",
    "expressions": r"plugin/view: (?!this|.*Wrong argument|.*unknown property)",
    "plugins": rf"plugin/({'|'.join(name for name, check in CHECKS.items() if check is None)}): ",
}
"""Why CoreDNS may refuse what the check accepts."""


class Verdict(NamedTuple):
    made: Made
    answer: Answer
    refusals: list[str]
    findings: list[str]

    def __str__(self) -> str:
        said = self.answer.why or "CoreDNS starts"
        return f"{said!r}, and the check: {self.refusals}\n{self.made.text}"


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> list[Verdict]:
    skip_unless_built("coredns")
    maker = Maker(SEED)
    every = [maker.make() for _ in range(COUNT)]
    folder = tmp_path_factory.mktemp("corefiles")
    answers = judge([made.text for made in every], VARIABLES, folder)
    return [
        Verdict(
            made,
            answer,
            refused(made.text, VARIABLES),
            [
                finding.what
                for finding in check_corefile(made.text, environment=VARIABLES)
                if finding.trap.level == ERROR or finding.trap.name == "external-plugin"
            ],
        )
        for made, answer in zip(every, answers, strict=True)
    ]


def refused(text: str, environment: dict[str, str] | None) -> list[str]:
    try:
        return [f"{one.trap}: {one.what}" for one in refusals(parse_corefile(text, environment))]
    except SyntaxProblem as problem:
        return [f"syntax: {problem.message}"]


def limit(verdict: Verdict) -> str | None:
    """Which documented limit explains that CoreDNS refuses and the check does not."""
    parsed = parse_corefile(verdict.made.text, VARIABLES)
    if parsed.imports:
        return "imports"
    if "already defined" in verdict.answer.why and "bind lo" in verdict.made.text:
        return "addresses"
    return next((name for name, why in LIMITS.items() if re.search(why, verdict.answer.why)), None)


def test_what_coredns_starts_with_is_not_refused(verdicts: list[Verdict]) -> None:
    wrong = [str(one) for one in verdicts if one.answer.starts and one.refusals]
    assert not wrong, f"{len(wrong)} of {len(verdicts)}; the first:\n{wrong[0]}"


def test_what_coredns_refuses_is_refused(verdicts: list[Verdict]) -> None:
    wrong = [
        str(one)
        for one in verdicts
        if not one.answer.starts and not one.refusals and limit(one) is None
    ]
    assert not wrong, f"{len(wrong)} of {len(verdicts)}; the first:\n{wrong[0]}"


def test_unknown_variables_refuse_nothing(verdicts: list[Verdict]) -> None:
    """Without the environment the check finds less, and nothing that is not so. It takes a variable
    for not empty: an empty key can make other words the keys, or leave a block without one."""
    wrong = [
        f"{refused(one.made.text, None)}\n{one.made.text}"
        for one in verdicts
        if one.answer.starts
        and refused(one.made.text, None)
        and not re.search(r"\{\$(NONE|EMPTY)\}", one.made.text)
    ]
    assert not wrong, f"{len(wrong)} of {len(verdicts)}; the first:\n{wrong[0]}"


def test_a_refusal_is_an_error_of_the_check(verdicts: list[Verdict]) -> None:
    silent = [str(one) for one in verdicts if one.refusals and not one.findings]
    assert not silent, silent[0]


def test_the_program_itself_says_the_same(verdicts: list[Verdict], tmp_path: Path) -> None:
    """A sample of both kinds, started as `coredns -conf`."""
    for starts in (True, False):
        for one in [one for one in verdicts if one.answer.starts is starts][: SAMPLE // 2]:
            answer = run(one.made.text, VARIABLES, tmp_path)
            looped = starts and "plugin/loop" in answer.why
            assert answer.starts is starts or looped, f"{answer}\n{one}"


def test_what_is_translated_starts(verdicts: list[Verdict], tmp_path: Path) -> None:
    """corefile --from: of a Corefile that starts, one that starts. (Zones in variables are unknown:
    the translation says so.)"""
    sockets = ("unix:///run/0.sock", "unix:///run/1.sock")
    texts = []
    for one in verdicts:
        if one.answer.starts and "{" not in "".join(zones_of(one.made.text)):
            try:
                texts.append(translate(one.made.text, NETWORKS, sockets).text)
            except Untranslatable:
                continue
    assert texts
    for text, answer in zip(texts, judge(texts, VARIABLES, tmp_path), strict=True):
        assert answer.starts, f"{answer.why}\n{text}"
        assert not any(server.has("kubernetes") for server in parse_corefile(text).servers), text


def zones_of(text: str) -> list[str]:
    """All keys, and the arguments of kubernetes."""
    servers = parse_corefile(text).servers
    args = [word for one in servers for part in one.all("kubernetes") for word in part.args]
    return [*args, *(key for one in servers for key in one.keys)]


# -- what the generator reaches

FEATURES: Final = frozenset(PLUGINS) | {
    "bind",
    "bind with except",
    "brace after the properties",
    "brace on the next line",
    "byte order mark",
    "carriage returns",
    "comment",
    "comment in a word",
    "directive twice",
    "import at the top",
    "import in a snippet",
    "import of a file",
    "import of a snippet",
    "keys with commas",
    "mutated",
    "network",
    "no braces",
    "one-line block",
    "plugin's brace on the next line",
    "port",
    "properties from a snippet",
    "property on the line of the brace",
    "quoted word",
    "same keys in two blocks",
    "scheme dns://",
    "scheme grpc://",
    "scheme https3://",
    "scheme https://",
    "scheme quic://",
    "scheme tls://",
    "scheme unix://",
    "server block in one line",
    "snippet before one that it imports",
    "variable",
    "variable in a key",
    "wrong bind",
    "wrong directive",
    "wrong import",
    "wrong name",
    "wrong port",
    "wrong scheme",
    "wrong second snippet of a name",
    "wrong snippet that imports itself",
    *(f"wrong property of {name}" for name in ("cache", "errors", "forward", "grpc", "health")),
    *(f"wrong arguments of {name}" for name in ("forward", "grpc", "loadbalance", "rewrite")),
}


def test_the_generator_reaches_everything() -> None:
    maker = Maker(SEED)
    counts = Counter(feature for _ in range(2000) for feature in maker.make().features)
    assert not FEATURES - counts.keys()


REASONS: Final = {
    "zone twice": r"already defined",
    "bound and unbound": r"zone overlap listener capacity",
    "unknown directive": r"Unknown directive",
    "argument of cache": r"plugin/cache: ",
    "argument of forward": r"plugin/forward: ",
    "argument of grpc": r"plugin/grpc: ",
    "key": r"not a valid domain name",
    "port": r"invalid port",
    "brace": r"no matching opening brace",
    "end of file": r"Unexpected EOF|expecting '}'",
    "once": r"this plugin can only be used once",
    "snippet": r"redeclaration of previously declared snippet",
    "import": r"Import takes only one argument",
    "needs another plugin": r"kubernetes plugin not loaded|AutoPather",
}


@pytest.mark.slow
def test_coredns_refuses_for_every_reason(tmp_path: Path) -> None:
    """And starts with at least a fifth of all: neither side of the comparison is empty."""
    skip_unless_built("coredns")
    maker = Maker(SEED)
    answers = judge([maker.make().text for _ in range(2000)], VARIABLES, tmp_path)
    missing = {
        reason
        for reason, words in REASONS.items()
        if not any(re.search(words, answer.why) for answer in answers)
    }
    assert not missing
    assert sum(answer.starts for answer in answers) > len(answers) / 5
