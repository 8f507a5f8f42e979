"""The number of each text, one JSON object a line: python predict.py TEXT…, or one text a line on standard input.

Where texts are pairs, a tab parts the two.
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
    read = tokenizer.encode(*line.rstrip("\n").split("\t", config["columns"] - 1))
    tokens = {"input_ids": read.ids, "attention_mask": read.attention_mask, "token_type_ids": read.type_ids}
    logits = model.run(None, {given.name: np.array([tokens[given.name]]) for given in model.get_inputs()})[0][0]
    print(json.dumps({"value": round(float(logits[0]), 4)}))
