"""``python -m grpcdns.serve.feed RUNDIR [LOG_FD BEAT_FD]``: the feed process."""

import sys

from grpcdns.serve.feed.process import main

if __name__ == "__main__":
    sys.exit(main())
