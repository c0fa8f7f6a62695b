"""Training: batch, messages, memory and step time."""
