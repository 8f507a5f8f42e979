"""Student, critics and layer weights under data-parallel training."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from scipy.special import log_softmax
from transformers import AutoModelForSequenceClassification

from distiller.objectives import Objective, ObjectiveConfig
from distiller.schema import validated
from distiller.store import FrozenTeacher
from distiller.training.distillation import Distillation

RANK = """
import sys
import torch
from safetensors.torch import save_file
from torch.nn.parallel import DistributedDataParallel
from transformers import AutoModelForSequenceClassification
from distiller.mapping import EMD
from distiller.objectives import Layers, Objective, ObjectiveConfig
from distiller.schema import validated
from distiller.store import FrozenTeacher
from distiller.training.distillation import Distillation

folder, rank, out = sys.argv[1], int(sys.argv[2]), sys.argv[3]
torch.set_num_threads(1)
torch.distributed.init_process_group("gloo", init_method=f"file://{out}/meeting", rank=rank, world_size=2)
torch.manual_seed(rank)
student, teacher = (AutoModelForSequenceClassification.from_pretrained(folder) for _ in range(2))
width, depth = student.config.hidden_size, student.config.num_hidden_layers
mapping = EMD()
pairs = mapping.between(depth, depth)
config = validated(ObjectiveConfig, {"intermediate": {"type": "mi"}, "balance": "ema"}, "objective")
layers = Layers([pair[:2] for pair in pairs], mapping.weights(pairs), width, width)
objective = Objective(config, layers, torch.nn.functional.cross_entropy, seed=0)
frozen = FrozenTeacher.of(teacher, objective.reads_of_teacher, "float32", longest=512)
model = DistributedDataParallel(Distillation(student, objective, [frozen]))
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
for step in range(3):
    texts = 1 if rank == 1 and step == 1 else 4  # one rank gets a last batch of one text
    inputs = {"input_ids": torch.randint(5, 100, (texts, 6)), "attention_mask": torch.ones(texts, 6).long()}
    asked = [(torch.arange(texts), inputs)]
    terms, _ = model(student_inputs=inputs, questions=[asked], targets=torch.zeros(texts).long())
    optimizer.zero_grad()
    torch.stack([*terms.values()]).sum().backward()
    optimizer.step()
save_file({name: weight.detach() for name, weight in model.module.named_parameters()}, f"{out}/{rank}.safetensors")
torch.distributed.destroy_process_group()
"""


def test_ranks_hold_the_same_student_and_critics_though_their_batches_differ(tiny_bert: Path, tmp_path: Path) -> None:
    ranks = [
        subprocess.Popen(
            [sys.executable, "-c", RANK, str(tiny_bert), str(rank), str(tmp_path)], stderr=subprocess.PIPE, text=True
        )
        for rank in range(2)
    ]
    errors = [rank.communicate(timeout=240)[1] for rank in ranks]
    assert [rank.returncode for rank in ranks] == [0, 0], errors
    first, second = (load_file(tmp_path / f"{rank}.safetensors") for rank in range(2))
    assert any("critic" in name for name in first)
    assert all(torch.equal(first[name], second[name]) for name in first)


def _cross_entropy(logits: np.ndarray, targets: list[int]) -> float:
    return float(-log_softmax(logits, axis=1)[range(len(targets)), targets].mean())


@pytest.mark.parametrize("mixes", ["live", "interpolate"])
def test_a_mixed_batch_is_compared_with_what_the_teacher_says_of_it(tiny_bert: Path, mixes: str) -> None:
    """Recomputed: both models on embeddings mixed by hand; or the teacher's two answers, mixed."""
    torch.manual_seed(0)
    student, teacher = (AutoModelForSequenceClassification.from_pretrained(tiny_bert).eval() for _ in range(2))
    for model in (student, teacher):
        torch.nn.init.normal_(model.classifier.weight, std=5)  # so that they differ in more than rounding
    config = {"prediction": {"type": "kl", "temperature": 1.0}, "hard_label": {"weight": 1.0}}
    objective = Objective(
        validated(ObjectiveConfig, config, "objective"), None, torch.nn.functional.cross_entropy, seed=0
    )
    frozen = FrozenTeacher.of(teacher, None, "float32", longest=512)
    inputs = {"input_ids": torch.randint(5, 100, (4, 6)), "attention_mask": torch.ones(4, 6).long()}
    partners, share = torch.tensor([1, 2, 3, 0]), torch.tensor(0.3)
    live = mixes == "live"
    asked = {"teacher_inputs": [inputs]} if live else {"questions": [[(torch.arange(4), inputs)]]}
    terms, _ = Distillation(student, objective, [frozen])(
        student_inputs=inputs, targets=torch.tensor([0, 1, 1, 0]), partners=partners, share=share, **asked
    )

    def read(model: torch.nn.Module) -> np.ndarray:
        embedded = model.get_input_embeddings()(inputs["input_ids"])
        with torch.no_grad():
            return model(inputs_embeds=0.3 * embedded + 0.7 * embedded[partners]).logits.numpy()

    with torch.no_grad():
        apart = teacher(**inputs).logits.numpy()
    said = read(teacher) if live else 0.3 * apart + 0.7 * apart[partners.numpy()]
    written = read(student)
    p, q = log_softmax(said, axis=1), log_softmax(written, axis=1)
    assert terms["prediction.kl"].item() == pytest.approx(float((np.exp(p) * (p - q)).sum(axis=1).mean()), rel=1e-4)
    labels = 0.3 * _cross_entropy(written, [0, 1, 1, 0]) + 0.7 * _cross_entropy(written, [1, 1, 0, 0])
    assert terms["hard_label"].item() == pytest.approx(labels, rel=1e-5)
