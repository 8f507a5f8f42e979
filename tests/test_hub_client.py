"""What can be had of the hub."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from huggingface_hub import close_session, constants

from distiller import hub

MODEL = "some/model"


def _keep(cache: Path) -> None:
    """The model's weights in a cache as the hub's own documentation describes it."""
    repository = cache / "models--some--model"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("abc")
    (repository / "snapshots" / "abc").mkdir(parents=True)
    (repository / "snapshots" / "abc" / "model.safetensors").write_text("")


class HubOfOneAnswer(BaseHTTPRequestHandler):
    """A hub, or a proxy before it, that answers with the status that its address ends in."""

    def do_HEAD(self) -> None:
        self.send_response(int(self.path.removeprefix("/")))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing of requests."""


@pytest.fixture
def address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Of such a hub, beside an empty cache."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    close_session()  # the next one heeds NO_PROXY
    server = HTTPServer(("127.0.0.1", 0), HubOfOneAnswer)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_without_the_network_a_model_is_at_hand_if_the_hubs_cache_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert hub.why_not_reachable() == "HF_HUB_OFFLINE"
    assert not hub.is_at_hand(MODEL)
    _keep(tmp_path)
    assert hub.is_at_hand(MODEL)


def test_a_hub_that_does_not_answer_is_not_at_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    assert hub.why_not_reachable() == "ConnectError"
    assert not hub.is_at_hand(MODEL)


def test_a_hub_that_answers_has_its_models_at_hand(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", f"{address}/200")
    assert hub.why_not_reachable() is None
    assert hub.is_at_hand(MODEL)


@pytest.mark.parametrize("status", [403, 404, 429, 500, 503])
def test_a_hub_that_refuses_has_nothing_at_hand_but_what_its_cache_has(
    address: str, status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", f"{address}/{status}")
    assert hub.why_not_reachable() == f"it answers {status}"
    assert not hub.is_at_hand(MODEL)
    _keep(tmp_path)
    assert hub.is_at_hand(MODEL)
