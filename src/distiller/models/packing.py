"""Linear layers of a model that learns no more, with their weights laid out as the processor multiplies them."""

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel


class PackedLinear(nn.Linear):
    """`torch.nn.Linear` in bfloat16 whose weights are kept in oneDNN's own order besides; it can be copied no more."""

    packed: Tensor

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name is the base class's
        if input.device.type != "cpu" or input.dtype is not torch.bfloat16:
            return super().forward(input)
        product: Tensor = torch.ops.mkldnn._linear_pointwise(input, self.packed, self.bias, "none", [], "")
        return product


@torch.no_grad()
def pack(model: PreTrainedModel) -> None:
    """Have a model in bfloat16 multiply faster on a CPU, with the same result to the last bit.

    oneDNN brings the weights of a layer into an order of its own before it multiplies; they are kept in that order, so
    that it happens once and not at each product. Weights that change later are not seen, and nothing is learned.
    """
    if not (torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()):
        return
    for layer in model.modules():
        if type(layer) is nn.Linear and layer.weight.dtype is torch.bfloat16 and layer.weight.device.type == "cpu":
            packed = torch.ops.mkldnn._reorder_linear_weight(layer.weight, None)
            layer.__class__ = PackedLinear  # it stays where it is in the model, under its name
            layer.packed = packed
