"""A child that is a copy of its parent, a process with nothing else in it."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

PARENT = """
import os, signal, socket, sys
from grpcdns.serve.supervisor import forked
signal.signal(signal.SIGTERM, lambda *_: None)
signal.signal(signal.SIGCHLD, lambda *_: None)
ours = socket.socketpair()
reader, writer = os.pipe()
errors, stderr = os.pipe()
assert forked.is_possible()
pid = forked.fork("program", ("one", "two"), sys.argv[1], stderr, (writer,))
os.close(writer); os.close(stderr)
status = os.waitpid(pid, 0)[1]
out = os.read(reader, 65536).decode()
print(repr((os.waitstatus_to_exitcode(status), out, os.read(errors, 65536).decode())))
"""
SEEN = """
import json, os, signal, sys
fds = {int(name) for name in os.listdir("/proc/self/fd")}
fds = sorted(fd for fd in fds if os.path.exists(f"/proc/self/fd/{fd}"))
seen = {
    "argv": sys.argv[1:], "fds": fds, "path": sys.path[0], "env": os.environ["PYTHONPATH"],
    "mask": len(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
    "group": os.getpgid(0) == os.getpid(),
    "handlers": [signal.getsignal(n) is signal.SIG_DFL for n in (signal.SIGTERM, signal.SIGCHLD)],
    "pipe": signal.getsignal(signal.SIGPIPE) is signal.SIG_IGN,
    "main": __name__,
}
os.write(max(fds), json.dumps(seen).encode())
"""


def run(program: str, folder: Path) -> tuple[int, str, str]:
    """The exit code of the copy that runs ``program``, what it wrote to its pipe, and to fd 2."""
    (folder / "program.py").write_text(program)
    command = [sys.executable, "-P", "-c", PARENT, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert not done.returncode, done.stderr
    found: tuple[int, str, str] = ast.literal_eval(done.stdout)
    return found


def test_a_copy_has_only_what_it_was_given(tmp_path: Path) -> None:
    code, out, errors = run(SEEN, tmp_path)
    assert (code, errors) == (0, "")
    seen: dict[str, Any] = json.loads(out)
    assert seen["argv"] == ["one", "two"]
    assert len(seen["fds"]) == 4
    assert seen["fds"][:3] == [0, 1, 2]
    assert (seen["mask"], seen["group"], seen["main"]) == (0, True, "__main__")
    assert seen["handlers"] == [True, True]
    assert seen["pipe"]
    assert seen["path"] == str(tmp_path)
    assert seen["env"].split(os.pathsep)[0] == str(tmp_path)


def test_how_a_copy_ends(tmp_path: Path) -> None:
    assert run("import sys; sys.exit(7)", tmp_path) == (7, "", "")
    assert run("import sys; sys.exit('why')", tmp_path) == (1, "", "why\n")
    assert run("import os; os.kill(os.getpid(), 15)", tmp_path)[0] == -15
    code, _, errors = run("raise ValueError('on purpose')", tmp_path)
    assert code == 1
    assert errors.endswith("ValueError: on purpose\n")


def test_a_process_with_threads_is_not_copied() -> None:
    code = (
        "import threading; from grpcdns.serve.supervisor import forked; alone = threading.Event();"
        "threading.Thread(target=alone.wait).start(); print(forked.is_possible()); alone.set()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
