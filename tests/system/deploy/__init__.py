"""deploy/: built, applied to a real API, run natively, and undone."""
