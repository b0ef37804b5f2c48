"""What is tried per format: files to start from, how they are changed, and what is done to them.

A target takes a file, and either works or raises an error of this package in one line. Each is
imported where it runs, in a process of its own.
"""

import io
import json
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from mutations import (
    changed_archive,
    changed_bytes,
    changed_json,
    changed_lines,
    changed_tree,
)
from onnx_target import changed_onnx, imported, onnx_seeds

_YAML = tuple(
    b"* & ! !!bool !!timestamp !!binary !!set !!python/object:os.system [ ] { } : - | > ? # % @ "
    b"&a *a << 010 0x10 1e999 .nan ~ yes 2001-01-01 \xff \x00 \xe2\x86\x92 '' \" -1 1.5 "
    b"999999999999999999999999 prune l0 steps: null".split()
)


@dataclass(frozen=True)
class Target:
    """A format.

    Attributes:
        seeds: writes files or folders to start from into a folder, and names them.
        change: makes another content of a file's.
        attempt: what is done with the changed file; the folder beside it may be written into.
        files: which files of a folder are changed; empty where the seed is a file.
    """

    seeds: Callable[[Path], list[Path]]
    change: Callable[[bytes, random.Random], bytes]
    attempt: Callable[[Path, Path], object]
    files: tuple[str, ...] = ()


def models(folder: Path, suffix: str) -> list[Path]:
    """Small models of both versions of Keras, with wrappers, cells and operations."""
    import keras
    import tf_keras

    made = []
    for library in (keras, tf_keras):
        layers = library.layers
        given = library.Input((8,), name="x")
        inner = library.Sequential([library.Input((8,)), layers.Dense(8, "relu")], name="inner")
        steps = layers.Bidirectional(layers.LSTM(2))(layers.Reshape((2, 4))(inner(given)))
        first = library.Model(given, layers.Dense(3, "softmax")(steps * 2 + 1))
        image = library.Input((6, 6, 1), name="image")
        conv = layers.BatchNormalization()(layers.Conv2D(2, 3, kernel_regularizer="l2")(image))
        second = library.Model(image, layers.Dense(2)(layers.Flatten()(conv)))
        second.compile("adam", loss="mse", metrics=["mae"])
        for index, model in enumerate((first, second)):
            path = folder / f"{library.__name__}_{index}{suffix}"
            if suffix:
                model.save(path)
            elif library is tf_keras:
                model.save(path, save_format="tf")
            else:
                model.export(path, verbose=False)
            made.append(path)
    return made


def inspected(path: Path, _folder: Path) -> object:
    """Loads a model and looks at it."""
    from tflite_squeeze.inspection.inspect import inspect

    return inspect(path)


def changed_keras(data: bytes, rng: random.Random) -> bytes:
    """A .keras file with its bytes, its configuration or its weights changed."""
    if rng.random() < 0.2:
        return changed_bytes(data, rng)
    return changed_archive(data, rng, {".json": changed_json, ".h5": changed_hdf5})


def changed_hdf5(data: bytes, rng: random.Random) -> bytes:
    """An HDF5 file with its bytes, its attributes or its datasets changed."""
    import h5py

    if rng.random() < 0.5:
        return changed_bytes(data, rng)
    stream = io.BytesIO(data)
    with h5py.File(stream, "r+") as file:
        if "model_config" in file.attrs and rng.random() < 0.7:
            config = changed_tree(json.loads(file.attrs["model_config"]), rng)
            file.attrs["model_config"] = json.dumps(config).encode("utf-8", "replace")
            return _written(file, stream)
        found: list[Any] = []
        file.visititems(lambda _, item: found.append(item))
        item = rng.choice(found)
        kind, name = rng.randrange(6), item.name
        if kind == 0:
            del file[name]
        elif kind == 1:
            del file[name]
            file[name] = np.zeros(rng.choice(((), (1,), (3, 3), (0,))), rng.choice(("f4", "i8")))
        elif kind == 2:
            item.attrs[rng.choice(("weight_names", "layer_names", "x"))] = rng.choice(
                (1, "x", [b"y"])
            )
        elif kind == 3:
            del file[name]
            file.create_dataset(name, (10**9,), "f4", chunks=(10**6,))
        elif kind == 4:
            file[f"{name}_link"] = rng.choice(
                (h5py.ExternalLink("/etc/x.h5", "/"), h5py.SoftLink("/"))
            )
        else:
            file.attrs["keras_version"] = rng.choice(("2.1", "3.0", "9", "", "x"))
        return _written(file, stream)


