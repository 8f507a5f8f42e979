"""What can be had of the hub."""

from pathlib import Path

import pytest
from huggingface_hub import constants

from distiller import hub

MODEL = "some/model"


def test_without_the_network_a_model_is_at_hand_if_the_hubs_cache_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cache as the hub's own documentation describes it."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert hub.why_not_reachable() == "HF_HUB_OFFLINE"
    assert not hub.is_at_hand(MODEL)
    repository = tmp_path / "models--some--model"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("abc")
    (repository / "snapshots" / "abc").mkdir(parents=True)
    (repository / "snapshots" / "abc" / "model.safetensors").write_text("")
    assert hub.is_at_hand(MODEL)


def test_a_hub_that_does_not_answer_is_not_at_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    assert hub.why_not_reachable() == "ConnectError"
    assert not hub.is_at_hand(MODEL)
