"""How the constants of engine/calibration are fitted, a module each: `python -m tests.calibration SET`."""
