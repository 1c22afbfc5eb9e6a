"""``python -m grpcdns.serve.worker RUNDIR NUMBER [LOG_FD BEAT_FD]``: a worker process."""

import sys

from grpcdns.serve.worker.transport.experiments import set_experiments

if __name__ == "__main__":
    set_experiments()  # before grpc is imported
    from grpcdns.serve.worker.process import main

    sys.exit(main())
