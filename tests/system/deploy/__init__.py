"""deploy/: built, applied to a real API, run as processes, and reverted."""
