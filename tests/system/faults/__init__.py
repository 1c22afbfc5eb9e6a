"""What every fault does: processes, workers, the API, churn, leaks (docs/operations.md, Faults)."""
