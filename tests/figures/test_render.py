"""Drawing: equal data give equal bytes, in every format."""

import json
from pathlib import Path

from bfl_stpc.figures import render

SIDECARS = Path(__file__).parents[2] / "figures" / "paper"


def test_equal_data_give_equal_bytes_however_often_they_are_drawn(monkeypatch):
    """The solver of the layout gives this figure, with its watermark, one of two last bits, each about as often."""
    sidecar = json.loads((SIDECARS / "fig10_unnoticed.json").read_text())

    def drawn():
        return render.draw(sidecar["plot"], sidecar["data"], watermark="smoke")

    first = drawn()
    assert drawn() == first
    monkeypatch.setattr(render, "FORMATS", ("svg",))  # it shows a last bit, and costs least
    assert all(drawn() == {"svg": first["svg"]} for _ in range(6))
