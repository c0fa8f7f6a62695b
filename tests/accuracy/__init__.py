"""How far the engine is from what other people measured: run `python -m tests.accuracy SET [FILE] [--json]`."""
