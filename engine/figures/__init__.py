"""Units, words, sentences of parts, errors, and numbers that remember: what every room speaks in."""
