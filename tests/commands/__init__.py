"""The commands for people: explain, compare, zone, corefile."""
