"""Which layouts are possible, and what each rank of one holds."""
