"""A model that is fine-tuned already, and how it answers the data of a pipeline."""

from dataclasses import dataclass

from transformers import PreTrainedModel

from distiller import data, models, tasks
from distiller.data import Dataset, Examples
from distiller.pipeline import Pipeline
from distiller.tasks import Predictions, Task
from distiller.training.evaluation import judged, settle
from distiller.training.examples import Encoded, Reader, encode
from distiller.training.plan import classes_of, read_by


@dataclass(frozen=True)
class Examinee:
    """A model, and how it reads and is judged.

    Attributes:
        name: What the user calls it.
        model: In float32, on CPU, with what is settled of it in its config.
        task: What it predicts.
        reader: How it reads texts.
        classes: In the order of its logits; None where there are none.
    """

    name: str
    model: PreTrainedModel
    task: Task
    reader: Reader
    classes: list[str] | None

    def read(self, examples: Examples) -> Encoded:
        """Examples as it reads them."""
        return encode([examples], self.classes, self.task, self.reader)

    def answers(self, read: Encoded) -> Predictions:
        """What it says of what it has read.

        Raises:
            UserError: If that is not finite.
        """
        return judged(self.model, read, self.task, self.name)


def examinee(pipeline: Pipeline, model: str) -> tuple[Examinee, Dataset]:
    """A model (asset:NAME, path or hub id), and the data of a pipeline that it is to be judged on.

    Raises:
        UserError: If the model or the data is not usable.
    """
    task = tasks.build(pipeline.task)
    _, reader = read_by(model, model, pipeline, task)
    loaded = models.load_classifier(model, {}, model, pipeline.seed, task.head_kind)
    dataset = data.load(pipeline.data.replace(unlabelled=None), task.label_kind, pipeline.seed)
    found = Examinee(model, loaded, task, reader, classes_of(task, loaded.config, dataset.classes, model))
    if task.is_settled and task.threshold(loaded.config) is None:  # for this call alone
        settle(loaded, found.read(dataset.validation), task, model)
    return found, dataset
