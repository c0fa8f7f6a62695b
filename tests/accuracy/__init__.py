"""How far the engine is from what other people measured. Run `python -m tests.accuracy SET [FILE] [--json]`."""
