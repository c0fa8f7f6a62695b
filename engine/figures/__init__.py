"""Units, words, sentences of parts, errors, numbers that remember, answers that are kept: what every room speaks in."""
