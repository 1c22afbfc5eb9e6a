"""The Kubernetes API by the ``kubernetes`` package: its credentials, its TLS, its review models.

With source.api.kubeconfig the only importer of that package. The command is one short process, so
the package is imported here, not in a process of its own. Replies are read as plain JSON: the
models of version 37 refuse a null in a required field, which real clusters send. The package's
errors, urllib3's and those of sockets become ``ApiError`` and ``Unreachable`` here.

Every request ends within ``seconds``, including name look-up and TLS handshake. After one that did
not reach the API all others fail at once, so a dead API costs one timeout, not twenty.
"""

from __future__ import annotations

import http
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple, TypeVar

import msgspec
import urllib3.exceptions
from kubernetes import client
from urllib3.util import create_urllib3_context

from grpcdns.config.options import Config, UserError
from grpcdns.source.api import kubeconfig
from grpcdns.source.api.client import ApiError, Unreachable
from grpcdns.source.api.login import accept_old_authorities, in_cluster

_JSON: Final = {"Accept": "application/json"}
_PAGE: Final = 250
_USER: Final = re.compile(r'User "([^"]*)" cannot')
_T = TypeVar("_T")


class Forbidden(Exception):
    """403: the credentials do not allow the request. ``needs``: the right that would."""

    def __init__(self, needs: str) -> None:
        super().__init__(needs)
        self.needs = needs


class Right(NamedTuple):
    """An authorizer's answer. ``reason`` is the authorizer's own, often empty."""

    allowed: bool
    reason: str = ""


class KubernetesClient:
    """One cluster, with the credentials of ``config``.

    Methods raise `ApiError` for an error status, `Forbidden` for 403 and `Unreachable` when there
    is no answer. Raises `UserError` for a kubeconfig that cannot be used.
    """

    def __init__(self, config: Config, seconds: float) -> None:
        configuration = _configuration(config)
        configuration.retries = False
        self.server: str = configuration.host
        self._client = client.ApiClient(configuration)
        tls = create_urllib3_context()
        accept_old_authorities(tls)
        # The package has no option for it; urllib3 loads the certificates into this context.
        self._client.rest_client.pool_manager.connection_pool_kw["ssl_context"] = tls
        self._reviews = client.AuthorizationV1Api(self._client)
        self._seconds = seconds
        self._unreachable: Unreachable | None = None

    def get(self, path: str, needs: str, **query: str | int) -> Any:
        """The JSON at a path; ``needs`` names the right to read it, as in "list nodes"."""
        params = [(name.replace("_", "-"), str(value)) for name, value in query.items()]
        return self._json(path, needs, params)

    def find(self, path: str, needs: str) -> Any | None:
        """The JSON at a path; None when nothing is there (404)."""
        try:
            return self.get(path, needs)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def items(self, path: str, needs: str, **query: str) -> Iterator[Any]:
        """All items of a list, read in pages."""
        params = {**query, "limit": str(_PAGE)}
        while True:
            page = self._json(path, needs, [*params.items()])
            yield from page.get("items") or ()
            more = (page.get("metadata") or {}).get("continue")
            if not more:
                return
            params["continue"] = more

    def user(self) -> str:
        """The user name of the credentials; "" where the API does not tell (before 1.28)."""
        path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
        body = client.V1SelfSubjectReview(
            api_version="authentication.k8s.io/v1", kind="SelfSubjectReview"
        ).to_dict()
        status, reply = self._within(lambda: self._send("POST", path, [], body))
        if status == 403:
            named = _USER.search(_message(reply))
            return named[1] if named else ""
        if status == 404:
            return ""
        review = _checked(status, reply, "")
        return str(((review.get("status") or {}).get("userInfo") or {}).get("username") or "")

    def may(self, group: str, resource: str, verb: str, impersonate: str = "") -> Right:
        """Whether the user of the credentials may, or the impersonated one
        (SelfSubjectAccessReview)."""
        review = client.V1SelfSubjectAccessReview(
            spec=client.V1SelfSubjectAccessReviewSpec(
                resource_attributes=_attributes(group, resource, verb)
            )
        )
        headers = {"Impersonate-User": impersonate} if impersonate else None
        return self._review(
            lambda **options: self._reviews.create_self_subject_access_review(
                review, _headers=headers, **options
            ),
            "impersonate serviceaccounts" if impersonate else "create selfsubjectaccessreviews",
        )

    def may_user(self, user: str, groups: list[str], group: str, resource: str, verb: str) -> Right:
        """Whether another user may (SubjectAccessReview)."""
        review = client.V1SubjectAccessReview(
            spec=client.V1SubjectAccessReviewSpec(
                user=user, groups=groups, resource_attributes=_attributes(group, resource, verb)
            )
        )
        return self._review(
            lambda **options: self._reviews.create_subject_access_review(review, **options),
            "create subjectaccessreviews",
        )

    def _review(self, create: Callable[..., Any], needs: str) -> Right:
        def ask() -> tuple[int, bytes]:
            try:
                reply = create(
                    _preload_content=False, _request_timeout=(self._seconds, self._seconds)
                )
            except client.ApiException as error:
                if not error.status:  # the package's way to report a TLS error
                    raise
                return int(error.status), (error.body or "").encode()
            return int(reply.status), bytes(reply.data)

        status = _checked(*self._within(ask), needs).get("status") or {}
        return Right(
            bool(status.get("allowed")),
            str(status.get("reason") or status.get("evaluationError") or ""),
        )

    def _json(self, path: str, needs: str, query: list[tuple[str, str]]) -> Any:
        status, reply = self._within(lambda: self._send("GET", path, query, None))
        return _checked(status, reply, needs)

    def _send(
        self, method: str, path: str, query: list[tuple[str, str]], body: Any
    ) -> tuple[int, bytes]:
        request = self._client.param_serialize(
            method,
            path,
            query_params=query,
            header_params=dict(_JSON),
            body=body,
            auth_settings=["BearerToken"],
        )
        reply = self._client.call_api(*request, _request_timeout=(self._seconds, self._seconds))
        return reply.status, reply.read()  # type: ignore[no-untyped-call]

    def _within(self, ask: Callable[[], _T]) -> _T:
        """Run ``ask`` for ``seconds`` at most: a name look-up has no timeout that we can set."""
        if self._unreachable is not None:
            raise self._unreachable
        outcome: list[_T | Exception] = []

        def run() -> None:
            try:
                outcome.append(ask())
            except Exception as error:
                outcome.append(error)

        thread = threading.Thread(target=run, name="request", daemon=True)
        thread.start()
        thread.join(self._seconds)
        result = outcome[0] if outcome else TimeoutError()
        if isinstance(result, Exception):
            self._unreachable = Unreachable(_reason(result, self._seconds))
            raise self._unreachable from result
        return result


