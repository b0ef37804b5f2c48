"""Folders of images by class: listed at once, read and decoded one by one."""

from pathlib import Path
from typing import Any, Literal

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tflite_squeeze.data.raw_data import PART_NAMES, RawData, RawPart, assemble
from tflite_squeeze.errors import InputError

_MOST_VALUES = 2**26  # of an image: 4,700 pixels square, in colour
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif")
_SHUFFLE_SEED = 0


def read_image_folder(root: Path) -> RawData:
    """Opens `root/<class>/*.png` or `root/{train,test,val,validation}/<class>/*.png`.

    A folder with images directly in it is read as examples without labels. The files are put
    into one fixed random order, since by name they would come class by class.

    Args:
        root: the folder; .png, .jpg, .jpeg, .bmp and .gif files count.

    Raises:
        InputError: there are no images, or a part has a class that the training part lacks.
    """
    folders = {child.name: child for child in _subfolders(root) if child.name in PART_NAMES}
    roots = folders or {"train": root}
    classes = _class_names(roots.get("train") or next(iter(roots.values())))
    parts = {name: _part(folder, classes, root) for name, folder in roots.items()}
    notes = ["images are read in one fixed random order"]
    if not classes:
        notes.append("images are not in class folders: there are no labels")
    return assemble(
        str(root), parts, class_names=classes, images=frozenset({"x"}), notes=tuple(notes)
    )


def holds_images(root: Path) -> bool:
    """Whether a folder looks like one of images, up to part and class folders down."""
    patterns = ("*", "*/*", "*/*/*")
    return any(_is_image(path) for pattern in patterns for path in root.glob(pattern))


def decode_image(
    content: tf.Tensor,
    color: Literal["grayscale", "rgb"] | None,
    size: tuple[int, int] | None,
) -> tf.Tensor:
    """Decodes one PNG, JPEG, BMP or GIF (its first frame), inside a tf.data pipeline.

    Args:
        content: scalar, the bytes of the file.
        color: what its channels become; None leaves them, alpha included.
        size: (height, width) it is resized to, bilinearly, as Keras's own loader does.

    Returns:
        Shape (height, width, channels) from 0 to 255: uint8, or float32 when resized.
    """
    image = tf.io.decode_image(content, channels=0, expand_animations=False)
    image.set_shape((None, None, None))
    with tf.control_dependencies([_assert_fits(image)]):
        image = tf.identity(image)
    if color is not None:
        image = _recolored(image, color)
    return image if size is None else tf.image.resize(image, size)


def _assert_fits(image: tf.Tensor) -> tf.Operation:
    """A few kilobytes can say that they are gigabytes of one colour."""
    size = tf.size(image)
    return tf.debugging.assert_less_equal(size, _MOST_VALUES, "the image is too large")


def _recolored(image: tf.Tensor, color: Literal["grayscale", "rgb"]) -> tf.Tensor:
    """Alpha goes; one channel is repeated for rgb; three become luma for grayscale."""
    colored = tf.shape(image)[-1] >= 3
    if color == "rgb":
        image = tf.cond(
            colored, lambda: image[..., :3], lambda: tf.repeat(image[..., :1], 3, axis=-1)
        )
        image.set_shape((None, None, 3))
        return image
    image = tf.cond(
        colored, lambda: tf.image.rgb_to_grayscale(image[..., :3]), lambda: image[..., :1]
    )
    image.set_shape((None, None, 1))
    return image


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")


def _subfolders(folder: Path) -> list[Path]:
    children = sorted(folder.iterdir())
    return [child for child in children if child.is_dir() and not child.name.startswith(".")]


def _class_names(folder: Path) -> tuple[str, ...]:
    return tuple(child.name for child in _subfolders(folder))


def _part(folder: Path, classes: tuple[str, ...], root: Path) -> RawPart:
    """One part, as paths and labels in memory and images on disk."""
    unknown = [name for name in _class_names(folder) if name not in classes]
    if unknown:
        raise InputError(
            f"image folder {root}: {folder.name!r} has the class {unknown[0]!r}, which the "
            f"training part lacks: use the same class folders in every part"
        )
    paths, labels = [], []
    for index, name in enumerate(classes or ("",)):
        found = sorted(str(path) for path in (folder / name).glob("*") if _is_image(path))
        if not found and name and (folder / name).is_dir():
            raise InputError(
                f"image folder {folder / name} holds no image: add {', '.join(IMAGE_SUFFIXES)} "
                f"files, or remove the folder"
            )
        paths += found
        labels += [index] * len(found)
    if not paths:
        raise InputError(
            f"image folder {folder} holds no image: put {', '.join(IMAGE_SUFFIXES)} files into "
            f"one folder per class"
        )
    order = np.random.default_rng(_SHUFFLE_SEED).permutation(len(paths))
    return _lazy_part(np.array(paths)[order], np.array(labels, np.int64)[order], bool(classes))


@tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]
def _read_image(path: tf.Tensor) -> dict[str, tf.Tensor]:
    return {"x": tf.io.read_file(path)}


def _lazy_part(paths: NDArray[Any], labels: NDArray[Any], labelled: bool) -> RawPart:
    def pick(positions: NDArray[Any]) -> tf.data.Dataset:
        names = tf.data.Dataset.from_tensor_slices(paths[positions])
        files = names.map(_read_image)
        if not labelled:
            return files
        return tf.data.Dataset.zip(files, tf.data.Dataset.from_tensor_slices(labels[positions]))

    return RawPart(
        dataset=pick(np.arange(len(paths))),
        count=len(paths),
        pick=pick,
        damaged=lambda: _first_damaged(paths),
        labels=labels if labelled else None,
    )


def _first_damaged(paths: NDArray[Any]) -> str | None:
    """The first file that cannot be decoded; TensorFlow's own message does not name it."""
    for path in paths:
        try:
            tf.io.decode_image(tf.io.read_file(str(path)), expand_animations=False)
        except tf.errors.OpError:
            return str(path)
    return None
