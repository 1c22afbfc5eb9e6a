"""deploy/monitoring against the metrics that a running grpcdns really has."""
