"""The environment that each process of `grpcdns serve` loads grpc with."""

from __future__ import annotations

from pathlib import Path

import pytest

from grpcdns.serve.worker.transport.experiments import EXPERIMENTS, VARIABLE
from harness.grpcdns import Grpcdns
from tests.system.processes.processes import answers, write_manifests

HOOK = """
import os, sys
from importlib.abc import MetaPathFinder
class Hook(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == "grpc":
            sys.meta_path.remove(self)
            with open(os.path.join(os.environ["SEEN"], str(os.getpid())), "w") as file:
                file.write(os.environ.get("GRPC_EXPERIMENTS", "not set"))
sys.meta_path.insert(0, Hook())
"""
"""Writes down the variable as it is when grpc is imported: /proc shows only that of the start."""


@pytest.mark.parametrize("given", ["", "-fuse_filters"], ids=["by default", "by the user"])
def test_workers_alone_load_grpc_and_with_its_experiments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    """What the user has set stays."""
    monkeypatch.delenv(VARIABLE, raising=False)
    seen, hooks = tmp_path / "seen", tmp_path / "hooks"
    seen.mkdir()
    hooks.mkdir()
    (hooks / "sitecustomize.py").write_text(HOOK)
    env = {"PYTHONPATH": str(hooks), "SEEN": str(seen), **({VARIABLE: given} if given else {})}
    manifests = write_manifests(tmp_path / "cluster.yaml")
    with Grpcdns("--manifests", manifests, folder=tmp_path, env=env) as ours:
        assert answers(ours)
        children = ours.children()
        found = {int(file.name): file.read_text() for file in seen.iterdir()}
    workers = [pid for name, pid in children.items() if name != "feed"]
    assert len(workers) == 2
    assert found == dict.fromkeys(workers, given or EXPERIMENTS)
