"""The folder of a run that was killed before it could say that it is one."""

from pathlib import Path

import pytest

from tflite_squeeze.errors import OutputError
from tflite_squeeze.recipes.folder import RunFolder, RunState

FRESH = RunState(recipe="r", model="m", data="d")


def opened(folder: Path, **how: bool) -> RunFolder:
    given = {"resume": False, "force": False, **how}
    return RunFolder(folder, FRESH, names=["net.tflite"], inputs=[], **given)


@pytest.mark.parametrize("how", ["resume", "force"])
def test_a_first_state_that_was_never_whole_is_swept_away(tmp_path: Path, how: str) -> None:
    half = tmp_path / f"{FRESH.unfinished}half"
    half.write_bytes(b"{")
    with pytest.raises(OutputError, match="holds files"):
        opened(tmp_path)
    opened(tmp_path, **{how: True})
    assert [file.name for file in tmp_path.iterdir()] == ["state.json"]


@pytest.mark.parametrize("name", [".tflite-squeeze-abcd1234", "mine.txt"])
def test_what_no_run_wrote_stays(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(OutputError, match=r"no state\.json"):
        opened(tmp_path, resume=True)
    assert (tmp_path / name).exists()