def _configuration(config: Config) -> Any:
    """The package's view of the credentials: those that ``grpcdns serve`` would use."""
    if config.kubeconfig:
        try:
            return kubeconfig.configuration(config.kubeconfig, config.context)
        except ValueError as error:
            raise UserError(f"kubeconfig {config.kubeconfig}: {error}") from error
    login = in_cluster()
    return client.Configuration(
        host=login.host,
        api_key={"BearerToken": login.authorization()},
        ca_cert_data=login.ca,
    )


def _attributes(group: str, resource: str, verb: str) -> Any:
    """In all namespaces: ``grpcdns serve`` lists and watches the whole cluster."""
    return client.V1ResourceAttributes(group=group, resource=resource, verb=verb)


def _checked(status: int, reply: bytes, needs: str) -> Any:
    if status == 403 and needs:
        raise Forbidden(needs)
    if status >= 400:
        raise ApiError(status, _phrase(status), _message(reply))
    try:
        return msgspec.json.decode(reply)
    except msgspec.DecodeError as error:
        raise ApiError(status, "not JSON", str(error)) from error


def _phrase(status: int) -> str:
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:  # a proxy's invention
        return "error"


def _message(reply: bytes) -> str:
    """The message of a Status, or the beginning of what a proxy sent instead."""
    try:
        text = str(msgspec.json.decode(reply)["message"])
    except (msgspec.DecodeError, KeyError, TypeError):
        text = reply[:200].decode("utf-8", "replace")
    return " ".join(text.split())


def _reason(error: Exception, seconds: float) -> str:
    """One line for whatever kept a request from the API."""
    timeout = isinstance(error, TimeoutError | urllib3.exceptions.TimeoutError)
    if timeout and not isinstance(error, urllib3.exceptions.NewConnectionError):
        return f"no answer in {seconds:g} s"
    text = " ".join(str(error).split())
    if isinstance(error, client.ApiException):  # a TLS error, whose text is in `reason`
        text = " ".join(str(error.reason).split()).removeprefix("SSLError ")
    found = re.search(r"certificate verify failed: [^()]*", text)
    if found:
        return f"TLS: {found[0].strip()}"
    errno = re.search(r"\[Errno -?\d+\] (.*)", text)
    return errno[1] if errno else text.rpartition("): ")[2] or type(error).__name__
