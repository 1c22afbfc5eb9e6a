"""Least privilege: file modes, rights at the API, and no secret in any output."""

from __future__ import annotations

import base64
import json
import re
import stat
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from harness.accounts import Rules
from harness.certificates import Authority
from harness.cluster import Cluster
from harness.grpcdns import Grpcdns
from harness.metrics import get
from harness.paths import ROOT
from harness.ports import free_address
from harness.waiting import wait_until
from tests.system.hostile.worker import write_manifests

NEEDED: Final = {
    "pods=disabled": {"namespaces", "services", "endpointslices"},
    "pods=verified": {"namespaces", "services", "endpointslices", "pods"},
}
_GROUPS: Final = {"endpointslices": "discovery.k8s.io", "servicecidrs": "networking.k8s.io"}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.mark.slow
def test_modes_of_everything_on_disk(tmp_path: Path) -> None:
    """Sockets 0660 in a folder 0750 of the chosen group; the rest 0600 in a folder 0700."""
    # Not below tmp_path: a socket's path is short.
    run = Path(tempfile.mkdtemp(prefix="run-"))
    run.chmod(0o755)
    address = f"unix://{tmp_path}/sockets/0.sock"
    options = ("--manifests", write_manifests(tmp_path), "--socket-group", "65534",
               "--snapshot", tmp_path / "snapshot")  # fmt: skip
    env = {"XDG_RUNTIME_DIR": str(run)}
    with Grpcdns(*options, listen=(address,), env=env, folder=tmp_path) as grpcdns:
        sockets = tmp_path / "sockets"
        assert (mode(sockets), sockets.stat().st_gid) == (0o750, 65534)
        assert (mode(sockets / "0.sock"), (sockets / "0.sock").stat().st_gid) == (0o660, 65534)
        (folder,) = run.iterdir()
        assert mode(folder) == 0o700
        names = set()
        for path in folder.iterdir():
            assert mode(path) in (0o600, 0o660), path
            assert path.is_socket() or mode(path) == 0o600, path
            names.add(path.name)
        assert {"config.json", "feed.sock"} <= names
        wait_until((tmp_path / "snapshot").exists, "a snapshot", timeout=30)
        assert mode(tmp_path / "snapshot") == 0o600
        assert grpcdns.stop() == 0
    run.rmdir()  # the private folder is gone


# -- the API


def rules_of(*grants: tuple[str, str]) -> Rules:
    return [
        {"apiGroups": [_GROUPS.get(kind, "")], "resources": [kind], "verbs": [verb]}
        for kind, verb in grants
    ]


def granted(rules: Rules) -> set[tuple[str, str, str]]:
    return {
        (group, resource, verb)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def all_of(kinds: set[str]) -> list[tuple[str, str]]:
    return [(kind, verb) for kind in sorted(kinds) for verb in ("list", "watch")]


def shipped_rules() -> Rules:
    """Of the ClusterRole that deploy/ ships."""
    documents = yaml.safe_load_all((ROOT / "deploy/base/rbac.yaml").read_text())
    (role,) = (one for one in documents if one["kind"] == "ClusterRole")
    rules: Rules = role["rules"]
    return rules


def test_the_shipped_role_grants_only_what_is_needed() -> None:
    optional = granted(rules_of(*all_of({"servicecidrs"})))
    needed = granted(rules_of(*all_of(NEEDED["pods=disabled"])))
    assert granted(shipped_rules()) == needed | optional


@pytest.mark.slow
@pytest.mark.parametrize("pods", ["disabled", "verified"])
def test_the_needed_rights_are_enough(cluster: Cluster, tmp_path: Path, pods: str) -> None:
    name = f"enough-{pods}"
    grants = rules_of(*all_of(NEEDED[f"pods={pods}"]))
    kubeconfig = cluster.service_account_kubeconfig(name, grants)
    options = ("--kubeconfig", kubeconfig, "--pods", pods)
    with Grpcdns(*options, workers=1, folder=tmp_path) as grpcdns:
        assert grpcdns.ask("kubernetes.default.svc.cluster.local").answer
        assert " error " not in grpcdns.process.log_text


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "verb"), all_of(NEEDED["pods=disabled"]))
def test_a_missing_verb_is_named(cluster: Cluster, tmp_path: Path, kind: str, verb: str) -> None:
    grants = [grant for grant in all_of(NEEDED["pods=disabled"]) if grant != (kind, verb)]
    kubeconfig = cluster.service_account_kubeconfig(f"without-{verb}-{kind}", rules_of(*grants))
    grpcdns = Grpcdns("--kubeconfig", kubeconfig, workers=1, folder=tmp_path)
    grpcdns.start(ready=False)
    try:
        said = re.compile(rf"error feed: .* cannot {verb} resource \"{kind}\"")
        wait_until(lambda: said.search(grpcdns.process.log_text), "the refusal named", timeout=30)
        if verb == "list":
            assert not grpcdns.serving()
    finally:
        grpcdns.stop()


