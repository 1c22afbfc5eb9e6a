"""All DNS that is not a worker's own reply: messages made and read, and their exchange."""
