"""Scripts that the Makefile calls; README.md lists them."""
