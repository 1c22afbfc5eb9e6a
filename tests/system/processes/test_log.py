"""The log of real processes, over a life with faults: every line of stderr is as documented."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from grpcdns import __version__
from grpcdns.revision import code, revision
from harness.grpcdns import Grpcdns
from harness.paths import ROOT
from harness.waiting import wait_until
from tests.system.processes.log_lines import FIELDS, LEVELS, Line, parse
from tests.system.processes.processes import NAME, answers, is_replaced, write_manifests

FORMS: Final = ("json", "text")
BROKEN: Final = "kind: [\n"
MISTAKEN: Final = """\
apiVersion: v1
kind: Service
metadata: {name: other, namespace: default}
spec: {clusterIP: nonsense, ports: [{port: 80}]}
"""
RIGHT: Final = MISTAKEN.replace("nonsense", "10.96.0.9")
HOOK: Final = """
import ctypes, os, signal, stat, sys, threading, time, warnings

def process():
    log = sys.modules.get("grpcdns.log")
    return log._handler._process if hasattr(log, "_handler") else ""

def wait(before):
    while process() in ("", before):
        time.sleep(0.01)
    warnings.warn("old habits", DeprecationWarning)
    die = os.path.join(os.environ["SEEN"], "die")
    while process().startswith("worker-") and not os.path.exists(die):
        time.sleep(0.01)
    if process() == "worker-0":
        try:
            os.rename(die, die + "d")
        except OSError:
            pass
        else:
            libc = ctypes.CDLL(None)
            libc.perror(b"last words")
            libc.abort()
    raise ValueError("on purpose")

def child():
    while not stat.S_ISFIFO(os.fstat(2).st_mode):
        time.sleep(0.001)
    print("before the log starts", file=sys.stderr)
    wait("supervisor")

def begin(what, *args):
    threading.Thread(target=what, args=args, name="hook", daemon=True).start()

if "grpcdns" in sys.orig_argv and "serve" in sys.orig_argv:
    os.register_at_fork(after_in_child=lambda: begin(child))
    begin(wait, "")
elif "grpcdns" in sys.orig_argv or "grpcdns.serve" in " ".join(sys.orig_argv):
    print("before the log starts", file=sys.stderr)
    begin(wait, "")
"""
"""In each process: a line to fd 2 and not by the log, a warning, a thread that ends with an
exception. A worker 0 dies in C when the file "die" is there. A child is a copy of the supervisor,
or a new interpreter where the supervisor's own thread of this kind has not ended yet."""


def serve(form: str, *options: str | Path, folder: Path, **more: object) -> Grpcdns:
    return Grpcdns("--log-format", form, *options, folder=folder, **more)  # type: ignore[arg-type]


def live(form: str, folder: Path) -> str:
    """The log of a life with faults."""
    manifests, hooks = folder / "manifests", folder / "hooks"
    for made in (manifests, hooks):
        made.mkdir()
    (hooks / "sitecustomize.py").write_text(HOOK)
    write_manifests(manifests / "a.yaml")
    (manifests / "b.yaml").write_text(BROKEN)
    env = {
        "PYTHONPATH": os.pathsep.join(filter(None, (str(hooks), os.environ.get("PYTHONPATH")))),
        "PYTHONWARNINGS": "always::DeprecationWarning:sitecustomize",
        "SEEN": str(folder),
        "GRPC_VERBOSITY": "debug",
    }
    options = ("--manifests", manifests, "--log-level", "debug", "--upstream", "none")
    with serve(form, *options, folder=folder, env=env) as ours:
        log = ours.process

        def logged(what: str) -> None:
            wait_until(lambda: what in log.log_text, what)

        pid = ours.children()["worker 1"]
        os.kill(pid, signal.SIGKILL)
        wait_until(is_replaced(ours, "worker 1", pid), "it is replaced")
        pid = ours.children()["worker 0"]
        (folder / "die").touch()
        wait_until(is_replaced(ours, "worker 0", pid), "it is replaced")
        for text, what in ((RIGHT, "read again"), (MISTAKEN, "nonsense"), (RIGHT, "read again")):
            before = log.log_text.count(what)
            (manifests / "b.yaml").write_text(text)
            wait_until(lambda w=what, b=before: log.log_text.count(w) > b, what)  # type: ignore[misc]
        explain = [sys.executable, "-m", "grpcdns", "explain", NAME, "--server", ours.listen[0]]
        subprocess.run(explain, check=True, capture_output=True)
        logged("explain has read the lists")
        assert answers(ours)
        assert ours.stop() == 0
    return log.log_text


