"""Golden figures: every figure of some forty builds, so that a formula that changes says so.

`builds/` holds the builds as sessions, `figures/` what each is sized at, `constants/` and `catalog/` a frozen copy of
the calibration constants and of the facts that these builds need: neither a re-fit nor a new price moves a figure here.
Two thousand variants, each one change away from a build, stand beside them with a line of figures each.
A figure moves when a formula does. Then, and only when the change is meant::

    python -m tests.golden --write

writes the figures anew and prints what moved, before and after, which belongs into the message of the commit.
The keys of the JSON reports are held by the same command in `report_keys.txt`.
"""
