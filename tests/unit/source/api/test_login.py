"""Credentials from kubeconfigs and service accounts, and their mistakes."""

from __future__ import annotations

import json
import subprocess
import sys
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grpcdns.config.options import UserError
from grpcdns.source.api.kubeconfig import load, main
from grpcdns.source.api.login import Login, from_kubeconfig, in_cluster
from grpcdns.source.api.plain_kubeconfig import plain
from harness.certificates import Authority

SERVER = "https://127.0.0.1:6443"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def write(folder: Path, user: Any, cluster: Any = None, **top: Any) -> Path:
    """A kubeconfig of one context."""
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": SERVER, **(cluster or {})}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [
            {"name": "main", "context": {"cluster": "c", "user": "u"}},
            {"name": "nobody", "context": {"cluster": "c", "user": "missing"}},
        ],
        "current-context": "main",
        **top,
    }
    path = folder / "kubeconfig"
    path.write_text(json.dumps(content))
    return path


def plugin(folder: Path, script: str) -> dict[str, Any]:
    """A credentials plugin that is a line of Python."""
    command = {"command": sys.executable, "args": ["-c", script]}
    return {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "env": None, **command}}


CREDENTIAL = {
    "apiVersion": "client.authentication.k8s.io/v1",
    "kind": "ExecCredential",
    "status": {"token": "from-plugin"},
}


def test_a_token(tmp_path: Path) -> None:
    assert load(str(write(tmp_path, {"token": "abc"}))) == Login(SERVER, "Bearer abc")


def test_a_token_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("abc")
    path = write(tmp_path, {"tokenFile": str(tmp_path / "token")})
    assert load(str(path)).token == "Bearer abc"


def test_user_and_password(tmp_path: Path) -> None:
    path = write(tmp_path, {"username": "me", "password": "secret"})
    assert load(str(path)).token == "Basic bWU6c2VjcmV0"


def test_a_plugin(tmp_path: Path) -> None:
    user = plugin(tmp_path, f"print({json.dumps(json.dumps(CREDENTIAL))})")
    assert load(str(write(tmp_path, user))).token == "Bearer from-plugin"


def test_a_plugin_that_fails_is_named(tmp_path: Path) -> None:
    """The package only logs it, and would go on without credentials."""
    user = plugin(tmp_path, "import sys; sys.exit('you are not logged in')")
    with pytest.raises(ValueError, match=r"no credentials: .*you are not logged in"):
        load(str(write(tmp_path, user)))


def test_certificates_by_file_and_inline(tmp_path: Path, authority: Authority) -> None:
    me = authority.issue("me")
    ca = authority.cert
    by_file = write(
        tmp_path,
        {"client-certificate": str(me.cert), "client-key": str(me.key)},
        {"certificate-authority": str(ca)},
    )
    found = load(str(by_file))
    assert (found.cert, found.key, found.ca) == tuple(
        file.read_text() for file in (me.cert, me.key, ca)
    )
    inline = write(
        tmp_path,
        {
            "client-certificate-data": b64encode(me.cert.read_bytes()).decode(),
            "client-key-data": b64encode(me.key.read_bytes()).decode(),
        },
        {"certificate-authority-data": b64encode(ca.read_bytes()).decode()},
    )
    assert load(str(inline)) == found
    assert found.tls() is not None
    assert found.authorization() == ""


def test_the_rest_of_a_cluster(tmp_path: Path) -> None:
    more = {
        "insecure-skip-tls-verify": True,
        "tls-server-name": "api.example",
        "proxy-url": "http://127.0.0.1:3128",
        "server": f"{SERVER}/k8s/clusters/c-1/",
    }
    found = load(str(write(tmp_path, {"token": "t"}, more)))
    assert found.path == "/k8s/clusters/c-1"
    assert (found.verify, found.server_name) == (False, "api.example")
    assert found.proxy == "http://127.0.0.1:3128"
    assert found.tls() is not None


