"""Which build: plans, the verdict, advice, searches, and `size`."""
