"""Text that people already have, read as a session: commands, manifests, configs, and what a machine says of itself."""
