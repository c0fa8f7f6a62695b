"""A model: its tensors, formats, caches and floating-point operations."""
