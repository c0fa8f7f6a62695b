"""Serving: memory of each rank, speed, and changes that give room."""
