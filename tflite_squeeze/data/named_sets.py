"""The data sets that have a name: Fashion-MNIST, MNIST, and watch accelerometer windows."""

import gzip
import io
import os
import pickle
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.data.preprocessing import Preprocessing
from tflite_squeeze.errors import InputError

DEBIAN_FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")
FASHION_CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
WATCH_STEPS = 128
WATCH_STRIDE = 64
WATCH_TEST_PEOPLE = (8, 9, 10)

_PIXELS = Preprocessing(scale=1 / 255)
_IDX_FILES = {
    "x_train": "train-images-idx3-ubyte.gz",
    "y_train": "train-labels-idx1-ubyte.gz",
    "x_test": "t10k-images-idx3-ubyte.gz",
    "y_test": "t10k-labels-idx1-ubyte.gz",
}


@dataclass(frozen=True, kw_only=True)
class NamedSet:
    """A whole data set in memory, as it was published, with the settings that a model needs.

    Attributes:
        name: the name it goes by here.
        x_train: raw training examples.
        y_train: class ids of them, int64.
        x_test: raw test examples.
        y_test: class ids of them, int64.
        class_names: a name per class id.
        preprocessing: what the reference models were trained with.
        origin: where it comes from and under which licence.
        train_groups: who or what each training example belongs to (people), where that matters
            for a fair validation split.
    """

    name: str
    x_train: NDArray[Any]
    y_train: NDArray[Any]
    x_test: NDArray[Any]
    y_test: NDArray[Any]
    class_names: tuple[str, ...]
    preprocessing: Preprocessing
    origin: str
    train_groups: NDArray[Any] | None = None


def load_named_set(name: str) -> NamedSet:
    """Loads `fashion-mnist`, `mnist` or `watch` from where the system keeps it.

    Raises:
        InputError: there is no set of that name, or it is not on this machine.

    Example:
        >>> load_named_set("fashion-mnist").x_train.shape  # doctest: +SKIP
        (60000, 28, 28, 1)
    """
    if name not in NAMED_SETS:
        raise InputError(f"data set {name!r} is unknown: use one of {', '.join(NAMED_SETS)}")
    return NAMED_SETS[name]()


def keras_cache() -> Path:
    """The folder where keras.datasets keeps what it has downloaded."""
    home = os.environ.get("KERAS_HOME") or Path.home() / ".keras"
    return Path(home).expanduser() / "datasets"


def read_idx(path: Path) -> NDArray[Any]:
    """Reads a gzipped IDX file of unsigned bytes, the format of MNIST.

    Raises:
        InputError: the file is damaged or not of this kind.
    """
    try:
        content = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"cannot read {path} ({error}): install or download it again") from error
    rank = content[3] if len(content) > 3 else 0
    start = 4 + 4 * rank
    # A header cut short is padded, and then refused for the length of what follows it.
    sizes = content[4:start].ljust(4 * rank, b"\0")
    shape = tuple(int(size) for size in np.frombuffer(sizes, ">u4"))
    if content[:3] != b"\0\0\x08" or len(content) - start != int(np.prod(shape)):
        raise InputError(f"{path} is not an IDX file of bytes: install or download it again")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def _downloaded(name: str) -> str:
    """How Keras brings a data set into its cache."""
    return f'run `python -c "import keras; keras.datasets.{name}.load_data()"`'


def _fashion_mnist() -> NamedSet:
    folders = (DEBIAN_FASHION_MNIST, keras_cache() / "fashion-mnist")
    for folder in folders:
        if all((folder / file).is_file() for file in _IDX_FILES.values()):
            break
    else:
        raise InputError(
            f"data set 'fashion-mnist' is in none of {', '.join(map(str, folders))}: "
            f"{_downloaded('fashion_mnist')}, or use models/samples/fashion-mnist.npz"
        )
    arrays = {key: read_idx(folder / file) for key, file in _IDX_FILES.items()}
    return _images(
        "fashion-mnist", arrays, FASHION_CLASSES, "Zalando Research, Fashion-MNIST; MIT licence"
    )


