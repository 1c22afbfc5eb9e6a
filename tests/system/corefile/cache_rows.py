"""The rows of the cache's traps: see rows.py."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import dns.message
import dns.rcode

from grpcdns.corefile.traps.trap import Backend
from harness.coredns import CoreDNS
from harness.dns import ask
from harness.waiting import wait_until
from tests.system.corefile.rows import Row, block
from tests.system.corefile.world import World

MANY: Final = 1500
"""Names, where the smallest cache of CoreDNS keeps 1,024 answers."""
ADAPTIVE: Final = Backend(adaptive=True)
CACHE: Final = "cache 30 {\n success 9984 30 0\n denial 9984 30 0\n servfail 0\n}"


def _servfail_is_kept(coredns: CoreDNS, _world: World) -> bool:
    """The backend replies SERVFAIL to the first query for such a name only."""
    name = f"once-{coredns.address.port}.cluster.local."
    assert ask(coredns.address, name).rcode() == dns.rcode.SERVFAIL
    return ask(coredns.address, name).rcode() == dns.rcode.SERVFAIL


def _evicts(coredns: CoreDNS, world: World) -> bool:
    """Asked in turn, many of the names reach the backend again."""
    names = [f"10-0-{n // 250}-{n % 250}.default.pod.cluster.local." for n in range(MANY)]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(2):
            before = world.asked_ttl200()
            replies = pool.map(lambda name: ask(coredns.address, name), names)
            assert all(reply.answer for reply in replies)
    return world.asked_ttl200() - before > MANY / 10


def _pod(coredns: CoreDNS) -> str:
    """The name of a Pod that no other CoreDNS was asked for."""
    return f"db-{coredns.address.port}"


def _keeps_what_is_awaited(coredns: CoreDNS, world: World) -> bool:
    """The NXDOMAIN of a Pod is still answered when the Pod is there."""
    pod, name = _pod(coredns), world.peers.name(_pod(coredns))
    assert ask(coredns.address, name).rcode() == dns.rcode.NXDOMAIN
    world.peers.set(pod, "10.244.0.7")
    return ask(coredns.address, name).rcode() == dns.rcode.NXDOMAIN


def _keeps_what_has_changed(coredns: CoreDNS, world: World) -> bool:
    """An answer that may be kept for 1 s is kept for the minimum TTL."""
    pod, name = _pod(coredns), world.peers.name(_pod(coredns))
    world.peers.set(pod, "10.244.0.7")
    return ask(coredns.address, name).answer[0].ttl > 1


def _answers_for_what_is_gone(coredns: CoreDNS, world: World) -> bool:
    """Long after the TTL of the last right answer, and each time it is asked."""
    pod, name = _pod(coredns), world.peers.name(_pod(coredns))
    world.peers.set(pod, "10.244.0.7")
    assert ask(coredns.address, name).answer[0].ttl == 1
    world.peers.set(pod, None)
    wait_until(lambda: _is_over(ask(coredns.address, name)), "the end of the TTL")
    before = world.peers.asked()
    stale = [bool(ask(coredns.address, name).answer) for _ in range(5)]
    wait_until(lambda: world.peers.asked() > before, "it asks the backend")
    assert ask(coredns.address, name).answer or not any(stale)
    assert all(stale) or not any(stale)
    return all(stale)


def _is_over(reply: dns.message.Message) -> bool:
    return not reply.answer or reply.answer[0].ttl == 0


def _asks_for_what_is_cached(coredns: CoreDNS, world: World) -> bool:
    """An answer of 1 s costs many queries a second."""
    pod, name = _pod(coredns), world.peers.name(_pod(coredns))
    world.peers.set(pod, "10.244.0.7")
    before, began = world.peers.asked(), time.monotonic()
    for _ in range(60):
        assert ask(coredns.address, name).answer
    asked, seconds = world.peers.asked() - before, time.monotonic() - began
    return asked > 2 * (seconds + 1)


def _adaptive(cache: str) -> str:
    return block("grpc . <adaptive>", cache)


# fmt: off
CACHES: Final = (
    Row("cache-servfail", block("grpc . <aware>", "cache"),
        block("grpc . <aware>", "cache {\n servfail 0\n}"), _servfail_is_kept, line=3),
    Row("cache-small", block("grpc . <ttl200>", "cache {\n success 1024\n servfail 0\n}"),
        block("grpc . <ttl200>", "cache {\n servfail 0\n}"), _evicts, line=4,
        backend=Backend(names=MANY)),
    Row("cache-minimum", _adaptive("cache 30 {\n servfail 0\n}"), _adaptive(CACHE),
        _keeps_what_is_awaited, line=3, backend=ADAPTIVE),
    Row("cache-minimum", _adaptive("cache 30 {\n denial 9984 30 0\n success 9984 30 5\n}"),
        _adaptive(CACHE), _keeps_what_has_changed, line=5, backend=ADAPTIVE, id="success"),
    Row("cache-serve-stale", _adaptive(CACHE.replace("servfail 0", "serve_stale")),
        _adaptive(CACHE), _answers_for_what_is_gone, line=6, backend=ADAPTIVE),
    Row("cache-serve-stale", _adaptive(CACHE.replace("servfail 0", "serve_stale 1m immediate")),
        _adaptive(CACHE.replace("servfail 0", "serve_stale 1m verify")),
        _answers_for_what_is_gone, line=6, backend=ADAPTIVE, id="verify"),
    Row("cache-prefetch", _adaptive(CACHE.replace("servfail 0", "prefetch 2")),
        _adaptive(CACHE), _asks_for_what_is_cached, line=6, backend=ADAPTIVE),
)
# fmt: on
