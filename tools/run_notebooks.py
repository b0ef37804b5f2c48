"""Executes notebooks from start to end and keeps their outputs.

python tools/run_notebooks.py                           # all, in place, with their full settings
python tools/run_notebooks.py 02 --set quick=True       # one, on its reduced settings
"""

import os
import re
import time
from pathlib import Path
from typing import Any

import click
import nbformat
import yaml
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
TIME_LIMIT_S = 1800
# What TensorFlow logs, with process and time, before anything can be set.
_STARTING = re.compile(
    r"^(WARNING: All log messages before absl|[IW]\d{4} \d\d:\d\d:\d).*\n?", re.M
)
_PICTURE = re.compile(r"[A-Za-z0-9+/=\\n]{200,}")  # in base64
_KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def with_parameters(notebook: Any, values: dict[str, Any]) -> Any:
    """Sets parameters as papermill does: in a cell behind the one tagged `parameters`.

    Args:
        notebook: what was read with nbformat; it is not changed.
        values: by name.

    Raises:
        ValueError: no cell has the tag, or it does not set one of the names.
    """
    copied = nbformat.from_dict(notebook)
    tagged = [n for n, cell in enumerate(copied.cells) if "parameters" in tags_of(cell)]
    if len(tagged) != 1:
        raise ValueError(f"{len(tagged)} cells are tagged 'parameters': tag one")
    declared = copied.cells[tagged[0]].source
    for name in values:
        if f"{name} =" not in declared:
            raise ValueError(f"the cell tagged 'parameters' does not set {name!r}")
    source = "\n".join(f"{name} = {value!r}" for name, value in values.items())
    given = nbformat.v4.new_code_cell(source, metadata={"tags": ["injected-parameters"]})
    copied.cells.insert(tagged[0] + 1, given)
    return copied


def without_parameters(notebook: Any) -> Any:
    """The notebook without cells that an earlier run put in to set parameters."""
    copied = nbformat.from_dict(notebook)
    copied.cells = [cell for cell in copied.cells if "injected-parameters" not in tags_of(cell)]
    return copied


def tags_of(cell: Any) -> list[str]:
    """The tags of a cell."""
    return list(cell.metadata.get("tags", []))


def executed(notebook: Any, folder: Path) -> Any:
    """Runs a notebook as Jupyter would for a user who opens it in a folder.

    Args:
        notebook: what was read with nbformat; it is not changed.
        folder: the kernel's working folder.

    Returns:
        The notebook with its outputs.

    Raises:
        CellExecutionError: a cell raised.
    """
    copied = nbformat.from_dict(notebook)
    # Each notebook says itself which Keras it needs behind tf.keras.
    environment = {k: v for k, v in os.environ.items() if k != "TF_USE_LEGACY_KERAS"}
    client = NotebookClient(
        copied,
        timeout=TIME_LIMIT_S,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
    )
    client.execute(env=environment)
    return copied


def cleaned(notebook: Any) -> Any:
    """The notebook without what changes from run to run and nobody reads: times of cells, ids."""
    copied = nbformat.from_dict(notebook)
    copied.metadata = nbformat.from_dict(
        {"kernelspec": _KERNEL, "language_info": {"name": "python"}}
    )
    for number, cell in enumerate(copied.cells):
        cell.id = f"cell-{number:02d}"
        cell.metadata.pop("execution", None)
        if "outputs" in cell:
            cell.outputs = [one for one in map(_without_start, cell.outputs) if one is not None]
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if "text/html" in data or "image/png" in data:
                # The repr of a whole record is longer than its tables and says no more.
                data.pop("text/plain", None)
    return copied


def _without_start(output: Any) -> Any:
    """An output without TensorFlow's first lines; None where nothing is left."""
    if output.get("name") != "stderr":
        return output
    output.text = _STARTING.sub("", output.text)
    return output if output.text.strip() else None


def noise_in(notebook: Any) -> list[str]:
    """What a notebook must not be kept with: warnings, tracebacks, paths of this machine."""
    found = []
    for number, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                found.append(f"cell {number} raised {output.ename}")
            if output.get("name") == "stderr" or "WARNING:" in output.get("text", ""):
                found.append(f"cell {number} warns: {output.text[:200]}")
            text = _PICTURE.sub("", str(output))
            places = (str(NOTEBOOKS.parent), "/home/", "/root/", "/tmp/")
            # The repository may itself be below another: its path is not told twice.
            if place := next((place for place in places if place in text), None):
                found.append(f"cell {number} shows the path {place}")
    return found


@click.command()
@click.argument("names", nargs=-1)
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A parameter.")
def main(names: tuple[str, ...], settings: tuple[str, ...]) -> None:
    """Executes the notebooks whose names begin with NAMES (all without any), in place.

    With `--set` they are executed and not written: what is kept has the full settings.
    """
    values = {k: yaml.safe_load(v) for k, _, v in (one.partition("=") for one in settings)}
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        if names and not path.name.startswith(names):
            continue
        started = time.perf_counter()
        notebook = without_parameters(nbformat.read(path, as_version=4))
        if values:
            notebook = with_parameters(notebook, values)
        done = cleaned(executed(notebook, NOTEBOOKS))
        noise = noise_in(done)
        if noise:
            raise click.ClickException(f"{path.name}: " + "; ".join(noise))
        if not values:
            nbformat.write(done, path)
        print(f"{path.name}: {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