@pytest.fixture(scope="module", params=FORMS)
def life(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Line]:
    """The lines of a life with faults, all of them as documented."""
    return parse(live(request.param, tmp_path_factory.mktemp("life")), request.param)


def one(lines: list[Line], what: str) -> Line:
    """The one line whose message begins like this."""
    found = [line for line in lines if re.match(what, line.message)]
    assert len(found) == 1, (what, found)
    return found[0]


def test_the_start_is_one_line(life: list[Line]) -> None:
    first = next(line for line in life if line.level == "info")
    assert first == one(life, "grpcdns ")
    commit = revision()[:12] or "unknown"
    assert first.message.startswith(
        f"grpcdns {__version__} (commit {commit}, {code()}): listen unix:///"
    )
    assert "; zones cluster.local, in-addr.arpa, ip6.arpa; source manifests /" in first.message


def test_the_sync_is_one_line_with_counts(life: list[Line]) -> None:
    line = one(life, "synced after")
    assert re.fullmatch(r"synced after \d+\.\d s: Namespace 1, Service 1, EndpointSlice 0",
                        line.message)  # fmt: skip
    assert line[:2] == ("info", "feed")


def test_a_worker_that_dies_in_c_has_its_last_words(life: list[Line]) -> None:
    words = one(life, "last words: ")
    assert words[:2] == ("error", "worker-0")
    fatal = one(life, "Fatal Python error: Aborted")
    assert fatal[:2] == ("error", "worker-0")
    assert "in serve" in fatal.trace
    died = one(life, "worker-0 died of SIGABRT: restarted in")
    assert died[:2] == ("warning", "supervisor")
    assert life.index(words) < life.index(fatal) < life.index(died)
    assert one(life, "worker-1 died of SIGKILL").level == "warning"


def test_lines_of_grpcs_core(life: list[Line]) -> None:
    """Under GRPC_VERBOSITY, which asks for them."""
    found = {line.process for line in life if "Log level DEBUG is not suitable" in line.message}
    assert found == {"worker-0", "worker-1"}


def test_lines_of_python(life: list[Line]) -> None:
    every = {"supervisor", "feed", "worker-0", "worker-1"}
    assert {line.process for line in life if "old habits" in line.message} == every
    ended = [line for line in life if line.message == "thread hook ended: uncaught ValueError"]
    assert {"supervisor", "feed"} <= {line.process for line in ended}
    assert all(line.trace.endswith("ValueError: on purpose") for line in ended)
    early = {line.process for line in life if line.message == "before the log starts"}
    assert early == every - {"supervisor"}


def test_manifests_that_are_wrong_and_right_again(life: list[Line]) -> None:
    about = [line for line in life if "b.yaml" in line.message and "again" in line.message]
    assert [line.level for line in about] == ["info", "info"]
    assert one(life, r"manifests: .*b\.yaml: line 2: not YAML").level == "warning"
    assert one(life, r"manifests: .*b\.yaml: line 4: .*nonsense").level == "warning"


def test_explain_is_no_worker_that_has_gone(life: list[Line]) -> None:
    assert one(life, "explain ").level == "debug"
    gone = [line for line in life if "disconnected" in line.message]
    assert {line.message.split()[0] for line in gone} == {"worker-0", "worker-1"}


def test_the_end(life: list[Line]) -> None:
    assert one(life, "SIGTERM: draining").process == "supervisor"
    drained = {line.process for line in life if line.message == "drained"}
    assert drained == {"worker-0", "worker-1"}


# Starts that fail.


def write_config(folder: Path, form: str) -> Path:
    path = folder / "grpcdns.toml"
    path.write_text(f'log-format = "{form}"\nno-such-key = 1\n')
    return path


