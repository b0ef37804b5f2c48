"""tools/kills.py notices damage, changed inputs and other bytes."""

import runpy
from pathlib import Path

from tests.tiny_models import LIBRARIES, dense

TOOL = runpy.run_path(str(Path(__file__).parents[2] / "tools" / "kills.py"))


def test_damage_is_noticed(tmp_path: Path) -> None:
    dense(LIBRARIES["keras"]).save(tmp_path / "net.keras")
    whole = {"net.keras": (tmp_path / "net.keras").read_bytes(), "net.json": b"{}"}
    damaged = TOOL["damaged"]
    assert damaged(whole, whole) == []
    assert damaged({**whole, ".tflite-squeeze-abc": b""}, whole) == []
    assert damaged(whole, ["net.keras"]) == ["net.json is left over"]
    half = {"net.keras": whole["net.keras"][:-50], "n.json": b"{", "n.tflite": b"", "n.sqz": b"no"}
    found = damaged({**half, "n.md": b""}, [*half, "n.md"])
    assert [line.split(" does not load")[0] for line in found] == [*half, "n.md"]


def test_changed_inputs_and_other_bytes_are_noticed(tmp_path: Path) -> None:
    killer = object.__new__(TOOL["Killer"])
    killer.before = {"net.keras": b"as it was"}
    (tmp_path / "temporary").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "net.keras").write_bytes(b"changed")
    (tmp_path / "stray.txt").write_bytes(b"")
    (tmp_path / "out" / "a.sqz").write_bytes(b"other")
    kind = TOOL["Kind"]("convert", whole={"a.sqz": b"whole"})
    killer.check(kind, tmp_path)
    assert kind.wrong[0] == "the input net.keras was changed"
    assert kind.wrong[1].startswith("a.sqz does not load")
    assert kind.wrong[2:] == [
        "a.sqz differs from that of the undisturbed run",
        "stray.txt is left beside the inputs",
    ]