def _mnist() -> NamedSet:
    path = keras_cache() / "mnist.npz"
    if not path.is_file():
        raise InputError(
            f"data set 'mnist' is not at {path}: {_downloaded('mnist')}, or use "
            f"models/samples/mnist.npz"
        )
    try:
        with path.open("rb") as file:
            loaded = np.load(file, allow_pickle=False)
            arrays = {key: loaded[key] for key in _IDX_FILES}
    except (OSError, ValueError, LookupError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise InputError(
            f"{path} is damaged ({error}): delete it, and {_downloaded('mnist')}"
        ) from error
    digits = tuple(str(digit) for digit in range(10))
    origin = "Y. LeCun, C. Cortes and C. J. C. Burges, MNIST; CC BY-SA 3.0 licence"
    return _images("mnist", arrays, digits, origin)


def _images(
    name: str, arrays: dict[str, NDArray[Any]], classes: tuple[str, ...], origin: str
) -> NamedSet:
    return NamedSet(
        name=name,
        x_train=arrays["x_train"][..., np.newaxis],
        y_train=arrays["y_train"].astype(np.int64),
        x_test=arrays["x_test"][..., np.newaxis],
        y_test=arrays["y_test"].astype(np.int64),
        class_names=classes,
        preprocessing=_PIXELS,
        origin=origin,
    )


class _NumpyUnpickler(pickle.Unpickler):
    """Unpickles arrays and nothing else, since a pickle can otherwise run any code."""

    _ALLOWED = frozenset({"_reconstruct", "ndarray", "dtype", "scalar", "encode"})

    def find_class(self, module: str, name: str) -> Any:
        if name in self._ALLOWED and module.split(".")[0] in ("numpy", "_codecs"):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} is not allowed")


def read_watch_recordings(path: Path) -> dict[str, Any]:
    """Reads seglearn's watch_dataset.npy: X, y, subject, side, X_labels, y_labels.

    Raises:
        InputError: the file is damaged or holds more than arrays.
    """
    content = io.BytesIO(path.read_bytes())
    try:
        np.lib.format.read_magic(content)  # type: ignore[no-untyped-call]
        np.lib.format.read_array_header_1_0(content)  # type: ignore[no-untyped-call]
        return dict(_NumpyUnpickler(content).load().item())
    except (ValueError, EOFError, AttributeError, TypeError, pickle.UnpicklingError) as error:
        raise InputError(f"cannot read {path} ({error}): install seglearn==1.2.5 again") from error


def windows(series: NDArray[Any], steps: int, stride: int) -> NDArray[Any]:
    """Cuts a recording into overlapping windows.

    Args:
        series: shape (time, channels).
        steps: length of a window.
        stride: steps between the starts of two windows.

    Returns:
        Shape (windows, steps, channels); what is left at the end is dropped.
    """
    starts = range(0, len(series) - steps + 1, stride)
    if not starts:
        return np.empty((0, steps, series.shape[1]), np.float32)
    return np.asarray([series[start : start + steps] for start in starts], np.float32)


def _watch() -> NamedSet:
    try:
        installed = metadata.distribution("seglearn")
    except metadata.PackageNotFoundError as error:
        raise InputError(
            "data set 'watch' is in the seglearn wheel, which is not installed: run "
            "`pip install --no-deps seglearn==1.2.5`, or use models/samples/watch.npz"
        ) from error
    recordings = read_watch_recordings(
        Path(str(installed.locate_file("seglearn/data/watch_dataset.npy")))
    )
    cut = [windows(series, WATCH_STEPS, WATCH_STRIDE) for series in recordings["X"]]
    counts = [len(part) for part in cut]
    x = np.concatenate(cut)
    y = np.repeat(np.asarray(recordings["y"], np.int64), counts)
    people = np.repeat(np.asarray(recordings["subject"], np.int64), counts)
    test = np.isin(people, WATCH_TEST_PEOPLE)
    # Six digits are more than the sensor has, and readable in a report.
    mean = tuple(float(f"{value:.6g}") for value in x[~test].mean((0, 1), dtype=np.float64))
    std = tuple(float(f"{value:.6g}") for value in x[~test].std((0, 1), dtype=np.float64))
    return NamedSet(
        name="watch",
        x_train=x[~test],
        y_train=y[~test],
        x_test=x[test],
        y_test=y[test],
        class_names=tuple(recordings["y_labels"]),
        preprocessing=Preprocessing(mean=mean, std=std),
        origin="D. M. Burns et al. 2018, arXiv:1802.01489, from seglearn 1.2.5; BSD licence",
        train_groups=people[~test],
    )


NAMED_SETS: dict[str, Callable[[], NamedSet]] = {
    "fashion-mnist": _fashion_mnist,
    "mnist": _mnist,
    "watch": _watch,
}
