"""How a batch says where words are: what tasks write and models read."""

WORDS = "words"
"""Beside the inputs of a batch: [batch, words, 2], the first token of each word, and that after its last.

Both are -1 where a text has no such word, and 0 where the model reads no token of it (it was cut off).
"""
PLACES = "places"
"""Beside the inputs of a batch, for answers: [batch, places, 2], the token that begins in a place, and that ends there.

Place 0 is where a model says that there is no answer; the others are the words of the text that answers are of. A token
of several words begins in the first of them and ends in the last.
"""
NO_TOKEN = -2
"""In `PLACES`: none begins there, or ends."""
NO_WORD = -1
NOT_READ = 0
"""Both of a word of which no token is read; a word that is read ends after token 0."""
UNLABELLED = -100
"""The class of a word that nobody has labelled, or of which no token is read."""
OUTSIDE = "O"
"""The tag of a word that is in no entity."""
