"""A cluster, a CoreDNS that serves it under every set of options, and Handlers of the same API."""

from __future__ import annotations

import itertools
import json
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Self
from urllib.parse import urlencode

from grpcdns.config.options import Config
from grpcdns.core.cluster.objects import Kind
from grpcdns.core.dns.names import address_from_text, name_from_text
from grpcdns.core.dns.wire import AAAA, CNAME, A, Record
from grpcdns.core.handler import Deferred, Handler
from grpcdns.source.api.source import resource_of
from grpcdns.source.scope import kinds_of
from harness.api import Api, ApiError, Object
from harness.cluster import Cluster
from harness.coredns import CoreDNS
from harness.objects import namespace, port, service_import
from harness.ports import Address, free_address
from harness.waiting import wait_until
from tests.conformance.cluster import EXPOSED, imported, ready, relabel, running, sliced, svc, tcp
from tests.conformance.loading import Lists, handler_of
from tests.conformance.outside import OUTSIDE, ZONE
from tests.conformance.reply import Reply, query, read_reply
from tests.differential.asker import ask_all
from tests.differential.options import CONFIGS, server_block

Question = tuple[str, str]
_FIRST: Final = ("Namespace", "Service", "EndpointSlice", "ServiceImport", "Pod")


class World:
    """``ask_plugin(name, ...)`` asks CoreDNS and ``ask_ours(handler(name), ...)`` asks grpcdns,
    under the options of that name."""

    def __init__(self, configs: dict[str, Config] = CONFIGS) -> None:
        self.configs = configs
        self._stack = ExitStack()
        self._rounds = itertools.count()
        self._ports: dict[str, Address] = {}
        self._sentinels: list[Object] = []
        self._listed: dict[str, bytes] = {}

    def __enter__(self) -> Self:
        try:
            folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
            self.cluster = self._stack.enter_context(Cluster(controllers=False))
            # CoreDNS reads the one, and grpcdns the other.
            self.cluster.install_service_imports("v1alpha1", "v1beta1")
            (folder / "outside.zone").write_text(ZONE)
            self._ports = {name: free_address() for name in self.configs}
            blocks = [
                server_block(
                    config,
                    self._ports[name].port,
                    self.cluster.admin_kubeconfig,
                    folder / "outside.zone",
                )
                for name, config in self.configs.items()
            ]
            # For the harness, which asks this block whether CoreDNS is up.
            blocks.append(". {\n    whoami\n}")
            self.coredns = self._stack.enter_context(CoreDNS("\n".join(blocks), timeout=60))
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    # -- the cluster

    def put(self, objects: Iterable[Object]) -> list[Object]:
        """Creates objects with their status, and waits until CoreDNS has seen them."""
        given = list(objects)
        try:
            made = create(self.cluster.api, given)
            self.settle()
        except BaseException:
            self.remove(given)
            raise
        return made

    def remove(self, objects: Iterable[Object]) -> None:
        """Deletes all but Namespaces, which stay empty."""
        for obj in objects:
            if obj["kind"] != "Namespace":
                try:
                    self.cluster.api.delete(obj)
                except ApiError as error:
                    if error.code != 404:
                        raise

    def settle(self) -> int:
        """Waits until every server of CoreDNS has seen all changes so far."""
        number = next(self._rounds)
        self._listed.clear()
        self.remove(self._sentinels)
        self._sentinels = create(self.cluster.api, _sentinels(number))
        for name, config in self.configs.items():
            if config.namespaces and f"r{number}-s" not in config.namespaces:
                continue
            names = _sentinel_names(number, config)
            messages = [query(one, "A") for one in names]

            def seen(messages: list[bytes] = messages, name: str = name) -> bool:
                replies = ask_all(self._ports[name], messages)
                return all(reply is not None and reply[7] > 0 for reply in replies)

            wait_until(seen, f"CoreDNS ({name}) has seen {names}", timeout=30)
        return number

    def lists(self, config: Config) -> Lists:
        """The API's lists for a config, with the source's selectors; kept until ``settle``."""
        found: dict[Kind, bytes] = dict.fromkeys(Kind, b'{"items": []}')
        for kind in kinds_of(config.policy()):
            resource = resource_of(kind, config)
            path = f"{resource.path}?{urlencode(resource.selectors)}"
            if path not in self._listed:
                self._listed[path] = json.dumps(self.cluster.api.request("GET", path)).encode()
            found[kind] = self._listed[path]
        return found

    def handler(self, name: str) -> Handler:
        config = self.configs[name]
        return handler_of(self.lists(config), config.policy())

    # -- both sides

    def address(self, name: str) -> Address:
        """The address of CoreDNS with these options."""
        return self._ports[name]

    def ask_plugin(self, name: str, questions: Sequence[Question]) -> list[Reply | None]:
        """None where no reply came, or one that cannot be parsed."""
        return ask_server(self._ports[name], questions)


