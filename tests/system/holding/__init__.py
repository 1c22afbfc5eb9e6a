"""Options that hold answers, with real processes and a real API."""
