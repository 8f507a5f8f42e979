"""The answer to each question, one JSON object a line: python predict.py "QUESTION<tab>TEXT"…, or so on standard input.

An answer is a part of the text; an empty one says that the text has none.
"""

import json
import re
import sys
from bisect import bisect_right
from pathlib import Path

import numpy as np
from onnxruntime import InferenceSession
from tokenizers import Tokenizer

folder = Path(__file__).resolve().parent
config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
whole = config["no_answer_token"]
slow = ["SkipLayerNormFusion"]  # takes longer than what it replaces
model = InferenceSession(folder / config["model"], providers=["CPUExecutionProvider"], disabled_optimizers=slow)
for line in sys.argv[1:] or sys.stdin:
    question, text = line.rstrip("\n").split("\t", 1)
    words = [word.span() for word in re.finditer(r"\w+|\S", text)]
    tokenizer.enable_truncation(config["max_length"] // 2)
    asked = tokenizer.encode(question)
    stride = min(config["stride"], (config["max_length"] - len(asked.ids) - 2) // 2)
    tokenizer.enable_truncation(config["max_length"], stride=stride, strategy="only_second")
    read = tokenizer.encode(question[: asked.offsets[-2][1]], text)
    none, best = np.inf, (-np.inf, 0, 0)
    for part in [read, *read.overflowing]:
        tokens = {"input_ids": part.ids, "attention_mask": part.attention_mask, "token_type_ids": part.type_ids}
        inputs = {given.name: np.array([tokens[given.name]]) for given in model.get_inputs()}
        begin, end = (logits[0] for logits in model.run(None, inputs))
        first: dict[int, int] = {}  # tokens of words
        last: dict[int, int] = {}
        for place, (start, stop) in enumerate(part.offsets):
            if part.sequence_ids[place] == 1 and text[start:stop].strip():
                first.setdefault(bisect_right(words, (stop - len(text[start:stop].lstrip()), np.inf)) - 1, place)
                last[bisect_right(words, (start + len(text[start:stop].rstrip()) - 1, np.inf)) - 1] = place
        at = part.ids.index(whole) if whole in part.ids else 0  # says that there is none
        none = min(none, begin[at] + end[at])
        spans = ((a, b) for a in first for b in range(a, a + 30) if b in last)
        best = max([best, *((begin[first[a]] + end[last[b]], a, b) for a, b in spans)])
    given = none - best[0] <= config["no_answer_threshold"]
    answer = text[words[best[1]][0] : words[best[2]][1]] if given else ""
    print(json.dumps({"answer": answer, "start": words[best[1]][0] if given else None}))
