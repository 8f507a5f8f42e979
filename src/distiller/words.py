"""How a batch says where words are, where models say something of each word: what tasks write and models read."""

WORDS = "words"
"""Beside the inputs of a batch: the position of the first token of each word, [batch, words]."""
NO_WORD, NOT_READ = -1, -2
"""In its place: the text has no such word, or the model reads no token of it (it was cut off)."""
