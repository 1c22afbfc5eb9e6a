"""``python -m grpcdns.serve.worker RUNDIR NUMBER [LOG_FD BEAT_FD]``: a worker process."""

import sys

from grpcdns.serve.worker.transport.experiments import set_experiments
from grpcdns.serve.worker.unused import load_when_used

if __name__ == "__main__":
    set_experiments()  # both before grpc is imported
    load_when_used()
    from grpcdns.serve.worker.process import main

    sys.exit(main())