def _written(file: Any, stream: io.BytesIO) -> bytes:
    file.flush()
    return stream.getvalue()


def tflite_seeds(folder: Path) -> list[Path]:
    """Files with plain, sparse and quantized weights, loops and state."""
    import keras

    from tflite_squeeze.conversion.convert import convert
    from tflite_squeeze.emission.config import Convert

    layers = keras.layers
    plain = keras.Sequential(
        [keras.Input((8,), name="x"), layers.Dense(9, "relu"), layers.Dense(3)]
    )
    recurrent = keras.Sequential([keras.Input((5, 4), name="x"), layers.GRU(3), layers.Dense(2)])
    image = keras.Sequential(
        [keras.Input((6, 6, 1), name="x"), layers.Conv2D(2, 3), layers.Flatten(), layers.Dense(2)]
    )
    made = []
    for name, model, config in (
        ("plain", plain, Convert()),
        ("dynamic", image, Convert(quantize="dynamic")),
        ("loop", recurrent, Convert()),
    ):
        path = folder / f"{name}.tflite"
        path.write_bytes(convert(model, config, verification=None).tflite)
        made.append(path)
    return made


def changed_tflite(data: bytes, rng: random.Random) -> bytes:
    """A file with its bytes or a few of its fields changed."""
    from tflite_squeeze.tflite.flatbuffer import pack_model, read_model

    if rng.random() < 0.5:
        return data[:8] + changed_bytes(data[8:], rng)
    model = read_model(data)
    for _ in range(rng.choice((1, 1, 2, 4))):
        graph = rng.choice(model.subgraphs)
        item = rng.choice([model, graph, *graph.tensors, *graph.operators, *model.operatorCodes])
        if rng.random() < 0.3 and getattr(item, "builtinOptions", None) is not None:
            item = item.builtinOptions
        names = [name for name in vars(item) if not name.startswith("_")]
        name = rng.choice(names)
        value = getattr(item, name)
        if isinstance(value, int | np.integer) and not isinstance(value, bool):
            new: Any = rng.choice((0, 1, 2, 3, 100, -1, int(value) + 1))
        elif isinstance(value, np.ndarray) and value.size and value.dtype.kind == "i":
            new = value.copy()
            new[rng.randrange(len(new))] = rng.choice((-1, 0, 1, 2, 99, 2**30))
        elif isinstance(value, list) and value:
            new = rng.choice((value[:-1], value * rng.choice((2, 50)), value[::-1]))
        else:
            new = None
        setattr(item, name, new)
    return pack_model(model)


def looked_at(path: Path, _folder: Path) -> object:
    """Looks at a .tflite file, runs it now and then, and packs it."""
    from tflite_squeeze.inspection.inspect import inspect
    from tflite_squeeze.packing.pack import pack

    content = path.read_bytes()
    inspect(path, measure=sha256(content).digest()[0] < 4)  # in a process of its own
    return pack(content)


def sqz_seeds(folder: Path) -> list[Path]:
    """Packed files of each kind of form."""
    from tflite_squeeze.packing.pack import pack

    made = []
    for path in tflite_seeds(folder):
        packed = path.with_suffix(".sqz")
        packed.write_bytes(pack(path.read_bytes()))
        made.append(packed)
    return made


def changed_sqz(data: bytes, rng: random.Random) -> bytes:
    """A packed file with its codes changed, sometimes its head too."""
    if rng.random() < 0.1:
        return changed_bytes(data, rng)
    return data[:15] + changed_bytes(data[15:], rng)


def unpacked(path: Path, _folder: Path) -> object:
    """Unpacks."""
    from tflite_squeeze.packing.pack import unpack

    return unpack(path.read_bytes())


def unpacked_in_c(path: Path, folder: Path) -> object:
    """Unpacks with the reader in C, checked by sanitizers, and with that in Python: they agree."""
    import subprocess

    from tflite_squeeze.errors import InputError
    from tflite_squeeze.packing import pack as module

    program, out = folder.with_name("unsqz"), path.with_suffix(".out")
    if not program.exists():
        source = Path(module.__file__).with_name("sqz_reader.c")
        options = ["-std=c99", "-O1", "-DSQZ_MAIN", "-fsanitize=address,undefined"]
        command = ["gcc", *options, "-fno-sanitize-recover", source, "-o", program]
        subprocess.run(command, check=True)
    done = subprocess.run([program, path, out], capture_output=True, text=True)
    found = out.read_bytes() if done.returncode == 0 else None
    out.unlink(missing_ok=True)
    if done.returncode not in (0, 2):
        raise RuntimeError(done.stderr[:2000])
    try:
        expected = module.unpack(path.read_bytes())
    except InputError:
        if found is not None:
            raise RuntimeError("C unpacks what Python refuses") from None
        raise
    if found != expected:
        raise RuntimeError("C does not unpack what Python does")
    return found


