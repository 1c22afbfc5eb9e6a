"""The benchmark itself: the generator tells right from wrong, every measurement runs."""
