"""What a notebook shows of a record: every kind of record, with its pictures."""

import pkgutil
import subprocess
import sys
from importlib import import_module
from inspect import signature
from typing import ClassVar

import pytest

import tflite_squeeze
from tests.profiling.profile_records import operator_time, operator_times, profile_record
from tflite_squeeze.packing.record import PackRecord
from tflite_squeeze.tables.displayed import Displayed
from tflite_squeeze.tables.table import Table
from tflite_squeeze.techniques.pruning.config import Prune
from tflite_squeeze.techniques.pruning.record import PruneRecord
from tflite_squeeze.techniques.pruning.sensitivity.record import SensitivityRecord
from tflite_squeeze.training.config import FineTune
from tflite_squeeze.training.record import PrunedWeight, StepRecord

PNG = "data:image/png;base64,iVBORw0KGgo"  # the signature of PNG files


def _kinds_below(kind: type) -> set[type]:
    below = set(kind.__subclasses__())
    return below.union(*(_kinds_below(one) for one in below))


def _records() -> list[type[Displayed]]:
    """Every kind of record of the package, which are in modules named after what they hold."""
    for module in pkgutil.walk_packages(tflite_squeeze.__path__, "tflite_squeeze."):
        if module.name.endswith(("record", ".report", ".size", ".doctor")):
            import_module(module.name)
    ours = (kind for kind in _kinds_below(Displayed) if kind.__module__.startswith("tflite_"))
    return sorted(set(ours) - {StepRecord}, key=str)


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


@pytest.mark.parametrize("kind", _records())
def test_every_kind_of_record_names_what_draws_it(kind: type[Displayed]) -> None:
    record = kind.model_construct()
    paths = [("tables_by", kind.tables_by)]
    paths += [("pictures_by", path) for path in kind.pictures_by.values()]
    for attribute, path in paths:
        drawn = next(iter(signature(record._function(attribute, path)).parameters.values()))
        assert issubclass(kind, drawn.annotation)


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


def test_a_record_of_others_is_drawn_by_their_own_functions() -> None:
    shown = Counted(words=3)
    assert [table.title for table in shown.tables()] == ["3 words"]
    assert shown.pictures() == [("a dot", b"dot")]


class Counted(Displayed):
    tables_by = f".{__name__.rpartition('.')[2]}:counted_tables"
    pictures_by: ClassVar = {"a dot": f"{__name__}:a_dot", "nothing": f"{__name__}:no_picture"}
    words: int


def counted_tables(record: Counted) -> tuple[Table, ...]:
    return (Table(title=f"{record.words} words", columns=(), rows=()),)


def a_dot(_record: Counted) -> bytes:
    return b"dot"


def no_picture(_record: Counted) -> None:
    return None


def test_a_record_loads_nothing_that_draws() -> None:
    code = (
        "import sys, tflite_squeeze.techniques.pruning.record, tflite_squeeze.recipes.report;"
        "sys.exit(any(name.endswith('.plots') or name == 'matplotlib' for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
