from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import kstest
from torch.testing import assert_close

from architectures import ARCHITECTURES, INPUTS, drawn
from distiller import UserError, models
from distiller.augment import Mixup, MixupConfig, mixed, mixed_inputs
from distiller.schema import validated

PARTNERS = torch.tensor([1, 0])


def _batch(architecture: str) -> dict[str, torch.Tensor]:
    """Two texts of unlike length, padded on the right."""
    inputs = {name: values[:2].clone() for name, values in INPUTS.items()}
    inputs["attention_mask"][:] = 1
    inputs["attention_mask"][1, -2:] = 0
    return inputs


def _logits(model: Any, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    with torch.no_grad():
        return models.read(model, inputs, None).logits


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("share", [1.0, 0.0])
def test_with_all_of_one_text_a_model_reads_that_text(architecture: str, share: float) -> None:
    model, inputs = drawn(architecture).eval(), _batch(architecture)
    # The longer text alone: of the shorter one the end of the other, mixed with nothing, would be read too.
    row = 0 if share == 1.0 else 1
    read = _logits(model, mixed_inputs(model, inputs, PARTNERS, torch.tensor(share)))[row]
    assert_close(read, _logits(model, inputs)[0], atol=1e-5, rtol=1e-4)


def test_embeddings_are_mixed_and_what_is_beyond_a_text_is_nothing() -> None:
    model, inputs = drawn("bert"), _batch("bert")
    table = model.get_input_embeddings().weight.detach().numpy()
    own, mask = inputs["input_ids"].numpy(), inputs["attention_mask"].numpy()
    embedded = table[own] * mask[:, :, None]
    expected = 0.3 * embedded + 0.7 * embedded[[1, 0]]
    given = mixed_inputs(model, inputs, PARTNERS, torch.tensor(0.3))
    np.testing.assert_allclose(given["inputs_embeds"].detach().numpy(), expected, atol=1e-6)
    assert given["attention_mask"].tolist() == [[1] * own.shape[1]] * 2
    assert "input_ids" not in given


def test_the_gradient_reaches_the_words_of_both_texts() -> None:
    model, inputs = drawn("bert"), _batch("bert")
    given = mixed_inputs(model, inputs, PARTNERS, torch.tensor(0.3))
    given["inputs_embeds"][0].sum().backward()
    slopes = model.get_input_embeddings().weight.grad
    words = inputs["input_ids"][inputs["attention_mask"] == 1].tolist()
    assert slopes.abs().sum(dim=1).nonzero().flatten().tolist() == sorted(words)


def test_what_a_teacher_said_is_mixed_by_the_same_shares() -> None:
    values = torch.arange(12.0).view(3, 2, 2)
    expected = 0.25 * values.numpy() + 0.75 * values.numpy()[[2, 0, 1]]
    np.testing.assert_allclose(mixed(values, torch.tensor([2, 0, 1]), torch.tensor(0.25)).numpy(), expected)


def test_shares_are_of_the_beta_distribution_and_partners_are_a_permutation() -> None:
    mixup = Mixup(MixupConfig(beta=0.4), seed=0)
    batches = [mixup.of(range(start, start + 8)) for start in range(0, 8000, 8)]
    assert kstest([float(batch["share"]) for batch in batches], "beta", args=(0.4, 0.4)).pvalue > 1e-3
    assert all(sorted(batch["partners"].tolist()) == [*range(8)] for batch in batches)
    assert len({tuple(batch["partners"].tolist()) for batch in batches}) > 900


def test_a_batch_is_mixed_the_same_again_and_otherwise_with_another_seed() -> None:
    first, again, other = (Mixup(MixupConfig(), seed).of([4, 8, 1]) for seed in (0, 0, 1))
    assert torch.equal(first["partners"], again["partners"])
    assert torch.equal(first["share"], again["share"])
    assert not torch.equal(first["share"], other["share"])


def test_a_text_alone_is_not_mixed() -> None:
    assert Mixup(MixupConfig(), 0).of([3]) == {}


@pytest.mark.parametrize("beta", [0, -1])
def test_beta_is_positive(beta: float) -> None:
    with pytest.raises(UserError, match="beta"):
        validated(MixupConfig, {"beta": beta}, "test")
