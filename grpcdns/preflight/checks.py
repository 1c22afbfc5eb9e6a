"""The checks, one row a line of the report, and how they are run.

A failed check stops no other. A check that the credentials do not allow is ``unknown`` and names
the right it needs; a check that the API does not answer fails. When no request succeeds, the report
has the check ``api`` alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from grpcdns.config.options import Config
from grpcdns.preflight import (
    account,
    corefile,
    dns_service,
    namespaces,
    networks,
    report,
    rights,
    served,
    size,
)
from grpcdns.preflight.context import Context
from grpcdns.preflight.kubernetes_client import Forbidden, KubernetesClient
from grpcdns.preflight.report import FAIL, OK, UNKNOWN, Check, Report, Verdict
from grpcdns.preflight.resources import needed_resources, watched_resources
from grpcdns.source.api.client import ApiError, Unreachable


class Row(NamedTuple):
    id: str
    name: str
    run: Callable[[Context], Verdict]


def rows_of(config: Config) -> Iterator[Row]:
    """What is checked under these options, in the order of the report."""
    resources = needed_resources(config)
    yield Row("account", "service account", account.check_account)
    for one in resources:
        run = partial(served.check_served, resource=one)
        yield Row(f"served.{one.plural}", f"{one.title} served", run)
    for one in watched_resources(config):
        run = partial(rights.check_rights, resource=one)
        yield Row(f"rights.{one.plural}", f"right to {one.title}", run)
    if config.namespaces:
        yield Row("namespaces", "--namespaces", namespaces.check_namespaces)
    yield Row("corefile", "Corefile", corefile.check_configmap)
    yield Row("networks.services", "Service networks", networks.check_service_networks)
    yield Row("networks.pods", "Pod networks", networks.check_pod_networks)
    yield Row("dns-service", "DNS Service", dns_service.check_service)
    yield Row("dns-service.endpoints", "DNS endpoints", dns_service.check_endpoints)
    yield Row("size", "cluster size", size.check_size)


def run_checks(
    config: Config,
    given_account: str = "",
    configmap: tuple[str, str] = ("kube-system", "coredns"),
    served_zones: tuple[str, ...] = (),
    seconds: float = 2.0,
    begins: Callable[[int, int, str], None] = lambda *_: None,
) -> Report:
    """Run all checks on the cluster of ``config``; each request ends within ``seconds``.
    ``begins`` is called before each: how many are done, of how many, and its name.

    ``given_account``: --as after `account.parse_account`, "" for the default. Raises `UserError`
    when no cluster is named or the kubeconfig cannot be used.
    """
    api = KubernetesClient(config, seconds)
    try:
        user = api.user()
        version = str((api.find("/version", "") or {}).get("gitVersion") or "")
    except (ApiError, Unreachable) as error:
        check = _check("api", "API", decide_api_error(api.server, error))
        return _report([check], server=api.server)
    verdict = decide_user(api.server, user, version)
    checks = [_check("api", "API", verdict)]
    chosen = account.choose_account(given_account, user, in_pod=not config.kubeconfig)
    if verdict.status == OK:
        followed = networks.with_service_networks(api, config, served_zones)
        context = Context(api, *followed, chosen, configmap)
        rows = [*rows_of(config)]
        for row in rows:
            begins(len(checks), len(rows) + 1, row.name)
            checks.append(_check(row.id, row.name, _run(row, context)))
    return _report(checks, server=api.server, kubernetes=version, user=user, account=chosen.user)


def decide_user(server: str, user: str, version: str) -> Verdict:
    """Fails for system:anonymous: the credentials were not sent, or not accepted."""
    if user == "system:anonymous":
        return Verdict(
            FAIL,
            f"{server} sees the credentials as {user}",
            "the kubeconfig's user has no credentials: give it a token or a client certificate",
        )
    who = f", as {user}" if user else ""
    return Verdict(OK, f"{server}, Kubernetes {version or 'of unknown version'}{who}")


def decide_api_error(server: str, error: ApiError | Unreachable) -> Verdict:
    """The check ``api`` when the API does not answer, or answers with an error."""
    if isinstance(error, ApiError):
        do = "ask whoever runs the API, or a proxy before it"
        if error.status == 401:
            do = "renew the credentials (kubectl auth whoami asks the same)"
        elif error.status == 403:
            do = "the credentials are known and may do nothing: ask for a role in the cluster"
    elif str(error).startswith("TLS"):
        do = "the kubeconfig's certificate-authority-data must be the CA of this API"
    else:
        do = (
            "is the address right, the API up, and the network open? kubectl get --raw /version "
            "tells; for a slow API: --timeout 10s"
        )
    return Verdict(FAIL, f"{server}: {error}", do)


def _run(row: Row, context: Context) -> Verdict:
    try:
        return row.run(context)
    except Forbidden as error:
        return Verdict(
            UNKNOWN,
            f"cannot read, needs the right to {error.needs}",
            "run preflight with credentials that have it",
        )
    except (ApiError, Unreachable) as error:
        return Verdict(FAIL, f"no answer: {error}", "run preflight again when the API answers")


def _check(id: str, name: str, verdict: Verdict) -> Check:  # noqa: A002
    return Check(id=id, name=name, status=verdict.status, found=verdict.found, do=verdict.do)


def _report(
    checks: list[Check], *, server: str, kubernetes: str = "", user: str = "", account: str = ""
) -> Report:
    return Report(
        ready=report.is_ready(checks),
        server=server,
        kubernetes=kubernetes,
        user=user,
        account=account,
        counts=report.count(checks),
        checks=checks,
    )
