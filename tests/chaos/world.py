"""The world: a real control plane behind a gate, and a pair of CoreDNS and `grpcdns serve`.

Everything is started by the thread that makes the World, and ends with it.
"""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Final, Self

from harness.accounts import READ_DNS
from harness.api import Api, ApiError
from harness.certificates import KeyPair
from harness.cluster import Cluster
from harness.coredns import CoreDNS
from harness.grpcdns import Grpcdns
from harness.kubeconfig import write_kubeconfig
from harness.paths import ROOT
from harness.ports import Address, free_address
from harness.started import Started
from harness.waiting import wait_until
from tests.chaos.disk import Disk
from tests.chaos.gate import Gate
from tests.chaos.history import History, now
from tests.chaos.truth import STORE_JSON, Truth

ACCOUNT: Final = "grpcdns"
_LATE: Final = 0.05
"""Seconds by which a process must wake late to count as a stall of the machine."""
_METER: Final = """
import sys, time
due = time.monotonic()
while True:
    due += 0.01
    time.sleep(max(0.0, due - time.monotonic()))
    now = time.monotonic()
    if now - due > float(sys.argv[1]):
        print(f"{due:.4f} {now:.4f}", flush=True)
        due = now
"""
_SITE: Final = """
import mmap, os, struct, sys, time
_file = os.environ.get("CHAOS_CLOCK")
if _file:
    with open(_file, "rb") as file:
        _offset = mmap.mmap(file.fileno(), 8, access=mmap.ACCESS_READ)
    _real = time.time
    def _stepped():
        # grpcio passes deadlines by the clock to its core, which has the real one.
        if sys._getframe(1).f_globals["__name__"].startswith("grpc."):
            return _real()
        return _real() + struct.unpack("d", _offset[:8])[0]
    time.time = _stepped

from importlib.abc import MetaPathFinder
from importlib.util import find_spec
plants = {}
class Hook(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        plant = plants.pop(name, None)
        if plant is None:
            return None
        spec = find_spec(name)
        load = spec.loader.exec_module
        def loaded(module):
            load(module)
            plant(module)
        spec.loader.exec_module = loaded
        return spec
sys.meta_path.insert(0, Hook())

def impatient(module):
    module.BACKOFF_CAP = 0.5
plants["grpcdns.source.api.retry"] = impatient
"""
"""A sitecustomize for grpcdns. Its clock is the real one and an offset that the nemesis sets.

The delay between requests to an API that answers with errors does not grow to 30 s, which faults
every few seconds would soon make of it: nothing could be said of changes then. The delays have unit
tests. ``plants`` are functions that change a module as soon as it is imported.
"""


class Pair:
    """A Pod: CoreDNS and grpcdns."""

    def __init__(self, world: World, number: int) -> None:
        self.folder = world.folder / f"pair-{number}"
        self.folder.mkdir()
        self.snapshot = world.disk.folder / f"snapshot-{number}"
        self.config = self.folder / "grpcdns.toml"
        self.config.write_text("ttl = 5\n")
        self.metrics = free_address()
        self.grpcdns = Grpcdns(
            "--kubeconfig", world.kubeconfig, "--config", self.config, "--snapshot", self.snapshot,
            "--upstream", "none", "--metrics", str(self.metrics),
            folder=self.folder, env=world.env,
        )  # fmt: skip
        self.coredns = CoreDNS(
            f". {{\n    errors\n    {self.grpcdns.grpc_block}\n}}",
            folder=self.folder,
        )

    def start(self) -> Self:
        self.grpcdns.start(timeout=90)
        self.coredns.start()
        return self

    def stop(self) -> None:
        self.coredns.stop()
        self.grpcdns.stop()


