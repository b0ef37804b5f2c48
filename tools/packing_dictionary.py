"""Makes the dictionary that the readers of packed files carry, and writes it into all of them.

python tools/packing_dictionary.py

The dictionary is a packed file: a small network of this script, converted to int8, packed by a
reader that knows nothing. Another dictionary is another format: run this only with a new magic
number in the readers.
"""

import os
import re
import sys
from pathlib import Path
from textwrap import wrap

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras import layers

from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.packing import sqz_reader
from tflite_squeeze.packing.pack import pack

PACKING = Path(sqz_reader.__file__).parent


def network() -> keras.Model:
    """A network with the layers that most networks have; all its weights are 0."""
    keras.utils.set_random_seed(0)
    x = inputs = keras.Input((12, 12, 3), name="input")
    x = layers.Conv2D(8, 3, activation="relu", name="conv2d")(x)
    x = layers.DepthwiseConv2D(3, padding="same", activation="relu", name="depthwise_conv2d")(x)
    x = layers.AveragePooling2D(2, name="average_pooling2d")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(16, "relu", name="dense")(x)
    model = keras.Model(inputs, layers.Dense(6, "softmax", name="dense_1")(x), name="model")
    for layer in model.layers:
        layer.set_weights([np.zeros_like(one) for one in layer.get_weights()])
    return model


def _write(name: str, dictionary: str) -> None:
    """Puts the dictionary between the lines that mark its place."""
    path = PACKING / name
    if path.exists():
        before, rest = re.split(r"(?<=dictionary: begin).*\n", path.read_text(), maxsplit=1)
        after = rest[rest.rindex("\n", 0, rest.index("dictionary: end")) + 1 :]
        end = " */" if name.endswith(".c") else ""
        path.write_text(f"{before}{end}\n{dictionary}{after}")


def main() -> None:
    """Packs the network with an empty dictionary, and writes that into the readers."""
    samples = np.random.default_rng(0).normal(size=(64, 12, 12, 3)).astype(np.float32)
    data = {"x_train": samples, "y_train": np.zeros(64, int)}
    tflite = convert(network(), Convert(quantize="int8"), data, verification=None).tflite
    sqz_reader.DICTIONARY = b""
    sqz_reader.first_state.cache_clear()
    packed = pack(tflite)
    codes = packed[12 + (len(tflite).bit_length() + 6) // 7 :]
    numbers = "\n".join(wrap(", ".join(map(str, codes)), 96))
    signed = wrap(", ".join(str(one - 256 if one > 127 else one) for one in codes), 96)
    digits = "\n".join(f'    "{part}"' for part in wrap(codes.hex(), 94))
    _write("sqz_reader.py", f"KNOWN = {len(tflite)}\nDICTIONARY = bytes.fromhex(\n{digits}\n)\n")
    _write("sqz_reader.c", f"enum {{ KNOWN = {len(tflite)} }};\n"
           f"static const uint8_t dictionary[] = {{\n{numbers}}};\n")  # fmt: skip
    _write("sqz_reader.kt", f"private const val KNOWN = {len(tflite)}\n"
           "private val DICTIONARY = byteArrayOf(\n" + "\n".join(signed) + ")\n")  # fmt: skip
    print(f"{len(tflite):,} bytes, packed {len(codes):,}")


if __name__ == "__main__":
    sys.exit(main())
