"""The Hugging Face hub's client."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from huggingface_hub import constants, get_session, try_to_load_from_cache
from huggingface_hub.utils import logging as hub_logging

TIMEOUT_SECONDS = 3
FIRST_REFUSAL = 400
WEIGHTS = "model.safetensors"


def why_not_reachable() -> str | None:
    """Why the hub does not answer, in a word; None if it does."""
    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE"
    try:
        status = get_session().head(constants.ENDPOINT, timeout=TIMEOUT_SECONDS).status_code
    except Exception as error:
        return type(error).__name__
    return None if status < FIRST_REFUSAL else f"it answers {status}"


def is_at_hand(model: str) -> bool:
    """Whether a model of the hub is in the hub's cache on this machine, or the hub answers."""
    return isinstance(try_to_load_from_cache(model, WEIGHTS), str) or why_not_reachable() is None


@contextmanager
def quiet_hub() -> Iterator[None]:
    """Keep the client from telling each of its attempts: that all have failed is said in one line."""
    before = hub_logging.get_verbosity()
    hub_logging.set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        hub_logging.set_verbosity(before)
