"""What a notebook shows of a record: every kind of record, with its pictures."""

import pkgutil
import subprocess
import sys
from importlib import import_module

import pytest

import tflite_squeeze
from tests.profiling.profile_records import operator_time, operator_times, profile_record
from tflite_squeeze.cli.notebook import TABLES, html_of
from tflite_squeeze.packing.record import PackRecord
from tflite_squeeze.tables.displayed import Displayed
from tflite_squeeze.techniques.pruning.config import Prune
from tflite_squeeze.techniques.pruning.record import PruneRecord
from tflite_squeeze.techniques.pruning.sensitivity.record import SensitivityRecord
from tflite_squeeze.training.config import FineTune
from tflite_squeeze.training.record import PrunedWeight, StepRecord

PNG = "data:image/png;base64,iVBORw0KGgo"  # the signature of PNG files


def _kinds_below(kind: type) -> set[type]:
    below = set(kind.__subclasses__())
    return below.union(*(_kinds_below(one) for one in below))


def _records_of_all_rooms() -> set[type]:
    for room in ("compress", "convert", "measure", "export", "report", "pipeline"):
        for module in pkgutil.iter_modules([f"{tflite_squeeze.__path__[0]}/{room}"]):
            if module.name.endswith("record") or room not in ("compress", "convert"):
                import_module(f"tflite_squeeze.{room}.{module.name}")
    return _kinds_below(Displayed)


def _pruned(**values) -> PruneRecord:
    weight = PrunedWeight(
        name="<b>/kernel", layer_type="Dense", parameters=40, zeros_before=0, zeros_after=30
    )
    sound = {
        "model": "net", "config": Prune(sparsity=0.75), "finetune": FineTune(epochs=2),
        "weights": (weight,), "skipped": (), "target": 0.75, "metric": "accuracy", "before": 0.9,
        "after": 0.89, "history": {"loss": [0.3, 0.2]}, "seconds": 1.0,
    }  # fmt: skip
    return PruneRecord(**{**sound, **values})


def test_every_kind_of_record_has_tables() -> None:
    ours = {kind for kind in _records_of_all_rooms() if kind.__module__.startswith("tflite_")}
    assert ours - {StepRecord} == set(TABLES)


def test_a_step_shows_its_tables_and_its_training() -> None:
    html = _pruned()._repr_html_()
    assert "75.00% zeros" in html
    assert "&lt;b&gt;/kernel" in html
    assert html.count(PNG) == 1


def test_a_step_without_training_shows_no_curve() -> None:
    assert PNG not in _pruned(history={})._repr_html_()


def test_a_profile_shows_where_the_time_goes() -> None:
    html = profile_record(operator_times(operator_time("CONV_2D", 0.6)))._repr_html_()
    assert "CONV_2D" in html
    assert 'alt="time of each operator"' in html
    assert html.count(PNG) == 1


def test_curves_of_sensitivity_are_drawn() -> None:
    record = SensitivityRecord(
        model="net", sha256="0", metric="accuracy", whole=0.9, granularity="element", samples=5,
        data="data.npz", sizes={"a/kernel": 48}, points={"a/kernel": ((0.5, 0.9), (0.9, 0.7))},
        complete=True,
    )  # fmt: skip
    assert record._repr_html_().count(PNG) == 1


def test_a_packing_is_a_table() -> None:
    record = PackRecord(
        raw_bytes=100, download_bytes=80, xz_bytes=78, packed_bytes=60, entropy_bytes=70
    )
    assert "60.0%" in record._repr_html_()
    assert PNG not in record._repr_html_()


def test_a_record_without_tables_is_a_mistake_that_is_told() -> None:
    class Unknown(Displayed):
        pass

    with pytest.raises(TypeError, match="Unknown has no tables"):
        html_of(Unknown())


def test_importing_the_package_loads_no_report() -> None:
    code = (
        "import sys, tflite_squeeze;"
        "sys.exit(any(name.startswith('tflite_squeeze.cli') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
