"""Tries other versions of CoreDNS and Kubernetes, built from their Go modules: ``make matrix``.

    python -m tools.matrix [coredns@1.12.0 kubernetes@1.33.13 ...]      default: `VERSIONS`

A version is built from the sources in tests/servers with that version required, into the cache, and
replaces the tests' own in a short end-to-end test and differential (`TESTS`). Each outcome is a row
of docs/support.md; the rows of versions that are not tried now stay. Exits with 1 when one fails.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from harness.build import OWN, Program, Unavailable, build, cache_folder, go_command
from harness.paths import ROOT, SERVERS
from tools.marked import part, with_part
from tools.pythons import run_tests, summary

PAGE: Final = ROOT / "docs" / "support.md"
BEGIN: Final = "<!-- matrix: written by `make matrix` -->"
END: Final = "<!-- end of matrix -->"
VERSIONS: Final = (
    *(f"coredns@{version}" for version in ("1.12.0", "1.12.4", "1.13.2", "1.14.7", "1.15.0")),
    *(f"kubernetes@{version}" for version in ("1.33.13", "1.34.4", "1.35.4", "1.36.3", "1.37.2")),
)
TESTS: Final = ("tests/system/e2e", "tests/differential/test_end_to_end.py")


def own(name: str) -> str:
    """The version that the tests run, of coredns or kubernetes."""
    text = (SERVERS / name / "go.mod").read_text()
    found: list[str] = re.findall(rf"^\s*(?:require )?\S+/{name} v(\S+)$", text, re.MULTILINE)
    return found[0]


def programs(name: str, version: str) -> Iterator[Program]:
    """The programs of a version, with a folder of sources each can be built from."""
    folder = cache_folder() / "matrix" / f"{name}-{version}"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(SERVERS / name, folder)
    (folder / "go.sum").unlink()
    go = re.findall(r"^go (\S+)$", (folder / "go.mod").read_text(), re.MULTILINE)[0]
    lines = [f"module grpcdns.test/matrix/{name}", "", f"go {go}", ""]
    if name == "coredns":
        (folder / "go.mod").write_text(
            "\n".join([*lines, f"require github.com/coredns/coredns v{version}"])
        )
        _without_what_it_lacks(folder, _module(folder, "github.com/coredns/coredns"))
        _go(folder, "mod", "tidy")
        yield Program("coredns", folder)
        return
    staged = f"v0.{version.partition('.')[2]}"
    lines += [f"require k8s.io/component-base {staged}", f"require k8s.io/kubernetes v{version}"]
    (folder / "go.mod").write_text("\n".join(lines))
    text = (_module(folder, "k8s.io/kubernetes") / "go.mod").read_text()
    names = re.findall(r"^\s*(k8s\.io/\S+) => \./staging", text, re.MULTILINE)
    names += re.findall(r"^\s*(k8s\.io/\S+) v0\.0\.0(?:\s|$)", text, re.MULTILINE)
    lines += [f"replace {one} => {one} {staged}" for one in dict.fromkeys(names)]
    (folder / "go.mod").write_text("\n".join(lines))
    _go(folder, "mod", "tidy")
    gitversion = f"k8s.io/component-base/version.gitVersion=v{version}"
    for program in ("kube-apiserver", "kube-controller-manager"):
        yield Program(program, folder, f"./{program}", (gitversion,), minutes=5)


def _without_what_it_lacks(folder: Path, module: Path) -> None:
    """CoreDNS's main without plugins that this version does not have, and without the judge of
    Corefiles, which is made of its newest insides."""
    main = folder / "main.go"
    lines = main.read_text().splitlines()
    found = (re.search(r'_ "github.com/coredns/coredns/(plugin/\S+)"', line) for line in lines)
    main.write_text("\n".join(
        line for line, match in zip(lines, found, strict=True)
        if not match or (module / match[1]).is_dir()
    ))  # fmt: skip
    (folder / "judge_linux.go").unlink()
    other = folder / "judge_other.go"
    other.write_text(re.sub(r"^//go:build.*\n", "", other.read_text()))


def _has_all_properties(name: str, version: str) -> bool:
    """Whether this CoreDNS accepts the differential's Corefile."""
    if name != "coredns" or version == own(name):
        return True
    folder = cache_folder() / "matrix" / f"{name}-{version}"
    setup = _module(folder, "github.com/coredns/coredns") / "plugin/kubernetes/setup.go"
    return '"zonal"' in setup.read_text()


def _module(folder: Path, name: str) -> Path:
    found = json.loads(_go(folder, "mod", "download", "-json", name))
    return Path(found["Dir"])


def _go(folder: Path, *words: str) -> str:
    command, env = go_command(folder / "go.mod")
    run = subprocess.run([command, *words], cwd=folder, env=env, capture_output=True, text=True)
    if run.returncode != 0:
        raise Unavailable(folder.name, (run.stderr.strip().splitlines() or ["no output"])[-1])
    return run.stdout


def attempt(what: str) -> tuple[bool, str]:
    """Builds a version and runs `TESTS` with it: whether it works, and the outcome in words."""
    name, _, version = what.partition("@")
    try:
        for program in () if version == own(name) else programs(name, version):
            os.environ[OWN + program.name.upper().replace("-", "_")] = str(build(program))
    except Unavailable as error:
        return False, f"cannot be built here: {error.reason}"
    chosen = TESTS if _has_all_properties(name, version) else TESTS[:1]
    run = run_tests(Path(sys.executable), *chosen)
    if run.returncode != 0:
        print(run.stdout[-4000:] + run.stderr)
    for variable in [one for one in os.environ if one.startswith(OWN)]:
        del os.environ[variable]
    alone = "" if chosen == TESTS else "; no differential: its kubernetes plugin has no `zonal`"
    return run.returncode == 0, summary(run) + alone


def rows() -> dict[str, str]:
    """The rows of docs/support.md by their version, as `coredns@1.14.7`."""
    text = part(PAGE.read_text(), BEGIN, END)
    found = re.findall(r"^\| (\w+) (\d\S+) \| (.*) \|$", text, re.MULTILINE)
    return {f"{name.lower()}@{version}": said for name, version, said in found}


def _order(what: str) -> tuple[str, list[int]]:
    name, _, version = what.partition("@")
    return name, [int(number) for number in version.split(".")]


def write(outcomes: dict[str, str]) -> None:
    shown = {"coredns": "CoreDNS", "kubernetes": "Kubernetes"}
    lines = ["| version | end-to-end and differential |", "|---|---|"]
    for what in sorted(outcomes, key=_order):
        name, _, version = what.partition("@")
        lines.append(f"| {shown[name]} {version} | {outcomes[what]} |")
    PAGE.write_text(with_part(PAGE.read_text(), BEGIN, END, "\n".join(lines)))


def main(argv: list[str]) -> int:
    failed = 0
    for what in argv or VERSIONS:
        works, said = attempt(what)
        print(f"{what}: {said}", flush=True)
        failed |= not works
        write({**rows(), what: said})
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
