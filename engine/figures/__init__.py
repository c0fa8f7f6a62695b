"""Units, words, sentences of parts, and errors: what every room speaks in."""
