"""The fixtures that every test may ask for."""

import os
import signal

import pytest

from grpcdns import revision
from harness.compiled import VARIABLE

pytest_plugins = ["harness.fixtures", "tests.transports"]


def pytest_configure() -> None:
    """Raises UsageError where compiled modules are expected, and others are found."""
    if os.environ.get(VARIABLE) and revision.code() != "compiled":
        raise pytest.UsageError(f"{VARIABLE} is set, and {revision.__file__} is not compiled")
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        # A shell starts what it runs in the background like that, and every process that a test
        # ends with Ctrl-C would inherit it.
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A shared machine may stand still for a second; code that is too slow is so each time."""
    for item in items:
        if item.get_closest_marker("timed"):
            item.add_marker(pytest.mark.flaky(reruns=2))
