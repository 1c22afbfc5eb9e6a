"""Whether the account may list and watch each needed kind, in all namespaces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from grpcdns.core.cluster.objects import Kind
from grpcdns.preflight.account import Account
from grpcdns.preflight.context import Context
from grpcdns.preflight.report import FAIL, OK, Verdict, softened
from grpcdns.preflight.resources import Resource

if TYPE_CHECKING:
    from grpcdns.preflight.kubernetes_client import Right

VERBS: Final = ("list", "watch")
_COMPONENTS: Final = {
    Kind.POD: "deploy/components/pods-verified",
    Kind.SERVICE_IMPORT: "deploy/components/multicluster",
}


def check_rights(context: Context, resource: Resource) -> Verdict:
    rights = {verb: _ask(context, resource, verb) for verb in VERBS}
    return decide_rights(resource, context.account, rights)


def decide_rights(resource: Resource, account: Account, rights: Mapping[str, Right]) -> Verdict:
    refused = [verb for verb, right in rights.items() if not right.allowed]
    if not refused:
        return Verdict(OK, f"may {' and '.join(rights)} {resource.full_name}")
    reasons = dict.fromkeys(rights[verb].reason for verb in refused if rights[verb].reason)
    why = f" ({'; '.join(reasons)})" if reasons else ""
    found = f"may not {' or '.join(refused)} {resource.full_name}{why}"
    verdict = Verdict(FAIL, found, what_to_do(resource, account))
    return softened(verdict) if resource.optional else verdict


def what_to_do(resource: Resource, account: Account) -> str:
    """The overlay makes role and binding; where it is not used, the commands that do."""
    if component := _COMPONENTS.get(resource.kind):
        add = f"; and add list, watch of {resource.full_name} to it"
        overlay = f"deploy/kubeadm with the component {component} gives it"
    else:
        add, overlay = "", "deploy/kubeadm gives it to kube-system/coredns"
    if account.name:
        who = f"--serviceaccount={account.namespace}:{account.name}"
    else:
        who = f"--user={account.user or 'USER'}"
    return (
        f"{overlay}. Without it: kubectl apply -k deploy/base && kubectl create clusterrolebinding "
        f"grpcdns --clusterrole=grpcdns {who}{add}"
    )


def _ask(context: Context, resource: Resource, verb: str) -> Right:
    from grpcdns.preflight.kubernetes_client import Forbidden

    api, account = context.api, context.account
    what = (resource.group, resource.plural, verb)
    if account.is_self:
        return api.may(*what)
    try:
        return api.may_user(account.user, account.groups, *what)
    except Forbidden as review:
        try:
            return api.may(*what, impersonate=account.user)
        except Forbidden as other:
            raise Forbidden(f"{review.needs} or {other.needs}") from other
