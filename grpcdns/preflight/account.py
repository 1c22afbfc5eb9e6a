"""Whose rights are asked for, and how.

In a Pod, ``grpcdns serve`` uses the Pod's ServiceAccount. There preflight has the same credentials
and sends SelfSubjectAccessReviews. With an operator's kubeconfig those would show the operator's
rights, so it sends SubjectAccessReviews for the account that serve will use; neither the account
nor a binding needs to exist. Where these are forbidden, it impersonates the account.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from grpcdns.config import values
from grpcdns.preflight.context import Context
from grpcdns.preflight.report import FAIL, OK, Verdict

PREFIX: Final = "system:serviceaccount:"
SELF: Final = "self"
DEFAULT: Final = f"{PREFIX}kube-system:coredns"
"""The account of CoreDNS's Pods on kubeadm, to which deploy/kubeadm binds the ClusterRole."""


class Account(NamedTuple):
    """``user``: its name in the API. ``is_self``: preflight uses the credentials of that user."""

    user: str
    is_self: bool

    @property
    def namespace(self) -> str:
        """ "" unless it is a ServiceAccount."""
        return self._parts[0]

    @property
    def name(self) -> str:
        """ "" unless it is a ServiceAccount."""
        return self._parts[1]

    @property
    def groups(self) -> list[str]:
        """The groups that the API gives every ServiceAccount."""
        return [
            "system:serviceaccounts",
            f"system:serviceaccounts:{self.namespace}",
            "system:authenticated",
        ]

    @property
    def _parts(self) -> tuple[str, str]:
        if not self.user.startswith(PREFIX):
            return "", ""
        namespace, _, name = self.user.removeprefix(PREFIX).partition(":")
        return namespace, name


def parse_account(text: str) -> str:
    """``--as``: "self", NAMESPACE/NAME or system:serviceaccount:NAMESPACE:NAME; as the API has it.

    Raises ValueError.
    """
    if text == SELF:
        return SELF
    plain = text.removeprefix(PREFIX).replace(":", "/") if text.startswith(PREFIX) else text
    return PREFIX + values.namespaced_name(plain).replace("/", ":")


def choose_account(given: str, user: str, in_pod: bool) -> Account:
    """``given``: --as as parsed, "" for none; ``user``: whose credentials are used, "" if unknown.

    Without --as: that user itself in a Pod and when it is a ServiceAccount, else CoreDNS's account.
    """
    if given == SELF or (not given and (in_pod or user.startswith(PREFIX))) or given == user != "":
        return Account(user, is_self=True)
    return Account(given or DEFAULT, is_self=False)


def check_account(context: Context) -> Verdict:
    account = context.account
    if account.is_self:
        return Verdict(OK, f"{account.user or 'the user of these credentials'}, asked as itself")
    path = f"/api/v1/namespaces/{account.namespace}/serviceaccounts/{account.name}"
    needs = f"get serviceaccounts in {account.namespace}"
    return decide_account(account, context.api.find(path, needs) is not None)


def decide_account(account: Account, exists: bool) -> Verdict:
    if exists:
        return Verdict(OK, account.user)
    return Verdict(
        FAIL,
        f"{account.user} does not exist",
        f"kubectl create serviceaccount -n {account.namespace} {account.name}; "
        "or name the account that CoreDNS's Pods have with --as NAMESPACE/NAME",
    )
