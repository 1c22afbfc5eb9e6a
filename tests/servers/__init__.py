"""The real servers that the tests run: Go modules with pinned sums, and what builds them."""