# -- secrets


@pytest.mark.slow
def test_no_secret_in_any_output(make_cluster: Any, tmp_path: Path) -> None:
    """A token and a key, searched in every output: debug logs, metrics, the configuration, the
    snapshot, the private folder, the command lines; in normal use, when the API is gone, and with
    a kubeconfig and TLS files that cannot be used."""
    cluster: Cluster = make_cluster(controllers=False)
    kubeconfig = cluster.service_account_kubeconfig("secretive")
    token = str(yaml.safe_load(kubeconfig.read_text())["users"][0]["user"]["token"])
    pair = Authority(tmp_path).issue("server", hosts=["127.0.0.1"])
    metrics = free_address()
    run = Path(tempfile.mkdtemp(prefix="run-"))
    options = ("--kubeconfig", kubeconfig, "--tls-cert", pair.cert, "--tls-key", pair.key,
               "--log-level", "debug", "--metrics", str(metrics),
               "--snapshot", tmp_path / "snapshot")  # fmt: skip
    listen = (f"unix://{tmp_path}/0.sock", str(free_address()))
    grpcdns = Grpcdns(*options, listen=listen, folder=tmp_path, env={"XDG_RUNTIME_DIR": str(run)})
    outputs: dict[str, bytes] = {}
    grpcdns.start(ready=False)
    try:
        wait_until(lambda: grpcdns.health(0) == b"\x08\x01", "it serves", timeout=30)
        outputs["metrics"] = get(metrics, "/metrics").body.encode()
        wait_until((tmp_path / "snapshot").exists, "a snapshot", timeout=30)
        outputs["processes"] = b"".join(_proc(pid) for pid in grpcdns.children().values())
        outputs["private folder"] = b"".join(
            path.read_bytes() for path in run.rglob("*") if path.is_file()
        )
        cluster.apiserver.kill()
        wait_until(
            lambda: "is unreachable" in grpcdns.process.log_text, "the API is missed", timeout=60
        )
    finally:
        grpcdns.stop()
    outputs["snapshot"] = (tmp_path / "snapshot").read_bytes()
    outputs["--print-config"] = _output(*options, "--print-config")
    outputs["log"] = grpcdns.process.log_text.encode()
    forged = _forge(kubeconfig, tmp_path, token)
    outputs["a broken kubeconfig"] = _output("--kubeconfig", forged)
    outputs["a key for a certificate"] = _output(
        "--manifests", str(tmp_path), "--tls-cert", pair.key, "--tls-key", pair.cert,
        "--listen", str(free_address()),
    )  # fmt: skip
    run.rmdir()
    secrets = _secrets(token, pair.key)
    for name, output in outputs.items():
        assert output, name
        for what, secret in secrets.items():
            assert secret not in output, f"{what} is in {name}"


def _secrets(token: str, key: Path) -> Mapping[str, bytes]:
    """Enough of each to recognise it, plain and in base64."""
    _, payload, signature = token.split(".")
    lines = key.read_text().splitlines()
    return {
        "the token": token.encode(),
        "the token's payload": payload.encode(),
        "the token's signature": signature.encode(),
        "the token in base64": base64.b64encode(token.encode())[:60],
        "the key": lines[1].encode(),
        "the key's end": lines[-2].encode(),
    }


def _forge(kubeconfig: Path, folder: Path, token: str) -> Path:
    """An unusable kubeconfig: its token is where a CA should be."""
    content = yaml.safe_load(kubeconfig.read_text())
    server = content["clusters"][0]["cluster"]
    server.pop("certificate-authority", None)
    server["certificate-authority-data"] = base64.b64encode(token.encode()).decode()
    path = folder / "forged.kubeconfig"
    path.write_text(json.dumps(content))
    return path


def _output(*options: object) -> bytes:
    """The output of `grpcdns serve` until it ends, 8 s at most."""
    argv = [sys.executable, "-m", "grpcdns", "serve", *map(str, options)]
    try:
        done = subprocess.run(argv, capture_output=True, timeout=8)
        return b"code %d\n" % done.returncode + done.stdout + done.stderr
    except subprocess.TimeoutExpired as error:
        return b"still up\n" + (error.stdout or b"") + (error.stderr or b"")


def _proc(pid: int) -> bytes:
    """What other users of the machine can read about a process."""
    return Path(f"/proc/{pid}/cmdline").read_bytes()
