"""Reference models in int8 through TFLM and the export, and what the benchmark recorded of all."""

import json
import re
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.microcontrollers.export.micro_build import ARM, CORTEX_M, compiled, need, section_sizes
from tflite_squeeze import Convert, convert
from tflite_squeeze.files.files import write_folder
from tflite_squeeze.microcontrollers import ExportMicro, export_micro, profile_micro

# On one worker, which makes what they share once.
pytestmark = [pytest.mark.xdist_group("integration-micro"), pytest.mark.slow]

RECORDED = REPOSITORY / "tools" / "benchmarks" / "micro.json"


@pytest.fixture(scope="module", params=["watch_lstm:watch", "resnet_8:fashion-mnist"])
def int8(request: pytest.FixtureRequest, models: Path, samples: Path) -> bytes:
    """A reference model's int8 file, inputs and outputs integer too."""
    name, data = request.param.split(":")
    config = Convert(quantize="int8", io_dtype="int8")
    return convert(
        models / f"{name}.keras", config, samples / f"{data}.npz", verification=None
    ).tflite


def test_a_reference_model_runs_and_its_code_compiles(int8: bytes, tmp_path: Path) -> None:
    need(ARM)
    record = profile_micro(int8)
    (output,) = record.outputs
    assert output.dtype == "int8"
    assert output.agreement is None or output.agreement >= 0.9
    exported = export_micro(int8, ExportMicro(name="reference"))
    declared, smallest = exported.record.arena_bytes, record.arena.smallest_bytes
    assert 0.95 * declared <= smallest <= declared
    write_folder(tmp_path / "code", exported.files, force=False)
    for options in CORTEX_M.values():
        objects = compiled(tmp_path / "code", prefix=ARM, options=options)
        sizes = {path.name: section_sizes(path) for path in objects}
        assert sizes["reference_data.c.o"][".rodata.reference_data"] == len(int8)
        assert sum(sizes["reference.cc.o"].values()) < 1.1 * declared + 4096


def test_the_benchmark_holds_every_reference_model_within_5_percent(models: Path) -> None:
    names = {
        entry["name"] for entry in json.loads((models / "manifest.json").read_text())["models"]
    }
    rows = json.loads(RECORDED.read_text())
    assert {row["model"] for row in rows} == names
    page = (REPOSITORY / "docs" / "measured" / "micro.md").read_text()
    for row in rows:
        assert (
            0.95 * row["header_arena_bytes"] <= row["smallest_bytes"] <= row["header_arena_bytes"]
        )
        cells = rf"\| {row['model']} \| {row['file_bytes']:,} \| {row['header_arena_bytes']:,} \|"
        assert re.search(cells, page), row["model"]
