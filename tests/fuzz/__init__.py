"""Fuzzing: random octets into one part of grpcdns, and rules for what comes out.

    targets.py     a table: the name of a part -> a function of octets that raises on a broken rule
    world.py       the cluster and the policies that the targets share
    oracle.py      the rules of a reply, written without the code under test
    draw.py        octets read as choices, for targets that need structure
    corpus/        seeds: a file for each target, a line for each seed (written by seeds.py)
    found.py       inputs that once broke a rule
    run.py         a long coverage-guided run of the targets

`make fuzz` runs every target for a minute. The tests here replay the seeds and the found inputs,
and run each target for a moment.
"""
