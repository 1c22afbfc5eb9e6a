"""Fuzzing: octets into one part, and what must hold of what comes out.

    targets.py     a table: a part's name -> a function of octets that raises on a broken rule
    world.py       the cluster and the policies that the targets share
    oracle.py      the rules of a reply, written without the code under test
    draw.py        octets read as choices, for targets that need structure
    corpus/        seeds, a file a target, a row a seed (made by seeds.py)
    found.py       inputs that once broke a rule
    run.py         a long run of one target, coverage-guided; prints what it did

`make fuzz` runs every target for a while; the tests here replay seeds and found cases and run each
target for a moment.
"""