class World(Started):
    """The control plane is up between `start` and `stop`, the pair from `open` on.

    ``plant`` is code that runs in every process of grpcdns. The modules are then Python, also where
    the compiled ones are tested.
    """

    def __init__(
        self, history: History, cluster: Cluster | None = None, *, plant: str = ""
    ) -> None:
        self.history = history
        self.folder = Path(tempfile.mkdtemp(prefix="grpcdns-chaos-"))
        self._own_cluster = cluster is None
        self.cluster = cluster or Cluster(apiserver_flags=STORE_JSON)
        self._clock = self.folder / "clock"
        self._clock.write_bytes(struct.pack("d", 0.0))
        hooks = self.folder / "hooks"
        hooks.mkdir()
        (hooks / "sitecustomize.py").write_text(_SITE + plant)
        # What is planted changes Python functions, and would not be seen by compiled modules.
        given = "" if plant else os.environ.get("PYTHONPATH", "")
        self.env: Mapping[str, str] = {
            "PYTHONPATH": os.pathsep.join(filter(None, (str(hooks), given, str(ROOT)))),
            "CHAOS_CLOCK": str(self._clock),
        }
        self.kubeconfig = self.folder / "kubeconfig"
        self.disk = Disk(self.folder / "disk")
        self._pairs = 0
        self._ended = threading.Event()
        self._pids: dict[int, tuple[str, str]] = {}
        self._waited: dict[int, tuple[float, float]] = {}
        self._meter: subprocess.Popen[str] | None = None

    def start(self) -> Self:
        if self._own_cluster:
            self.cluster.start()
        self.disk.start()
        self.api = self.new_api()
        self.gate = Gate(self.cluster)
        self.gate.__enter__()
        self.renew_token()
        self._start_meter()
        return self

    def open(self) -> None:
        """Starts the pair, in a cluster that is as it should be at the start."""
        self.truth = Truth(self.cluster, self.history)
        self.truth.start()
        self.pair = self.new_pair().start()
        threading.Thread(target=self._watch_processes, daemon=True).start()

    def stop(self) -> None:
        """Ends everything, and records what outlives it."""
        self._ended.set()
        if hasattr(self, "pair"):
            self.pair.stop()
            self._find_leaks()
        if hasattr(self, "truth"):
            self.truth.stop()
        if hasattr(self, "gate"):
            self.gate.__exit__()
        if self._meter is not None:
            self._meter.kill()
            self._metered.join()
            self._meter.communicate()
        self.disk.stop()
        if self._own_cluster:
            self.cluster.stop()
        with self.history.log.open("w") as kept:
            for log in sorted(self.folder.glob("pair-*/*.log")):
                kept.write(f"--- {log.parent.name}/{log.name}\n{log.read_text(errors='replace')}")
        shutil.rmtree(self.folder, ignore_errors=True)

    def _end(self) -> None:
        self.stop()

    def new_pair(self) -> Pair:
        self._pairs += 1
        return Pair(self, self._pairs)

    def new_api(self) -> Api:
        """The API as an administrator, not through the gate."""
        folder = self.cluster.folder
        admin = KeyPair(folder / "admin.crt", folder / "admin.key")
        return Api(self.cluster.address, self.cluster.ca, client=admin, timeout=5.0)

    def renew_token(self) -> None:
        """Another token in grpcdns's kubeconfig."""
        self._secret = self.cluster.api.create(
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"generateName": "grpcdns-"}}
        )
        self._token = self.cluster.service_account_token(ACCOUNT, READ_DNS, bound_to=self._secret)
        new = self.folder / "kubeconfig.new"
        write_kubeconfig(new, self.gate.address, self.cluster.ca, token=self._token)
        new.replace(self.kubeconfig)

    def revoke_token(self) -> None:
        """Until the API refuses it: without the Secret that it is bound to it is invalid, but the
        API keeps for 10 s what it has found valid."""
        self.cluster.api.delete(self._secret)
        api = Api(self.cluster.address, self.cluster.ca, token=self._token, timeout=5.0)

        def refused() -> bool:
            try:
                api.request("GET", "/version")
            except ApiError as error:
                return error.code == 401
            return False

        with closing(api):
            wait_until(refused, "the token is refused", timeout=60, interval=0.2)

    def set_clock(self, offset: float) -> None:
        with self._clock.open("r+b") as file:
            file.write(struct.pack("d", offset))

    def front(self) -> Address:
        return self.pair.coredns.address

    def socket(self, worker: int) -> str:
        return self.pair.grpcdns.listen[worker].removeprefix("unix://")

    def wait_serving(self, timeout: float = 90.0) -> None:
        wait_until(self.pair.grpcdns.serving, "both workers serve", timeout=timeout)

    # -- what is seen of the machine and of processes

    def _start_meter(self) -> None:
        self._meter = subprocess.Popen(
            [sys.executable, "-ISc", _METER, str(_LATE)], stdout=subprocess.PIPE, text=True
        )
        self._metered = threading.Thread(target=self._read_meter, daemon=True)
        self._metered.start()

    def _read_meter(self) -> None:
        assert self._meter is not None
        assert self._meter.stdout is not None
        for line in self._meter.stdout:
            begin, end = line.split()
            self.history.add("stall", at=[float(begin), float(end)])

    def _watch_processes(self) -> None:
        while not self._ended.wait(1.0):
            self._see_processes()

    def _see_processes(self) -> None:
        pair = self.pair
        if not pair.grpcdns.process.running:
            return
        children = {**pair.grpcdns.children(), "supervisor": pair.grpcdns.process.pid}
        for what, pid in children.items():
            try:
                started = _started(pid)
                pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
                waited = _waited(pid)
            except (OSError, IndexError):
                continue
            self._pids[pid] = what, started
            at = now()
            self.history.add("rss", t=at, what=what, pid=pid, kb=pages * 4)
            since, before = self._waited.get(pid, (at, waited))
            self._waited[pid] = at, waited
            self.history.add("waited", at=[since, at], what=what, s=round(waited - before, 3))

    def _find_leaks(self) -> None:
        """Children may take a moment to follow their supervisor."""
        end = time.monotonic() + 5.0
        while (left := [pid for pid in self._pids if self._is_alive(pid)]) and (
            time.monotonic() < end
        ):
            time.sleep(0.05)
        for pid in left:
            self.history.add("leaked", t=now(), what=f"{self._pids[pid][0]} {pid}")
            os.kill(pid, 9)

    def _is_alive(self, pid: int) -> bool:
        try:
            return _started(pid) == self._pids[pid][1]
        except (OSError, IndexError):
            return False


def _waited(pid: int) -> float:
    """Seconds that its threads have waited for a CPU while they could run."""
    schedstats = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(one.read_text().split()[1]) for one in schedstats) / 1e9


def _started(pid: int) -> str:
    """When a process started; raises OSError once it has ended."""
    words = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    if words[0] == "Z":
        raise ProcessLookupError
    return words[19]
