"""Pure sizing of multi-GPU builds for LLMs: a frozen Scenario in, a frozen Sizing out. No I/O, no clock."""
