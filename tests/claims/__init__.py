"""The articles of this market in worlds of their own, beside the engine: what they claim follows, or why it does not."""
