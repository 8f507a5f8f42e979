"""The Hugging Face hub's client."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from huggingface_hub.utils import logging as hub_logging


@contextmanager
def quiet_hub() -> Iterator[None]:
    """Keep the client from telling each of its attempts: that all have failed is said in one line."""
    before = hub_logging.get_verbosity()
    hub_logging.set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        hub_logging.set_verbosity(before)
