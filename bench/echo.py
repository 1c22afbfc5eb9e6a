"""The lane alone: it returns each message as its reply.

python -m bench.echo ADDRESS
"""

from __future__ import annotations

import gc
import signal
import sys

from grpcdns.serve.worker.transport.experiments import set_experiments

set_experiments()  # as in a worker, before grpc is imported

from grpcdns.serve.worker.transport.contract import Pressure  # noqa: E402
from grpcdns.serve.worker.transport.health import Health  # noqa: E402
from grpcdns.serve.worker.transport.lane import Lane  # noqa: E402
from grpcdns.serve.worker.transport.server import Listeners  # noqa: E402


def main() -> None:
    health = Health()
    health.set(serving=True)
    lane = Lane(Listeners([sys.argv[1]], health), lambda message: message, Pressure())
    lane.start()
    gc.disable()  # as in a worker
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    lane.stop(1.0)


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    main()
