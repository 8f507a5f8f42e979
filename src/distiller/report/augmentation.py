"""What augmentation does to texts, as a table with the words that differ marked, and as JSON."""

from collections.abc import Sequence
from difflib import SequenceMatcher
from pathlib import Path

from rich.console import Group
from rich.table import Table
from rich.text import Text

from distiller.files import write_json
from distiller.training.preview import Changed, Saying

FILE = "augmentation.json"


def augmentation_table(texts: Sequence[Changed]) -> Group:
    """Two lines a text, before and after, each with the teacher's label; and how many labels and texts stayed."""
    table = Table("", "text", "teacher", "confidence")
    for text in texts:
        before, after = _marked(" | ".join(text.before), " | ".join(text.after))
        changed = text.said_after.confidence is not None and text.said_before.label != text.said_after.label
        table.add_row("before", before, Text(text.said_before.label), _confidence(text.said_before))
        label = Text(text.said_after.label, "red" if changed else "")
        table.add_row("after", after, label, _confidence(text.said_after), end_section=True)
    unchanged = sum(text.before == text.after for text in texts)
    same = sum(text.said_before.label == text.said_after.label for text in texts)
    classes = all(text.said_before.confidence is not None for text in texts)
    said = f"the teacher says the same of {same} of {len(texts)}; " if classes else ""
    return Group(table, Text(f"{said}{unchanged} of {len(texts)} texts came out as they were"))


def write_augmentation(texts: Sequence[Changed], folder: Path) -> None:
    """Write `folder`/augmentation.json."""
    write_json(folder / FILE, [text.as_dict() for text in texts])


def _marked(before: str, after: str) -> tuple[Text, Text]:
    """Both, with the words that the other has not in colours, and underlined where a terminal has none."""
    old, new = before.split(" "), after.split(" ")
    lost, come = Text(), Text()
    for kind, start, end, other_start, other_end in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        differs = kind != "equal"
        _append(lost, old[start:end], "red underline" if differs else "")
        _append(come, new[other_start:other_end], "green underline" if differs else "")
    return lost, come


def _append(text: Text, words: Sequence[str], style: str) -> None:
    for word in words:
        text.append(" " if len(text) > 0 else "")
        text.append(word, style)


def _confidence(saying: Saying) -> str:
    return "" if saying.confidence is None else f"{saying.confidence:.3f}"
