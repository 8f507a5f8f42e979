"""Linear layers of a model that learns no more, with their weights laid out as the processor multiplies them."""

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel


def pack(model: PreTrainedModel) -> None:
    """Have a model in bfloat16 multiply faster on a CPU, by about a tenth, with the same result to the last bit.

    oneDNN brings the weights of a layer into an order of its own before it multiplies; they are kept in that order
    besides, so that it happens once and not at each product. Weights that change later are not seen.
    """
    if not (torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()):
        return
    for layer in model.modules():
        if type(layer) is nn.Linear and layer.weight.dtype is torch.bfloat16 and layer.weight.device.type == "cpu":
            weight = torch.ops.mkldnn._reorder_linear_weight(layer.weight.detach(), None)
            layer.forward = partial(_product, layer, weight)  # type: ignore[method-assign]


@torch.no_grad()
def _product(layer: nn.Linear, packed: Tensor, inputs: Tensor) -> Tensor:
    """[..., out_features] of inputs [..., in_features]."""
    if inputs.device.type != "cpu":
        return functional.linear(inputs, layer.weight, layer.bias)
    product: Tensor = torch.ops.mkldnn._linear_pointwise(inputs, packed, layer.bias, "none", [], "")
    return product