@st.composite
def kubeconfigs(draw: st.DrawFn) -> dict[str, Any]:
    """What stands in kubeconfigs, plain or not, right or wrong."""
    texts = st.sampled_from(["abc", "ca.crt", "../up/ca.crt", "bm8gUEVN", "", "~"])
    odd = st.one_of(texts, st.none(), st.booleans(), st.just(7), st.just({"name": "oidc"}))
    keys = {
        "cluster": ("certificate-authority", "certificate-authority-data", "tls-server-name",
                    "proxy-url", "insecure-skip-tls-verify", "extensions"),
        "user": ("token", "client-certificate", "client-certificate-data", "client-key",
                 "client-key-data", "tokenFile", "username", "auth-provider"),
    }  # fmt: skip
    parts: dict[str, Any] = {
        part: draw(st.dictionaries(st.sampled_from(names), draw(st.sampled_from([texts, odd]))))
        for part, names in keys.items()
    }
    parts["cluster"] = {
        "server": draw(st.sampled_from([SERVER, f"{SERVER}/p/", "http://127.0.0.1:80", "", 1])),
        **parts["cluster"],
    }
    return parts | {"context": draw(st.sampled_from(["", "main", "nobody", "missing"]))}


@given(kubeconfigs())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_what_is_read_without_the_package_is_what_it_reads(
    tmp_path: Path, parts: dict[str, Any]
) -> None:
    (tmp_path / "up").mkdir(exist_ok=True)
    for name in ("ca.crt", "up/ca.crt", "abc"):
        (tmp_path / name).write_text(f"of {name}\r\n")
    path = str(write(tmp_path, parts["user"], parts["cluster"]))
    found = plain(path, parts["context"])
    if found is not None:
        assert found == load(path, parts["context"])


@pytest.mark.parametrize("how", ["token", "files", "inline", "relative"])
def test_these_need_no_package(tmp_path: Path, authority: Authority, how: str) -> None:
    me, ca = authority.issue("me"), authority.cert
    pair = {"client-certificate": me.cert, "client-key": me.key}
    cluster: dict[str, Any] = {"certificate-authority": str(ca)}
    user = {key: str(file) for key, file in pair.items()}
    if how == "token":
        user = {"token": "abc"}
    elif how == "relative":
        user = {key: f"x/../{file.relative_to(tmp_path)}" for key, file in pair.items()}
    elif how == "inline":
        user = {f"{k}-data": b64encode(file.read_bytes()).decode() for k, file in pair.items()}
        cluster = {"certificate-authority-data": b64encode(ca.read_bytes()).decode()}
    path = str(write(tmp_path, user, {**cluster, "tls-server-name": "api.example"}))
    found = plain(path)
    assert found is not None
    assert found == load(path)
    assert found == plain(path, "main")
    assert found.tls() is not None


def test_a_proxy_in_the_environment_is_for_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(write(tmp_path, {"token": "abc"}))
    assert plain(path) is not None
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:3128")
    assert plain(path) is None
    assert plain(f"{path}:{path}") is None


def test_files_are_merged_as_kubectl_does(tmp_path: Path) -> None:
    """The first file wins, for the current context too; a file that is not there is skipped."""
    paths = []
    for number in (1, 2):
        folder = tmp_path / str(number)
        folder.mkdir()
        server = {"server": f"https://192.0.2.{number}"}
        paths.append(write(folder, {"token": f"t{number}"}, server))
    second = json.loads(paths[1].read_text())
    second["contexts"].append({"name": "other", "context": {"cluster": "o", "user": "u"}})
    second["clusters"].append({"name": "o", "cluster": {"server": "https://192.0.2.9"}})
    paths[1].write_text(json.dumps(second | {"current-context": "other"}))
    both = f"{tmp_path}/none:{paths[0]}:{paths[1]}"
    assert load(both) == Login("https://192.0.2.1", "Bearer t1")
    assert load(both, "other") == Login("https://192.0.2.9", "Bearer t1")
    assert load(f"{paths[1]}:{paths[0]}") == Login("https://192.0.2.9", "Bearer t2")


