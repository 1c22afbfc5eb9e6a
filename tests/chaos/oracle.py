"""A second oracle: CoreDNS's own `kubernetes` plugin, which reads the same API, but not through the
gate. Once nothing changes any more, it and each way to grpcdns must answer every question alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Final

from harness.coredns import CoreDNS
from harness.waiting import WaitError, wait_until
from tests.chaos.history import ERRORS, NO_REPLY, now
from tests.chaos.model import Question
from tests.chaos.readers import BATCH, Asker, Socket, Udp, as_text, query
from tests.chaos.world import World

SYNCED: Final = 60.0
"""Seconds for the plugin to start and to read everything."""
STABLE: Final = 5.0
"""Seconds after which the same differences will not go away by themselves."""
_COREFILE: Final = """. {
    errors
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        kubeconfig {$KUBECONFIG}
    }
}"""


def compare(world: World, questions: Sequence[Question]) -> None:
    """Records what is answered otherwise."""
    kubeconfig = world.cluster.service_account_kubeconfig("coredns")
    ways: dict[str, Callable[[], Asker]] = {
        "worker 0": lambda: Socket(world.socket(0)),
        "worker 1": lambda: Socket(world.socket(1)),
        "coredns": lambda: Udp(world.front),
    }
    found: list[str] = []
    since = now()

    with CoreDNS(_COREFILE, env={"KUBECONFIG": str(kubeconfig)}) as plugin:

        def done() -> bool:
            nonlocal found, since
            theirs = _answers(Udp(lambda: plugin.address), questions)
            before = found
            found = [
                f"{question.name} {question.qtype}: the plugin {their}, {way} {our}"
                for way, connect in ways.items()
                for question, their, our in zip(
                    questions, theirs, _answers(connect(), questions), strict=True
                )
                if our != their
            ]
            if found != before or any(one.startswith(ERRORS) for one in theirs):
                since = now()
            return not found or now() - since > STABLE

        try:
            wait_until(done, "the plugin has answered", timeout=SYNCED, interval=0.2)
        except WaitError as error:
            found = found or [str(error)]
        for what in found:
            world.history.add("unlike", t=now(), what=what)


def _answers(asker: Asker, questions: Sequence[Question]) -> list[str]:
    return list(_asked(asker, [query(one) for one in questions]))


def _asked(asker: Asker, wires: Sequence[bytes]) -> Iterator[str]:
    with closing(asker):
        for at in range(0, len(wires), BATCH):
            for reply in asker.ask(wires[at : at + BATCH]):
                yield NO_REPLY if reply is None else as_text(reply)
