"""The measurements. Each module has ``measure(setup) -> Results`` and ``table(results) -> str``."""