def test_a_context_by_name(tmp_path: Path) -> None:
    path = str(write(tmp_path, {"token": "abc"}))
    assert load(path, "main").token == "Bearer abc"
    assert load(path, "nobody").token == ""


WRONG = {
    "empty": (b"", "Invalid kube-config"),
    "not YAML": (b"a: [", "not YAML"),
    "another document": (b"just text", "not a kubeconfig"),
    "no contexts": (b"{}", "not a kubeconfig|current-context|Invalid kube-config"),
    "not text": (b"\xff\xfe", "not a kubeconfig|not YAML"),
}


@pytest.mark.parametrize(("content", "why"), WRONG.values(), ids=WRONG.keys())
def test_a_file_that_is_not_a_kubeconfig(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "kubeconfig"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=why) as error:
        load(str(path))
    assert "\n" not in str(error.value)


def test_a_context_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="none"):
        load(str(write(tmp_path, {"token": "t"})), "none")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="No such file"):
        load(str(tmp_path / "none"))


def test_a_certificate_file_that_is_not_there(tmp_path: Path) -> None:
    path = write(tmp_path, {"token": "t"}, {"certificate-authority": "/nowhere/ca.crt"})
    with pytest.raises(ValueError, match=r"/nowhere/ca\.crt"):
        load(str(path))


def test_the_process(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    path = str(write(tmp_path, {"token": "abc"}))
    assert from_kubeconfig(path) == Login(SERVER, "Bearer abc")
    with pytest.raises(UserError, match=f"kubeconfig {path}: .*none"):
        from_kubeconfig(path, "none")
    assert main([path]) == 0
    assert b"Bearer abc" in capfdbinary.readouterr().out
    assert main([str(tmp_path / "none")]) == 1


def test_only_that_process_ever_imports_the_package(tmp_path: Path) -> None:
    """Importing it costs 26 MB and 0.15 s more than everything that is used of it."""
    path = write(tmp_path, {"token": "abc"})
    code = (
        "import sys; import grpcdns.source.api.source, grpcdns.source.manifests.source;"
        "from grpcdns.source.api.login import from_kubeconfig;"
        f"from_kubeconfig({str(path)!r});"
        "sys.exit(any(m.split('.')[0] in ('kubernetes', 'grpc', 'urllib3') for m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.fixture
def service_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, authority: Authority) -> Path:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    folder = tmp_path / "account"
    folder.mkdir()
    (folder / "token").write_text("first\n")
    (folder / "ca.crt").write_text(authority.cert.read_text())
    return folder


def test_a_service_account(service_account: Path) -> None:
    found = in_cluster(service_account)
    assert found.host == "https://10.96.0.1:443"
    assert found.authorization() == "Bearer first"
    assert found.tls() is not None


def test_a_rotated_token_is_used_at_once(service_account: Path) -> None:
    found = in_cluster(service_account)
    (service_account / "token").write_text("second")
    assert found.authorization() == "Bearer second"
    (service_account / "token").unlink()
    assert found.authorization() == "Bearer first"


def test_an_api_at_an_ipv6_address(service_account: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    assert in_cluster(service_account).host == "https://[fd00::1]:443"


def test_not_in_a_pod(service_account: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST")
    with pytest.raises(UserError, match="give --kubeconfig or --manifests"):
        in_cluster(service_account)


@pytest.mark.parametrize(("name", "content"), [("token", None), ("ca.crt", None), ("token", "")])
def test_a_broken_service_account(service_account: Path, name: str, content: str | None) -> None:
    if content is None:
        (service_account / name).unlink()
    else:
        (service_account / name).write_text(content)
    with pytest.raises(UserError, match=f"service account: .*{name}"):
        in_cluster(service_account)


def test_a_broken_certificate_is_a_user_error() -> None:
    with pytest.raises(UserError, match="certificates cannot be used"):
        Login(SERVER, ca="nonsense").tls()
    assert Login("http://127.0.0.1:8080").tls() is None
