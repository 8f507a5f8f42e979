"""An ONNX file that answers as the model it was made of does."""

from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from distiller.errors import UserError

SLOW_FUSIONS = ["SkipLayerNormFusion"]
"""Of ONNX Runtime: what it makes of an addition and a layer norm takes longer than both do (1.32, on a CPU)."""


class OnnxModel(torch.nn.Module):
    """A model in ONNX Runtime, on CPU, with as many threads as torch has.

    Args:
        file: The model.
        config: Of the transformers model that it was made of; None if nobody asks for it.

    Raises:
        UserError: If ONNX Runtime is not there, or cannot run the file.
    """

    device = torch.device("cpu")

    def __init__(self, file: Path, config: Any = None) -> None:
        super().__init__()
        self.config = config
        runtime = imported("onnxruntime")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 3
        try:
            self._session = runtime.InferenceSession(
                file, options, providers=["CPUExecutionProvider"], disabled_optimizers=SLOW_FUSIONS
            )
        except Exception as error:  # its exceptions have no common type
            raise UserError(str(file), f"ONNX Runtime {runtime.__version__} cannot run it: {error}") from error
        self.inputs = [given.name for given in self._session.get_inputs()]
        self._outputs = [given.name for given in self._session.get_outputs()]

    def forward(self, **inputs: Tensor) -> Any:
        """What transformers gives, by the same names; arguments that the file has no input for change nothing."""
        found = self._session.run(None, {name: inputs[name].numpy() for name in self.inputs})
        return SimpleNamespace(
            **{name: torch.from_numpy(output) for name, output in zip(self._outputs, found, strict=True)}
        )


def imported(package: str) -> Any:
    """A package that only export needs.

    Raises:
        UserError: If it is not there.
    """
    try:
        return import_module(package)
    except ImportError as error:
        name = package.split(".")[0]
        raise UserError("export", f"{name} is not installed; pip install 'distiller[export]'") from error
