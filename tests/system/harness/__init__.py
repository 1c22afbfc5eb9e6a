"""The harness itself, tried: the servers are real, and do what the other tests lean on."""
