"""Mutants: wrong formulas drawn by a seed, to see whether the tests catch them.

``python -m tests.mutants --seed 1`` draws 60 places of the formula modules, changes one operator, constant, comparison,
min or max, rounding or slice end at a time in a copy of the tree, and runs the tests that a formula answers to, without
pictures and without measured rows; golden figures run in forks of one process, only those that enter what is wrong. It prints which mutants died and which survived. What is equivalent to the original
is listed in `equivalent.toml` with the reason, and is not drawn.
"""