def array_seeds(folder: Path) -> list[Path]:
    """Archives of arrays, packed and not, and a single array."""
    x, y = np.zeros((8, 4), np.float32), np.arange(8) % 3
    np.savez(folder / "a.npz", x=x, y=y, class_names=np.array(["a", "b", "c"]))
    np.savez_compressed(folder / "b.npz", x_train=x, y_train=y, x_test=x, y_test=y,
                        preprocessing='{"scale": 0.5}')  # fmt: skip
    np.save(folder / "c.npy", x)
    return [folder / name for name in ("a.npz", "b.npz", "c.npy")]


def changed_arrays(data: bytes, rng: random.Random) -> bytes:
    """An archive with a header, a member or its bytes changed."""
    if data[:2] != b"PK" or rng.random() < 0.2:
        return changed_npy(data, rng) if data[:2] != b"PK" else changed_bytes(data, rng)
    return changed_archive(data, rng, {".npy": changed_npy})


def changed_npy(data: bytes, rng: random.Random) -> bytes:
    """An array with another header or other bytes."""
    if rng.random() < 0.3:
        return changed_bytes(data, rng)
    length = int.from_bytes(data[8:10], "little")
    header = data[10 : 10 + length]
    shapes = (b"()", b"(True,)", b"(-1, 4)", b"(10**9,)", b"(1000000000000, 9)", b"((1,),)",
              b"(8,)", b"(0, 4)", b"('a',)", b"(" * 300, b"(8, 2, 2)", b"[8, 4]", b"(8.0, 4)"
              )  # fmt: skip
    kinds = (b"'<f2'", b"'>f4'", b"'|O'", b"'<f16'", b"'<U9'", b"'<c8'", b"'<M8[s]'", b"'|V4'",
             b"[('a', '<f4')]", b"'x'", b"None", b"'<f99999999'", b"'|S1000000000'")  # fmt: skip
    if rng.random() < 0.5:
        start = header.find(b"'shape': ") + 9
        header = header[:start] + rng.choice(shapes) + b", }"
    else:
        start, end = header.find(b"'descr': ") + 9, header.find(b", 'fortran")
        header = header[:start] + rng.choice(kinds) + header[end:]
    if rng.random() < 0.1:
        header = changed_bytes(header, rng)
    body = data[10 + length :]
    return data[:8] + len(header).to_bytes(2, "little") + header + body


def sampled(path: Path, _folder: Path) -> object:
    """Reads data, and a few examples of it."""
    from tflite_squeeze.data.data import load_data

    data = load_data(path)
    return data.sample("train" if data.train is not None else "test", 4)


def recipe_seeds(folder: Path) -> list[Path]:
    """The recipes that ship."""
    from tflite_squeeze.recipes.files import dump_recipe, load_recipe, recipe_names

    made = []
    for name in recipe_names():
        path = folder / f"{name}.yaml"
        path.write_text(dump_recipe(load_recipe(name)))
        made.append(path)
    return made


def changed_recipe(data: bytes, rng: random.Random) -> bytes:
    """A recipe with lines moved and signs of YAML planted."""
    return changed_lines(data, rng, _YAML)


def recipe_read(path: Path, _folder: Path) -> object:
    """Reads a recipe."""
    from tflite_squeeze.recipes.files import load_recipe

    return load_recipe(path)


def record_seeds(folder: Path) -> list[Path]:
    """Records of pictures and numbers."""
    import tensorflow as tf

    path = folder / "a.tfrecord"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for index in range(4):
            image = tf.io.encode_png(np.full((4, 4, 1), index, np.uint8)).numpy()
            features = {
                "image": tf.train.Feature(bytes_list=tf.train.BytesList(value=[image])),
                "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[index % 2])),
            }
            example = tf.train.Example(features=tf.train.Features(feature=features))
            writer.write(example.SerializeToString())
    return [path]


