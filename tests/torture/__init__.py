"""Torture: seeded faults of every kind against the real program, and what has to hold after each of them.

`make torture` runs all harnesses; `python -m tests.torture --help` says how to bound, repeat and resume them. A module here is
one harness. It draws its faults from the seed and returns what broke. `tests/test_torture*.py` run a short form of each, and
prove that it notices a deliberately broken build. Not here: the catalogue of faults (docs/reliability.md).
"""
