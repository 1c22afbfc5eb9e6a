"""The page, and the status behind it."""