def changed_records(data: bytes, rng: random.Random) -> bytes:
    """Records with other content and right sums, or other bytes."""
    import tensorflow as tf

    if rng.random() < 0.3:
        return changed_bytes(data, rng)
    path = Path(f"records-{rng.randrange(10**9)}")
    with tf.io.TFRecordWriter(str(path)) as writer:
        at = 0
        while at + 12 <= len(data):
            size = int.from_bytes(data[at : at + 8], "little")
            content = data[at + 12 : at + 12 + size]
            writer.write(changed_bytes(content, rng) if rng.random() < 0.5 else content)
            at += 16 + size
    content = path.read_bytes()
    path.unlink()
    return content


def records_read(path: Path, _folder: Path) -> object:
    """Reads records, and a few examples of them."""
    from tflite_squeeze.data.data import load_data

    data = load_data(path, features="image:bytes:png,label:int64")
    return data.sample("train", 4)


def label_seeds(folder: Path) -> list[Path]:
    """Names of classes, and a file to put them into."""
    tflite_seeds(folder)
    (folder / "labels.txt").write_text("cat\ndog\nüber\n\n")
    return [folder / "labels.txt"]


def changed_labels(data: bytes, rng: random.Random) -> bytes:
    """Names with odd characters, or very many of them."""
    if rng.random() < 0.1:
        return data * rng.choice((0, 100, 5000))
    return changed_lines(data, rng, (*_YAML, b"\r", b"\x85", b"a" * 5000))


def labelled(path: Path, folder: Path) -> object:
    """Puts names of classes into a file, as `convert --labels` does."""
    from tflite_squeeze.conversion.command import read_labels
    from tflite_squeeze.emission.config import Convert
    from tflite_squeeze.tflite.flatbuffer import with_metadata

    labels = Convert(labels=read_labels(path)).labels
    tflite = (folder.parent / "plain.tflite").read_bytes()
    return with_metadata(tflite, {"labels": "\n".join(labels).encode()})


def folder_seeds(folder: Path) -> list[Path]:
    """SavedModels with layers and without."""
    return models(folder, "")


def changed_saved_model(data: bytes, rng: random.Random) -> bytes:
    """A file of a SavedModel with its bytes changed, or the JSON in its metadata."""
    from tf_keras.protobuf import saved_metadata_pb2

    if rng.random() < 0.5:
        return changed_bytes(data, rng)
    try:
        saved = saved_metadata_pb2.SavedMetadata.FromString(data)
        node = rng.choice(list(saved.nodes))
        text = changed_json(node.metadata.encode(), rng)
        node.metadata = text.decode("utf-8", "replace")
        return saved.SerializeToString()
    except Exception:  # noqa: BLE001 - it is another file of the folder
        return changed_bytes(data, rng)


def program_seeds(folder: Path) -> list[Path]:
    """A program that torch wrote."""
    tests = Path(__file__).resolve().parents[2] / "tests"
    return [Path(shutil.copy(tests / "foreign/torch/dictionary.pt2", folder))]


def changed_program(data: bytes, rng: random.Random) -> bytes:
    """A .pt2 file with its bytes or its descriptions changed."""
    if rng.random() < 0.2:
        return changed_bytes(data, rng)
    return changed_archive(data, rng, {".json": changed_json})


def program_checked(path: Path, _folder: Path) -> object:
    """Looks through it, as is done before torch opens it."""
    from tflite_squeeze.foreign.torch.programs import check_program

    return check_program(path)


def copied(seed: Path, to: Path) -> Path:
    """A seed at another place."""
    if seed.is_dir():
        shutil.copytree(seed, to)
    else:
        shutil.copy(seed, to)
    return to


TARGETS = {
    "tflite": Target(tflite_seeds, changed_tflite, looked_at),
    "sqz": Target(sqz_seeds, changed_sqz, unpacked),
    "sqz_c": Target(sqz_seeds, changed_sqz, unpacked_in_c),
    "keras": Target(lambda folder: models(folder, ".keras"), changed_keras, inspected),
    "h5": Target(lambda folder: models(folder, ".h5"), changed_hdf5, inspected),
    "npz": Target(array_seeds, changed_arrays, sampled),
    "recipe": Target(recipe_seeds, changed_recipe, recipe_read),
    "tfrecord": Target(record_seeds, changed_records, records_read),
    "savedmodel": Target(
        folder_seeds, changed_saved_model, inspected,
        ("saved_model.pb", "keras_metadata.pb", "variables/variables.index",
         "variables/variables.data-00000-of-00001"),
    ),
    "onnx": Target(onnx_seeds, changed_onnx, imported),
    "pt2": Target(program_seeds, changed_program, program_checked),
    "labels": Target(label_seeds, changed_labels, labelled),
}  # fmt: skip