Start = Callable[[Path, str], tuple[list[str | Path], dict[str, str]]]
STARTS: Final[dict[str, tuple[Start, str]]] = {
    "unknown option": (
        lambda _f, form: (["--log-format", form, "--manifest", "x"], {}),
        "unknown option --manifest (did you mean --manifests?)",
    ),
    "bad value": (
        lambda _f, form: ([f"--log-format={form}", "--ttl", "x"], {}),
        "--ttl: ",
    ),
    "format by variable": (
        lambda _f, form: (["--ttl", "x"], {"GRPCDNS_LOG_FORMAT": form}),
        "--ttl: ",
    ),
    "format by a file with a mistake": (
        lambda folder, form: (["--config", write_config(folder, form)], {}),
        "{folder}/grpcdns.toml: unknown key no-such-key",
    ),
    "the feed refuses": (
        lambda folder, form: (["--log-format", form, "--manifests", folder / "none"], {}),
        "--manifests: {folder}/none: No such file or directory",
    ),
    "a worker refuses": (
        lambda folder, form: (
            ["--log-format", form, "--manifests", write_manifests(folder / "a.yaml"),
             "--listen", "unix:///proc/none/0.sock", "--listen", "unix:///proc/none/1.sock"],
            {},
        ),
        "--listen unix:///proc/none/0.sock: ",
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", STARTS)
def test_a_start_that_fails(name: str, form: str, tmp_path: Path) -> None:
    """Exit code 2, and a last line that says why, in the format that was asked for."""
    make, why = STARTS[name]
    words, variables = make(tmp_path, form)
    command = [sys.executable, "-m", "grpcdns", "serve", *map(str, words)]
    if "--listen" not in words:
        command += ["--listen", f"unix://{tmp_path}/0.sock"]
    env = {**os.environ, **variables}
    run = subprocess.run(command, capture_output=True, text=True, env=env, timeout=60)
    assert run.returncode == 2
    assert run.stdout == ""
    found = parse(run.stderr, form)
    errors = [line for line in found if line.level == "error"]
    assert errors[0].message.startswith(why.format(folder=tmp_path))
    assert errors == found[-len(errors) :]
    assert all(line.trace == "" for line in errors)
    assert "answering from what is known" not in run.stderr


@pytest.mark.parametrize("form", FORMS)
def test_addresses_in_use(form: str, tmp_path: Path) -> None:
    """One of two: a warning with each try. All: a line for each, and the end."""
    manifests = write_manifests(tmp_path / "a.yaml")
    second = tmp_path / "second"
    second.mkdir()
    with serve(form, "--manifests", manifests, folder=tmp_path) as ours:
        listen = (ours.listen[0], f"unix://{second}/1.sock")
        half = serve(form, "--manifests", manifests, listen=listen, folder=second)
        half.start(ready=False)
        wait_until(lambda: "in use" in half.process.log_text, "a try")
        wait_until(lambda: answers(half, worker=1), "the other one answers")
        assert half.stop() == 0
        lines = parse(half.process.log_text, form)
        taken = [line for line in lines if "in use" in line.message]
        assert {line.level for line in taken} == {"warning"}
        half.process.log.unlink()
        none = serve(form, "--manifests", manifests, listen=ours.listen, folder=second)
        none.start(ready=False)
        assert none.process.wait(timeout=20.0) == 2
        errors = [line for line in parse(none.process.log_text, form) if line.level == "error"]
        assert ["in use" in line.message for line in errors] == [True, True]


def test_a_flood_of_lines_blocks_no_query(tmp_path: Path) -> None:
    """gRPC's core traces every call, and for a while nobody reads what it writes."""
    manifests = write_manifests(tmp_path / "a.yaml")
    env = {"GRPC_VERBOSITY": "debug", "GRPC_TRACE": "all"}
    with serve("json", "--manifests", manifests, folder=tmp_path, env=env) as ours:
        ours.process.freeze()
        for _ in range(100):
            assert answers(ours, worker=0)
        ours.process.thaw()
        pids = ours.children()
        wait_until(lambda: answers(ours, worker=1), "the other one answers")
        assert ours.children() == pids
        assert ours.stop() == 0
    lines = parse(ours.process.log_text, "json")
    assert sum(line.process == "worker-0" for line in lines) > 1000


# The documentation.

OPERATIONS: Final = ROOT / "docs" / "operations.md"


def section() -> str:
    return OPERATIONS.read_text().split("\n## Logs\n", 1)[1].split("\n## ", 1)[0]


def shape(message: str) -> str:
    """A message without what differs between two runs."""
    message = re.sub(r"source .*|/[\w./-]+", "...", message)
    message = re.sub(r"commit \w+, \w+", "commit", message)
    return re.sub(r"\d[\d.]*", "1", message)


def test_the_documented_fields() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", section(), re.M)
    assert rows == list(FIELDS)
    assert "`, `".join(LEVELS) in section()


@pytest.mark.parametrize("form", FORMS)
def test_the_documented_examples_are_lines_of_a_log(form: str, life: list[Line]) -> None:
    mark = "json" if form == "json" else "text"
    (example,) = re.findall(rf"^```{mark}\n(.*?)^```", section(), re.M | re.S)
    lines = parse(example, form)
    assert len(lines) >= 5
    assert {shape(line.message) for line in lines} <= {shape(line.message) for line in life}
