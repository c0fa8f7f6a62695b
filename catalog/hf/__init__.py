"""From a published config.json to an architecture, by structural idea rather than by model.

`reader` reads keys under their many names, `families` says what a config leaves unsaid, `mixers`, `feedforward`
and `towers` build the tensors of each idea, and `decoder` puts a model together.
"""
