"""`--guard` with a real API: many Services are deleted at once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest

from harness.api import Object
from harness.cluster import Cluster
from harness.dns import section
from harness.grpcdns import Grpcdns
from harness.metrics import sample
from harness.objects import namespace, port, service
from harness.ports import Address, free_address
from harness.waiting import wait_until

pytestmark = [pytest.mark.servers, pytest.mark.slow]

COUNT: Final = 40
NXDOMAIN: Final = 3


@pytest.fixture
def metrics() -> Address:
    return free_address()


@pytest.fixture
def many(own_cluster: Cluster) -> Iterator[list[Object]]:
    """Forty Services."""
    made = own_cluster.api.create_all(
        service(f"many-{at}", ports=[port(80)]) for at in range(COUNT)
    )
    yield made
    left = {obj["metadata"]["name"] for obj in own_cluster.api.list("Service", "default")}
    own_cluster.api.delete_all(obj for obj in made if obj["metadata"]["name"] in left)


@pytest.fixture
def options(own_cluster: Cluster, metrics: Address, tmp_path: Path) -> tuple[str | Path, ...]:
    return (
        "--kubeconfig", own_cluster.admin_kubeconfig, "--metrics", str(metrics),
        "--upstream", "none", "--guard", "30", "--snapshot", tmp_path / "snapshot",
    )  # fmt: skip


def name(at: int) -> str:
    return f"many-{at}.default.svc.cluster.local."


def answers(ours: Grpcdns, worker: int = 0) -> list[list[str]]:
    """Of each Service: its records, without those that have none."""
    with ThreadPoolExecutor(8) as pool:
        asked = pool.map(lambda at: ours.ask(name(at), worker=worker), range(COUNT))
        return [found for reply in asked if (found := section(reply))]


def guard(ours: Grpcdns, action: str) -> tuple[int, str]:
    command = (sys.executable, "-m", "grpcdns", "guard", action, "--server", ours.listen[0])
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, timeout=30)
    return done.returncode, done.stdout


def explained(ours: Grpcdns) -> dict[str, object]:
    command = (sys.executable, "-m", "grpcdns", "explain", name(20), "--server", ours.listen[0])
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stdout
    found: dict[str, object] = json.loads(done.stdout)
    return found


def holds(metrics: Address) -> bool:
    return sample(metrics, "grpcdns_guard_active") == 1


def test_many_services_deleted_at_once(
    own_cluster: Cluster, many: list[Object], options: tuple[str | Path, ...], metrics: Address
) -> None:
    """Held; over a restart of the feed and of everything; until it is released."""
    with Grpcdns(*options) as ours:
        wait_until(lambda: len(answers(ours)) == COUNT, "all are answered")
        before = [answer[0] for answer in answers(ours)]
        own_cluster.api.delete_all(many[10:])
        wait_until(lambda: holds(metrics), "the guard")
        wait_until(lambda: sample(metrics, 'grpcdns_held_services{by="guard"}') == 30, "counted")
        for worker in (0, 1):
            wait_until(lambda w=worker: len(answers(ours, w)) == COUNT, "held")  # type: ignore[misc]
        after = [answer[0] for answer in answers(ours)]
        assert after == before[:10] + [one.replace(" 5 IN", " 1 IN") for one in before[10:]]
        found = explained(ours)
        assert found["held"] == [
            {"what": "Service default/many-20", "by": "guard", "since": found["held"][0]["since"]}  # type: ignore[index]
        ]
        assert "Services are gone" in found["data"]["guard"]  # type: ignore[index]

        feed = ours.children()["feed"]
        os.kill(feed, signal.SIGKILL)
        wait_until(lambda: ours.children().get("feed", feed) != feed, "a new feed")
        wait_until(lambda: sample_or_none(metrics) == 1, "it holds, too")
        assert len(answers(ours)) == COUNT
    with Grpcdns(*options) as ours:
        wait_until(lambda: sample(metrics, "grpcdns_restored_age_seconds") == 0, "live")
        assert holds(metrics)
        assert len(answers(ours)) == COUNT
        code, text = guard(ours, "status")
        assert code == 0
        assert json.loads(text)["services"] == 30
        code, text = guard(ours, "release")
        assert (code, json.loads(text)["released"]) == (0, True)
        for worker in (0, 1):
            wait_until(lambda w=worker: len(answers(ours, w)) == 10, "followed")  # type: ignore[misc]
        assert ours.ask(name(20)).rcode() == NXDOMAIN
        assert not holds(metrics)
        assert guard(ours, "release")[0] == 1
    with Grpcdns(*options) as ours:
        wait_until(lambda: sample(metrics, "grpcdns_restored_age_seconds") == 0, "live")
        assert not holds(metrics), "released is released"
        assert len(answers(ours)) == 10


def sample_or_none(metrics: Address) -> float | None:
    try:
        return sample(metrics, "grpcdns_guard_active")
    except (KeyError, OSError):
        return None


def test_a_few_are_followed_and_what_comes_back_ends_it(
    own_cluster: Cluster, many: list[Object], options: tuple[str | Path, ...], metrics: Address
) -> None:
    with Grpcdns(*options) as ours:
        wait_until(lambda: len(answers(ours)) == COUNT, "all are answered")
        own_cluster.api.delete_all(many[:2])
        wait_until(lambda: len(answers(ours)) == COUNT - 2, "5 % are followed")
        assert not holds(metrics)
        own_cluster.api.delete_all(many[2:])
        wait_until(lambda: holds(metrics), "the guard")
        assert len(answers(ours)) == COUNT, "the first two, too: that was within 10 s"
        own_cluster.api.create_all(service(f"many-{at}", ports=[port(80)]) for at in range(COUNT))
        wait_until(lambda: not holds(metrics), "all is back")
        ttls = {answer[0].split()[1] for answer in answers(ours)}
        assert ttls == {"5"}


def test_without_the_option_everything_is_followed(
    own_cluster: Cluster, many: list[Object], metrics: Address
) -> None:
    options = ("--kubeconfig", own_cluster.admin_kubeconfig, "--metrics", str(metrics))
    with Grpcdns(*options, "--upstream", "none") as ours:
        wait_until(lambda: len(answers(ours)) == COUNT, "all are answered")
        own_cluster.api.delete_all(many)
        wait_until(lambda: not answers(ours), "none is")
        assert guard(ours, "status")[0] == 1


def test_a_namespace_that_its_owner_deletes(
    make_cluster: Callable[..., Cluster], metrics: Address
) -> None:
    """With the namespace controller, which empties a Namespace that is terminating."""
    cluster = make_cluster()
    cluster.api.create(namespace("doomed"))
    cluster.api.create_all(
        service(f"many-{at}", namespace="doomed", ports=[port(80)]) for at in range(COUNT)
    )
    options = ("--kubeconfig", cluster.admin_kubeconfig, "--metrics", str(metrics))
    with Grpcdns(*options, "--upstream", "none", "--guard", "30") as ours:
        doomed = "many-1.doomed.svc.cluster.local."
        wait_until(lambda: section(ours.ask(doomed)), "answered")
        cluster.api.delete(namespace("doomed"))  # its content goes first, by and by
        wait_until(lambda: ours.ask(doomed).rcode() == NXDOMAIN, "gone", timeout=60)
        assert sample(metrics, "grpcdns_guard_active") == 0
    assert "guard:" not in ours.process.log_text