def ask_server(address: Address, questions: Iterable[Question]) -> list[Reply | None]:
    messages = [query(qname, qtype) for qname, qtype in questions]
    replies: list[Reply | None] = []
    for raw in ask_all(address, messages):
        try:
            replies.append(None if raw is None else read_reply(raw))
        except ValueError:
            replies.append(None)
    return replies


def ask_ours(handler: Handler, questions: Iterable[Question]) -> list[Reply]:
    return [read_reply(answer(handler, query(qname, qtype))) for qname, qtype in questions]


def answer(handler: Handler, message: bytes, depth: int = 0) -> bytes:
    """The reply of grpcdns; look-ups are answered as by CoreDNS: from the file, then by itself."""
    reply = handler.handle(message)
    if reply is None:
        raise AssertionError("not synced")
    if not isinstance(reply, Deferred):
        return reply
    results: list[Sequence[Record] | None] = []
    for target, qtype in ((lookup.target, lookup.qtype) for lookup in reply.lookups):
        name = ".".join((*target, ""))
        found = OUTSIDE.get((name, qtype))
        if found is None and depth < 8:
            again = query(name, f"TYPE{qtype}")
            found = _records(read_reply(answer(handler, again, depth + 1)).answer)
        results.append(found)
    return reply.complete(results)


def _records(lines: Iterable[str]) -> list[Record]:
    """A, AAAA and CNAME records from their text."""
    made = []
    for owner, ttl, _, rtype, rdata in (line.split(" ") for line in lines):
        name = name_from_text(owner)
        if rtype == "CNAME":
            made.append(Record(name, CNAME, int(ttl), (name_from_text(rdata),)))
        else:
            packed = address_from_text(rdata) or b""
            made.append(Record(name, A if len(packed) == 4 else AAAA, int(ttl), (packed,)))
    return made


def create(api: Api, objects: Iterable[Object], *, tolerant: bool = False) -> list[Object]:
    """Creates one kind after the other, then sets the status, which creation ignores. ``tolerant``:
    without what an API of another version refuses, a name or a value that is allowed since."""
    given = sorted(objects, key=lambda obj: _FIRST.index(obj["kind"]))
    made: list[Object] = []
    for _, group in itertools.groupby(given, key=lambda obj: str(obj["kind"])):
        taken = [obj for obj in group if not tolerant or _is_accepted(api, obj)]
        made += api.create_all(taken)
        for obj in taken:
            if obj.get("status"):
                api.patch_status(obj, obj["status"])
    return made


def _is_accepted(api: Api, obj: Object) -> bool:
    """By a dry run: its Namespace exists."""
    try:
        api.apply(obj, dry_run=True)
    except ApiError as error:
        if error.code != 422:
            raise
        print(f"refused: {error}")
        return False
    return True


def _sentinels(number: int) -> list[Object]:
    """The objects that are seen last: one of each kind, in their own Namespace."""
    home = f"r{number}-s"
    v4 = f"10.244.{number // 250 + 240}.{number % 250 + 1}"
    made = [
        svc("h", headless=True, ports=[port(80, "http")]),
        sliced("h", "h", [ready(v4)], [tcp(80, "http")]),
        svc("c", ports=[port(80, "http")]),
        sliced("c", "c", [ready(v4)], [tcp(80, "http")]),
        service_import("i", [], [tcp(80, "http")]),
        imported("i", "i", "east", [ready(v4)], [tcp(80, "http")]),
        running("p", v4),
    ]
    placed = [
        relabel({**obj, "metadata": {**obj["metadata"], "namespace": home}}, EXPOSED)
        for obj in made
    ]
    return [namespace(home, labels=EXPOSED), *(relabel(obj, EXPOSED) for obj in placed)]


def _sentinel_names(number: int, config: Config) -> list[str]:
    home, zone = f"r{number}-s", next(zone for zone in config.zones if "arpa" not in zone)
    service = "c" if config.no_endpoints else "h"
    names = [f"c.{home}.svc.{zone}", f"{service}.{home}.svc.{zone}"]
    if config.pods == "verified":
        pod = f"10-244-{number // 250 + 240}-{number % 250 + 1}"
        names.append(f"{pod}.{home}.pod.{zone}")
    names += [f"i.{home}.svc.{zone}" for zone in config.multicluster]
    return names
