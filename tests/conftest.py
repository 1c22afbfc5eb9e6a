"""The fixtures that every test may ask for."""

pytest_plugins = ["harness.fixtures", "tests.transports"]
