"""Rules say what is so; a round of the sweep opens, tells and resolves."""
