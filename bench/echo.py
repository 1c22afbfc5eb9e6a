"""The lane with nothing behind it: what it gets is what it gives.

python -m bench.echo ADDRESS
"""

from __future__ import annotations

import gc
import signal
import sys

from grpcdns.serve.worker.transport.contract import Pressure
from grpcdns.serve.worker.transport.health import Health
from grpcdns.serve.worker.transport.lane import Lane
from grpcdns.serve.worker.transport.server import Edge


def main() -> None:
    health = Health()
    health.set(serving=True)
    lane = Lane(Edge([sys.argv[1]], health), lambda message: message, Pressure())
    lane.start()
    gc.disable()  # as in a worker
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    lane.stop(1.0)


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    main()
