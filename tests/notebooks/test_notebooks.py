"""Each notebook runs from start to end on its reduced settings, and is kept with its outputs."""

import runpy
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError

from tflite_squeeze.errors import UsageError
from tflite_squeeze.foreign.torch.environments import find_torch

REPOSITORY = Path(__file__).resolve().parents[2]
TOOL = runpy.run_path(str(REPOSITORY / "tools" / "run_notebooks.py"))
PATHS = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))
# Before anything imports TensorFlow, for which notebooks set the environment themselves.
JOBS_HERE = f"""
import sys
sys.path.insert(0, {str(REPOSITORY)!r})
import pytest
from tests.children import do_jobs_here
do_jobs_here(pytest.MonkeyPatch())
"""

each = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)


def read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)


def notebook(*sources: str, outputs: Any = ()) -> Any:
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    cells[0].metadata["tags"] = ["parameters"]
    cells[-1].outputs = [nbformat.v4.new_output(**one) for one in outputs]
    return nbformat.v4.new_notebook(cells=cells)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder beside the models, where notebooks leave nothing in the repository."""
    (tmp_path / "models").symlink_to(REPOSITORY / "models")
    (tmp_path / "notebooks").mkdir()
    return tmp_path / "notebooks"


def test_there_are_twelve_in_order() -> None:
    assert [path.name[:3] for path in PATHS] == [f"{number:02}_" for number in range(1, 13)]


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # Jupyter's own
@each
def test_runs_from_start_to_end(path: Path, folder: Path) -> None:
    if path.stem.endswith("pytorch"):
        try:
            find_torch()
        except UsageError as error:
            pytest.skip(str(error))
    reduced = TOOL["with_parameters"](TOOL["without_parameters"](read(path)), {"quick": True})
    reduced.cells.insert(0, nbformat.v4.new_code_cell(JOBS_HERE))
    done = TOOL["cleaned"](TOOL["executed"](reduced, folder))
    assert TOOL["noise_in"](done) == []
    assert list(folder.iterdir()) == []


@each
def test_is_kept_with_its_outputs(path: Path) -> None:
    kept = read(path)
    code = [cell for cell in kept.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in code), "a cell was not executed"
    kinds = {kind for cell in code for one in cell.outputs for kind in one.get("data", {})}
    assert {"text/html", "image/png"} & kinds, "no table and no plot is kept"
    assert TOOL["noise_in"](kept) == []


@each
def test_teaches_with_a_title_formulas_and_papers(path: Path) -> None:
    kept = read(path)
    prose = "\n".join(cell.source for cell in kept.cells if cell.cell_type == "markdown")
    assert kept.cells[0].cell_type == "markdown"
    assert kept.cells[0].source.startswith(f"# {int(path.name[:2])}. ")
    assert "arXiv:" in prose or "doi:" in prose
    assert "$$" in prose or path.name.startswith("07")  # 7 chains what the others teach


@each
def test_declares_its_settings(path: Path) -> None:
    tagged = [cell for cell in read(path).cells if "parameters" in TOOL["tags_of"](cell)]
    assert [cell.source for cell in tagged] == ["quick = False"]


def test_the_index_names_each() -> None:
    for page in ("notebooks/README.md", "docs/notebooks.md"):
        text = (REPOSITORY / page).read_text()
        assert all(path.name in text for path in PATHS)


@pytest.mark.filterwarnings("default")
def test_a_notebook_that_raises_is_seen(folder: Path) -> None:
    with pytest.raises(CellExecutionError, match="seen"):
        TOOL["executed"](notebook("1 + 1", "raise KeyError('seen')"), folder)


@pytest.mark.filterwarnings("default")
def test_parameters_are_set_behind_their_cell_and_outputs_kept(folder: Path) -> None:
    plain = notebook("quick = False", "print('quick is', quick)")
    given = TOOL["with_parameters"](plain, {"quick": True})
    done = TOOL["executed"](given, folder)
    assert done.cells[-1].outputs[0].text == "quick is True\n"
    assert [cell.source for cell in TOOL["without_parameters"](done).cells] == [
        cell.source for cell in plain.cells
    ]


def test_a_parameter_that_is_not_declared_is_refused() -> None:
    with pytest.raises(ValueError, match="does not set 'fast'"):
        TOOL["with_parameters"](notebook("quick = False"), {"fast": True})
    with pytest.raises(ValueError, match="0 cells"):
        TOOL["with_parameters"](nbformat.v4.new_notebook(), {"quick": True})


@pytest.mark.parametrize(
    "output",
    [
        {"output_type": "error", "ename": "KeyError", "evalue": "'x'", "traceback": []},
        {"output_type": "stream", "name": "stderr", "text": "a warning\n"},
        {"output_type": "stream", "name": "stdout", "text": "WARNING:tensorflow:again\n"},
        {"output_type": "stream", "name": "stdout", "text": f"{REPOSITORY}/models\n"},
        {"output_type": "stream", "name": "stdout", "text": "/tmp/somewhere\n"},
    ],
    ids=["error", "stderr", "logged", "repository", "temporary"],
)
def test_noise_in_kept_outputs_is_seen(output: dict[str, Any]) -> None:
    assert len(TOOL["noise_in"](notebook("1", outputs=[output]))) == 1


def test_what_tensorflow_logs_at_its_start_is_dropped_and_the_rest_is_not() -> None:
    start = "I0000 00:00:1795788523.98    1750 port.cc:153] oneDNN operations are on.\n"
    stream = {"output_type": "stream", "name": "stderr", "text": start}
    assert TOOL["cleaned"](notebook("1", outputs=[stream])).cells[0].outputs == []
    stream["text"] += "a warning\n"
    (left,) = TOOL["cleaned"](notebook("1", outputs=[stream])).cells[0].outputs
    assert left.text == "a warning\n"


def test_pictures_are_not_read_as_paths() -> None:
    data = {"image/png": "A" * 300 + "/tmp/" + "B" * 300}
    output = {"output_type": "display_data", "data": data}
    assert TOOL["noise_in"](notebook("1", outputs=[output])) == []
