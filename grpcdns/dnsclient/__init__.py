"""DNS as a client speaks it."""
