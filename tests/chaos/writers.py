"""Writers: they change Services, slices, Pods and Namespaces all the time, each in its own part of
the cluster, and record what the API accepted.

Names and addresses come from small pools that `questions` knows, so that readers ask for what comes
and goes. The addresses of two owners never meet: an answer by address depends on few objects.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from typing import Any, Final

import urllib3
from dns.reversename import from_address

from harness.api import Api, ApiError, Object
from harness.kubelet import Kubelet
from harness.objects import endpoint_slice, namespace, pod, port, service
from tests.chaos.history import History, now
from tests.chaos.model import ZONE, Question

SPACES: Final = 3
LOST: Final = "service/chaos-0/lost"
GOING: Final = "chaos-going"
"""A Namespace that is deleted and made again."""
WITH_IP: Final = 4
HEADLESS: Final = 4
SELECTING: Final = 2
PODS: Final = 4
ENDPOINTS: Final = 6
"""The pools of each Namespace."""
WEB: Final = {"name": "web", "port": 8080, "protocol": "TCP"}
DNS: Final = {"name": "dns", "port": 53, "protocol": "UDP"}


def spaces() -> list[str]:
    return [*(f"chaos-{number}" for number in range(SPACES)), GOING]


def cluster_ip(space: int, number: int, turn: int) -> str:
    return f"10.96.{100 + space}.{10 + number * 2 + turn % 2}"


def endpoint_ip(space: int, number: int, at: int) -> str:
    return f"172.20.{space * 16 + number}.{at + 1}"


def pod_ip(space: int, number: int, at: int, turn: int) -> str:
    return f"172.21.{space * 16 + number}.{at * 2 + 1 + turn % 2}"


def hostname(at: int) -> str:
    """Every third endpoint has none."""
    return f"host-{at}" if at % 3 else ""


def questions() -> Iterator[Question]:
    """Everything that readers ask for."""
    for space, name in enumerate(spaces()):
        yield Question(name + ZONE, "A")
        yield Question(f"never.{name}{ZONE}", "A")
        yield Question(f"out.{name}{ZONE}", "A")
        yield Question(f"lost.{name}{ZONE}", "SRV")
        for number in range(WITH_IP):
            own = f"ip-{number}.{name}{ZONE}"
            yield from (Question(own, qtype) for qtype in ("A", "AAAA", "SRV", "TXT"))
            yield Question(f"_web._tcp.{own}", "SRV")
            for turn in (0, 1):
                yield _reverse(cluster_ip(space, number, turn))
        for number in range(HEADLESS):
            own = f"bare-{number}.{name}{ZONE}"
            yield from (Question(own, qtype) for qtype in ("A", "AAAA", "SRV"))
            yield Question(f"_dns._udp.{own}", "SRV")
            for at in range(ENDPOINTS):
                ip = endpoint_ip(space, number, at)
                yield Question(f"{hostname(at) or ip.replace('.', '-')}.{own}", "A")
                yield _reverse(ip)
        for number in range(SELECTING):
            own = f"pods-{number}.{name}{ZONE}"
            yield from (Question(own, qtype) for qtype in ("A", "SRV"))
            for at in range(PODS):
                yield Question(f"pod-{at}.{own}", "A")
                yield from (_reverse(pod_ip(space, number, at, turn)) for turn in (0, 1))


def _reverse(ip: str) -> Question:
    return Question(from_address(ip).to_text(), "PTR")


class Writer:
    """Changes one Namespace, ``rate`` times a second at most, until ``ended``."""

    def __init__(self, api: Api, history: History, space: int, *, seed: int, rate: float) -> None:
        self._api = api
        self._kubelet = Kubelet(self._api)
        self._history = history
        self._space = space
        self._name = spaces()[space]
        self._chance = random.Random(f"{seed}/{space}")
        self._pause = 1 / rate
        self._ended = threading.Event()
        self.failed: BaseException | None = None

    # What is there, for the writer alone: it may be wrong after a fault, and the API says so.

    def prepare(self) -> None:
        """Everything of this Namespace, as it is at the start."""
        self._write("namespace", lambda: self._api.create(namespace(self._name)), self._name)
        for number in range(WITH_IP):
            self._service(number)
        for number in range(HEADLESS):
            self._headless(number)
            for part in (0, 1):
                self._slice(number, part)
        for number in range(SELECTING):
            self._selecting(number)
            for at in range(PODS):
                self._pod(number, at)
        self._outside()

    def run(self, ended: threading.Event) -> None:
        self._ended = ended
        try:
            while not ended.wait(self._pause * self._chance.uniform(0.3, 1.7)):
                self._step()
        except BaseException as error:
            self.failed = error

    def _step(self) -> None:
        draw = self._chance.random()
        if draw < 0.45:
            self._slice(self._chance.randrange(HEADLESS), self._chance.randrange(2))
        elif draw < 0.60:
            self._drop_slice(self._chance.randrange(HEADLESS), self._chance.randrange(2))
        elif draw < 0.72:
            self._replace_service(self._chance.randrange(WITH_IP))
        elif draw < 0.76:
            self._drop("Service", f"ip-{self._chance.randrange(WITH_IP)}")
        elif draw < 0.80:
            self._ports(self._chance.randrange(WITH_IP))
        elif draw < 0.84:
            self._toggle(f"bare-{self._chance.randrange(HEADLESS)}")
        elif draw < 0.98:
            self._change_pod(self._chance.randrange(SELECTING), self._chance.randrange(PODS))
        elif self._name == GOING:
            self._delete_namespace()
        else:
            self._outside()

    def _service(self, number: int) -> None:
        ip = cluster_ip(self._space, number, self._chance.randrange(2))
        made = service(f"ip-{number}", namespace=self._name, cluster_ips=[ip], ports=self._some())
        self._create(made)

    def _some(self) -> list[Object]:
        both = [port(8080, "web"), port(53, "dns", "UDP")]
        return both[: self._chance.choice((1, 2, 2))]

    def _replace_service(self, number: int) -> None:
        self._drop("Service", f"ip-{number}")
        self._service(number)

    def _ports(self, number: int) -> None:
        change = {"spec": {"ports": self._some()}}
        target = _named("Service", self._name, f"ip-{number}")
        self._write("service", lambda: self._api.patch(target, change), f"ip-{number}")

    def _headless(self, number: int) -> None:
        ports = [port(8080, "web"), port(53, "dns", "UDP")]
        self._create(service(f"bare-{number}", namespace=self._name, headless=True, ports=ports))

    def _toggle(self, name: str) -> None:
        if self._chance.random() < 0.4:
            self._drop("Service", name)
        else:
            self._headless(int(name[-1]))

    def _slice(self, number: int, part: int) -> None:
        half = ENDPOINTS // 2
        own = range(part * half, part * half + half)
        endpoints = []
        for at in (one for one in own if self._chance.random() < 0.8):
            named = {"hostname": hostname(at)} if hostname(at) else {}
            ready = {"ready": self._chance.random() < 0.85}
            ip = endpoint_ip(self._space, number, at)
            endpoints.append({"addresses": [ip], "conditions": ready, **named})
        ports = [WEB, DNS] if self._chance.random() < 0.8 else [WEB]
        name = f"bare-{number}-{part}"
        made = endpoint_slice(name, f"bare-{number}", endpoints, ports, namespace=self._name)
        self._write("slice", lambda: self._api.apply(made), name)

    def _drop_slice(self, number: int, part: int) -> None:
        name = f"bare-{number}-{part}"
        target = _named("EndpointSlice", self._name, name, "discovery.k8s.io/v1")
        self._write("slice", lambda: self._api.delete(target), name)

    def _selecting(self, number: int) -> None:
        labels = {"app": f"pods-{number}"}
        made = service(
            f"pods-{number}",
            namespace=self._name,
            headless=True,
            selector=labels,
            ports=[port(8080, "web")],
        )
        self._create(made)

    def _pod(self, number: int, at: int) -> None:
        ip = pod_ip(self._space, number, at, self._chance.randrange(2))
        made = pod(
            f"pods-{number}-{at}",
            namespace=self._name,
            labels={"app": f"pods-{number}"},
            hostname=f"pod-{at}",
            subdomain=f"pods-{number}",
        )
        self._write("pod", lambda: self._kubelet.run(made, [ip]), made["metadata"]["name"])

    def _change_pod(self, number: int, at: int) -> None:
        name = f"pods-{number}-{at}"
        target = _named("Pod", self._name, name)
        draw = self._chance.random()
        if draw < 0.6:
            ready = self._chance.random() < 0.6
            self._write("pod", lambda: self._kubelet.set_ready(target, ready), name)
        elif draw < 0.8:
            self._write("pod", lambda: self._api.delete(target), name)
        else:
            self._pod(number, at)

    def _outside(self) -> None:
        target = f"host-{self._chance.randrange(3)}.example.org"
        made = service("out", namespace=self._name, type="ExternalName", externalName=target)
        self._write("service", lambda: self._api.apply(made), "out")

    def _delete_namespace(self) -> None:
        """And makes it again, once it is gone; other changes are refused meanwhile."""
        target = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self._name}}
        self._write("namespace", lambda: self._api.delete(target), self._name)
        while not self._ended.wait(0.25):
            if self._write("namespace", lambda: self._api.create(namespace(self._name)), ""):
                self.prepare()
                return

    def _create(self, obj: Object) -> None:
        self._write("service", lambda: self._api.create(obj), obj["metadata"]["name"])

    def _drop(self, kind: str, name: str) -> None:
        target = _named(kind, self._name, name)
        self._write("service", lambda: self._api.delete(target), name)

    def _write(self, kind: str, do: Callable[[], Object], name: str) -> bool:
        """Whether the API accepted it. A refusal is recorded: what it means is up to etcd."""
        began, rev, error = now(), "", ""
        try:
            done = do()
            rev = str(done.get("metadata", {}).get("resourceVersion", ""))
        except ApiError as refused:
            error = str(refused.code)
        except (urllib3.exceptions.HTTPError, OSError, KeyError, ValueError) as broken:
            error = type(broken).__name__
        key = f"{kind}/{self._name}/{name}" if kind != "namespace" else f"namespace/{self._name}"
        self._history.add("write", at=[began, now()], key=key, rev=rev, error=error)
        return not error


def lost_service() -> Object:
    """For the nemesis alone: no writer has it. Its key is `LOST`."""
    return service("lost", namespace=spaces()[0], ports=[port(8080, "web")])


def burst(api: Api, history: History, count: int) -> None:
    """So many changes at once, of slices nobody asks for and of one that is asked for."""
    name = spaces()[0]
    for number in range(count):
        at = number % 50
        ips = [f"172.22.{at}.{1 + number % 200}"]
        endpoints = [{"addresses": ips, "conditions": {"ready": True}}]
        made = endpoint_slice(f"many-{at}", f"many-{at}", endpoints, [WEB], namespace=name)
        began = now()
        try:
            done = api.apply(made)
        except ApiError:
            continue
        except (urllib3.exceptions.HTTPError, OSError):
            return  # the API is away, and whoever waits for us may have to heal it
        key = f"slice/{name}/many-{at}"
        rev = done["metadata"]["resourceVersion"]
        history.add("write", at=[began, now()], key=key, rev=rev, error="")


def _named(kind: str, space: str, name: str, version: str = "v1") -> dict[str, Any]:
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": name, "namespace": space},
    }
