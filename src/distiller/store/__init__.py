"""Teacher outputs, computed once per distinct input and kept on disk for all runs."""

from distiller.store.choice import Choice, Need, choose
from distiller.store.column import Column
from distiller.store.config import StoreConfig
from distiller.store.form import as_features, restored_layers, restored_logits
from distiller.store.frozen import FrozenTeacher, Question
from distiller.store.outputs import TeacherOutputs, store_folder

__all__ = [
    "Choice",
    "Column",
    "FrozenTeacher",
    "Need",
    "Question",
    "StoreConfig",
    "TeacherOutputs",
    "as_features",
    "choose",
    "restored_layers",
    "restored_logits",
    "store_folder",
]
