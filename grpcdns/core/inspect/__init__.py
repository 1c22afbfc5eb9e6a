"""What commands show of answers: why one is what it is, all records of a zone, near misses.

Nothing here has a rule of its own; it asks the rules and describes what they say.
"""
