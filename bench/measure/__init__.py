"""The measurements. Each module has ``measure(setup) -> Results`` and ``table(results) -> str``,
except ``messages``, which needs no cluster and is run alone."""
