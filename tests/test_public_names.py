"""Public names: what the package offers, how little importing it loads, and what has moved."""

import subprocess
import sys
import warnings
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import tflite_squeeze
from tests.conftest import REPOSITORY
from tests.public_names import SUBMODULES, names_of
from tflite_squeeze.moved import MOVED

# What version 0.1 offered at the top.
OLD_NAMES = [
    "Binarize", "CheckFailed", "Cluster", "ClusteringCallback", "Compare", "Constant",
    "Convert", "Converted", "Data", "Distill", "Distiller", "EthosUProfile", "Exponential",
    "ExportAndroid", "ExportMicro", "Factorize", "FactorizedConv2D", "FactorizedDense",
    "FineTune", "Hint", "L0", "LayerQuantizers", "Limits", "MicroProfile", "Narrow",
    "OneCycle", "Polynomial", "Preprocessing", "Profile", "Prunable", "Prune",
    "PruningCallback", "Quantization", "Recipe", "Report", "Result", "ScoringData",
    "SqueezeError", "Step", "Stepwise", "Verify", "__version__", "binarize", "cluster",
    "compare", "convert", "distill", "export_android", "export_micro", "factorize",
    "flip_ratio_callback", "inspect", "l0_prune", "load_data", "load_model", "load_recipe",
    "merge", "narrow", "pack", "pack_record", "profile", "profile_ethos_u", "profile_micro",
    "prune", "sensitivity", "size_ledger", "squeeze", "strip", "unfold", "unpack", "verify",
]  # fmt: skip


def _python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_about_thirty_names_and_the_public_modules_at_the_top() -> None:
    names = set(names_of("tflite_squeeze"))
    assert len(names) == 52
    assert set(dir(tflite_squeeze)) == names | set(SUBMODULES) | {"__version__"}
    assert set(tflite_squeeze.__all__) == set(dir(tflite_squeeze))


@pytest.mark.parametrize("module", ["", *SUBMODULES])
def test_every_public_name_loads_without_a_warning(module: str) -> None:
    path = f"tflite_squeeze.{module}".rstrip(".")
    names = names_of(path)
    assert names
    for name in names:
        assert getattr(import_module(path), name).__module__.startswith("tflite_squeeze.")


@pytest.mark.parametrize("name", OLD_NAMES)
def test_every_name_of_version_0_1_still_loads(name: str) -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        found = getattr(tflite_squeeze, name)
    place = next((module for module, names in MOVED.items() if name in names), None)
    if place is None:
        assert told == []
        return
    assert found is getattr(import_module(f"tflite_squeeze.{place}"), name)
    (warning,) = told
    assert warning.category is DeprecationWarning
    assert f"tflite_squeeze.{name} is now tflite_squeeze.{place}.{name};" in str(warning.message)
    assert warning.filename == __file__


def test_a_moved_name_warns_where_it_is_imported() -> None:
    with pytest.warns(
        DeprecationWarning, match=r"is now tflite_squeeze\.schedules\.Constant"
    ) as told:
        from tflite_squeeze import Constant  # noqa: F401
    assert told[0].filename == __file__


def test_only_names_that_were_at_the_top_have_moved() -> None:
    moved = [name for names in MOVED.values() for name in names]
    assert sorted(moved) == sorted(set(OLD_NAMES) - set(dir(tflite_squeeze)))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'tflite_squeeze' has no attribute 'prnue'"):
        tflite_squeeze.prnue  # noqa: B018


def test_submodules_keep_their_own_names() -> None:
    """No verb at the top hides a package: `convert` is a function, `conversion` the package."""
    modules = {path.stem for path in Path(tflite_squeeze.__file__).parent.iterdir()}
    assert not modules & set(names_of("tflite_squeeze"))
    assert isinstance(import_module("tflite_squeeze.conversion.convert"), ModuleType)


@pytest.mark.parametrize("module", ["tflite_squeeze", "tflite_squeeze.records"])
def test_importing_loads_no_tensorflow(module: str) -> None:
    done = _python(
        f"import sys, {module}\n"
        "heavy = {'tensorflow', 'keras', 'tf_keras', 'larq', 'matplotlib'}\n"
        "sys.exit(', '.join(sorted(heavy & set(sys.modules))) or None)\n"
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
def test_type_checkers_see_the_public_names(tmp_path: Path) -> None:
    program = """import tflite_squeeze as ts
reveal_type(ts.pack)
reveal_type(ts.schedules.Constant())
ts.sparsify
from tflite_squeeze.data import Nothing
"""
    (tmp_path / "user.py").write_text(program)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", str(REPOSITORY / "pyproject.toml"),
         "user.py"],
        cwd=tmp_path, env={"MYPYPATH": str(REPOSITORY), "PATH": ""},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    seen = [line.partition(": ")[2] for line in done.stdout.splitlines()]
    assert seen[:-1] == [
        'note: Revealed type is "def (tflite: bytes) -> bytes"',
        'note: Revealed type is "tflite_squeeze.techniques.pruning.schedules.Constant"',
        'error: Module has no attribute "sparsify"  [attr-defined]',
        'error: Module "tflite_squeeze.data" has no attribute "Nothing"  [attr-defined]',
    ]
