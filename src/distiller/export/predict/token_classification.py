"""The class of each word, one JSON object a line: python predict.py TEXT…, or one text a line on standard input.

A word is what stands between single spaces; words that the model does not read (they are cut off) are outside: O.
"""

import json
import sys
from pathlib import Path

import numpy as np
from onnxruntime import InferenceSession
from tokenizers import Tokenizer

folder = Path(__file__).resolve().parent
config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
slow = ["SkipLayerNormFusion"]  # takes longer than what it replaces
model = InferenceSession(folder / config["model"], providers=["CPUExecutionProvider"], disabled_optimizers=slow)
for line in sys.argv[1:] or sys.stdin:
    text = line.rstrip("\n")
    read = tokenizer.encode(text)
    tokens = {"input_ids": read.ids, "attention_mask": read.attention_mask, "token_type_ids": read.type_ids}
    logits = model.run(None, {given.name: np.array([tokens[given.name]]) for given in model.get_inputs()})[0][0]
    labels: dict[int, str] = {}
    for place, (start, end) in enumerate(read.offsets):
        if read.special_tokens_mask[place] or (start == end and text[:start][-1:].strip()):
            continue  # no token of a word
        start += len(text[start:end]) - len(text[start:end].lstrip())
        labels.setdefault(text.count(" ", 0, start), config["labels"][int(logits[place].argmax())])
    print(json.dumps([[word, labels.get(number, "O")] for number, word in enumerate(text.split(" "))]))
