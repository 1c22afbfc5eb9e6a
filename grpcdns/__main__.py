"""``python -m grpcdns``."""

import sys

from grpcdns.cli import main

if __name__ == "__main__":
    sys.exit(main())
