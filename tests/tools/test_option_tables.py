"""What `tools/option_tables.py` writes is up to date."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from tflite_squeeze.command_line.config_fields import FIELDS_FILE, described_fields

PRUNE = "tflite_squeeze.techniques.pruning.config:Prune"


@pytest.fixture(scope="module")
def tool() -> Any:
    path = Path(__file__).parents[2] / "tools" / "option_tables.py"
    spec = importlib.util.spec_from_file_location("option_tables", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_file_is_up_to_date(tool: Any) -> None:
    old = [str(path) for path, text in tool.written_files().items() if path.read_text() != text]
    assert old == [], "run python tools/option_tables.py"


def test_the_fields_are_those_of_the_configs() -> None:
    assert json.loads(FIELDS_FILE.read_bytes())[PRUNE] == described_fields(PRUNE)


def test_a_page_that_is_out_of_date_is_found(
    tool: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "docs" / "guides" / "prune.md"
    page.parent.mkdir(parents=True)
    page.write_text(
        f"before\n<!-- options: {PRUNE.removeprefix('tflite_squeeze.')} -->\nold\n"
        "<!-- end of options -->\nafter\n"
    )
    monkeypatch.setattr(tool, "ROOT", tmp_path)
    text = tool.written_files()[page]
    assert "| `grow` | `--grow` | `false` | Let zeroed weights return while the schedule" in text
    assert "| `seed` |  | `0` | Seed of the random score. |" in text
    assert text.startswith("before\n<!--")
    assert text.endswith("<!-- end of options -->\nafter\n")
    assert "\nold\n" not in text
