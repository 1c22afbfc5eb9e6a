"""A cluster's objects from its API: a watch for each kind that the options need.

    KubernetesApi(config).start(sink)   raises UserError when it cannot log in
                         .stop()        prompt

With ``once``, for a command that reads the cluster once, ``start`` also raises Unreachable when the
API does not answer within 2.5 s, instead of retrying for ever.

Lists are cluster-wide even with ``--namespaces``, as CoreDNS's are: the RBAC rules are the same,
and an answer about another namespace depends on whether it exists.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from grpcdns.config.options import Config
from grpcdns.core.answers.policy import Policy, kept_kinds
from grpcdns.core.cluster.objects import Kind
from grpcdns.histogram import Sample
from grpcdns.source.api.audit import Audit
from grpcdns.source.api.client import ApiError, Client, Unreachable
from grpcdns.source.api.decode import Decoder
from grpcdns.source.api.journal import Journal
from grpcdns.source.api.login import Login, from_kubeconfig, in_cluster
from grpcdns.source.api.throttle import Throttle
from grpcdns.source.api.watch import Resource, Watch
from grpcdns.source.clock import Clock, WallClock
from grpcdns.source.kinds import WATCHED
from grpcdns.source.scope import fields_of, kinds_of
from grpcdns.source.sink import Sink

ANSWER_TIMEOUT: Final = 2.5
"""Seconds in which an API must answer a command, from the look-up of its name on."""
TURN: Final = 1.0
"""Seconds: how long a kind waits for the first list of the kind before it, at most."""
JOIN_TIMEOUT: Final = 2.0
"""Seconds; a thread that is connecting may need longer and is left behind (it is a daemon)."""


class KubernetesApi:
    """The source behind ``--kubeconfig``, and the default inside a Pod."""

    def __init__(
        self, config: Config, login: Callable[[], Login] | None = None, *, once: bool = False
    ) -> None:
        self._config = config
        self._once = once
        self._login = login or _login_of(config)
        self._clock = WallClock()
        self._client: Client | None = None
        self._journal: Journal | None = None
        self._sink: Sink | None = None
        self._watches: list[Watch] = []
        self._threads: list[threading.Thread] = []

    def start(self, sink: Sink) -> None:
        """Begins to watch; returns once it has logged in. Raises UserError, Unreachable."""
        config = self._config
        throttle = Throttle(self._clock, config.api_qps, config.api_burst, config.api_max_inflight)
        self._client = client = Client(self._login, throttle)
        login, _ = client.login()
        if self._once:
            expect_answer(login, self._clock)
        self._sink, self._journal = sink, Journal(sink, self._clock, once=self._once)
        audit = Audit(self._watches, client, self._journal, self._clock)
        self._run("AUDIT", audit.run)
        policy = config.policy()
        for kind in sorted(kept_kinds(policy)) if self._once else kinds_of(policy):
            self._watch(kind, policy)

    def stop(self) -> None:
        """Ends all watches. A thread that is still connecting is left behind."""
        self._clock.stop()
        for watch in self._watches:
            watch.tried.set()
        if self._client is not None:
            self._client.stop()
        for thread in self._threads:
            thread.join(JOIN_TIMEOUT)

    def samples(self) -> Iterable[Sample]:
        """Metrics of the requests to the API."""
        return () if self._client is None else self._client.requests.samples()

    def set_policy(self, policy: Policy) -> None:
        """New options for answers: relists the kinds of which they need other fields."""
        fields = fields_of(policy)
        for watch in self._watches:
            if not WATCHED[watch.kind].is_read_alike(watch.fields, fields):
                watch.use(Decoder(watch.kind, fields))
        for kind in kinds_of(policy):
            if kind not in [watch.kind for watch in self._watches]:
                self._watch(kind, policy)

    def _watch(self, kind: Kind, policy: Policy) -> None:
        """Begins to watch a kind; does nothing before `start`."""
        if self._client is None or self._sink is None or self._journal is None:
            return
        resource, decoder = resource_of(kind, self._config), Decoder(kind, fields_of(policy))
        watch = Watch(resource, decoder, self._client, self._sink, self._journal, self._clock)
        before = self._watches[-1] if self._watches else None
        self._watches.append(watch)
        self._run(kind.name, partial(_run_in_turn, watch, before))

    def _run(self, name: str, run: Callable[[], None]) -> None:
        thread = threading.Thread(target=run, name=f"source-{name.lower()}", daemon=True)
        self._threads.append(thread)
        thread.start()


def expect_answer(login: Login, clock: Clock) -> None:
    """Asks the API for anything. Raises Unreachable after `ANSWER_TIMEOUT`, ApiError never. In a
    thread, as a resolver has its own timeouts."""
    client = Client(
        lambda: login,
        Throttle(clock),
        connect_timeout=ANSWER_TIMEOUT,
        read_timeout=ANSWER_TIMEOUT,
    )
    errors: list[Exception] = [Unreachable("timeout")]

    def ask() -> None:
        connection = client.connect()
        try:
            connection.get("/version", {})
            errors.clear()
        except ApiError:
            errors.clear()
        except Exception as error:
            errors[:] = [error]
        finally:
            connection.close()

    thread = threading.Thread(target=ask, name="source-probe", daemon=True)
    thread.start()
    thread.join(ANSWER_TIMEOUT)
    found = tuple(errors)
    client.stop()
    if found:
        raise found[0]


def _run_in_turn(watch: Watch, before: Watch | None) -> None:
    """Starts after the first list of the kind before, so that the workers take one kind while the
    next is read. Lists read at the same time would also end at the same time."""
    if before is not None:
        before.tried.wait(TURN)
    watch.run()


def resource_of(kind: Kind, config: Config) -> Resource:
    """What is watched of a kind: its path and selectors."""
    watched = WATCHED[kind]
    selectors = {
        "labelSelector": str(watched.selector(config)),
        "fieldSelector": watched.field_selector,
    }
    wanted = {name: text for name, text in selectors.items() if text}
    return Resource(watched.paths[0], wanted, watched.paths[1:])


def _login_of(config: Config) -> Callable[[], Login]:
    if config.kubeconfig:
        return lambda: from_kubeconfig(config.kubeconfig, config.context)
    return in_cluster
