"""What the Kotlin class has without an object: names, shapes, normalisation and helpers."""

import math
from dataclasses import dataclass

from tflite_squeeze.android.interface import AndroidInterface, AndroidTensor
from tflite_squeeze.android.kotlin_names import class_name, string_literal
from tflite_squeeze.data.preprocessing import Preprocessing


@dataclass(frozen=True, kw_only=True)
class KotlinClass:
    """What the class is made of.

    Attributes:
        package: its Kotlin package.
        name: begins the names of the assets.
        interface: how the file is called.
        labelled: the output whose values the labels name; None without labels.
        preprocessing: what raw values go through; None where nobody knows.
        normalized: the inputs that those values become.
        about: what the file says of itself, for the class comment.
    """

    package: str
    name: str
    interface: AndroidInterface
    labelled: AndroidTensor | None = None
    preprocessing: Preprocessing | None = None
    normalized: tuple[AndroidTensor, ...] = ()
    about: str = ""

    @property
    def class_name(self) -> str:
        """The name of the class."""
        return class_name(self.name)

    @property
    def returned(self) -> str:
        """What `run` returns: the array of the only output, or a class that holds them all."""
        outputs = self.interface.outputs
        return outputs[0].array if len(outputs) == 1 else "Outputs"


def companion(model: KotlinClass) -> str:
    """Writes the companion object of the class."""
    interface = model.interface
    labels = ""
    if model.labelled is not None:
        labels = f"        const val LABELS_FILE = {string_literal(model.name + '_labels.txt')}\n"
    shapes = [
        f"\n        /** The shape of `{one.identifier}`. */\n"
        f"        val {_constant(one)}_SHAPE: List<Int> = "
        f"listOf({', '.join(str(size) for size in one.shape)})\n"
        for one in (*interface.inputs, *interface.outputs)
    ]
    return f"""\
    companion object {{
        const val MODEL_FILE = {string_literal(model.name + ".tflite")}
{labels}{"".join(shapes)}{_normalized(model)}{_QUANTIZED if _quantizes(interface) else ""}{_MAPPED}\
    }}
"""


_MAPPED = """
        private fun direct(bytes: Int): ByteBuffer =
            ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder())

        /** The asset in memory, shared with the page cache; it has to be stored uncompressed. */
        private fun mapped(context: Context, asset: String): MappedByteBuffer =
            context.assets.openFd(asset).use { opened ->
                FileInputStream(opened.fileDescriptor).use { file ->
                    file.channel.map(
                        FileChannel.MapMode.READ_ONLY,
                        opened.startOffset,
                        opened.declaredLength,
                    )
                }
            }
"""

_QUANTIZED = """
        /** The integer that stands for a real value: rounded, half to even, and clipped. */
        private fun quantized(
            value: Float,
            scale: Double,
            zeroPoint: Int,
            least: Double,
            most: Double,
        ): Int = (Math.rint(value / scale) + zeroPoint).coerceIn(least, most).toInt()
"""


def _quantizes(interface: AndroidInterface) -> bool:
    return any(one.quantized for one in interface.inputs)


def _constant(one: AndroidTensor) -> str:
    """An identifier in capitals: imageSize → IMAGE_SIZE."""
    return "".join(f"_{c}" if c.isupper() else c for c in one.identifier).upper()


def _normalized(model: KotlinClass) -> str:
    """The function that does to raw values what was done to the model's training data."""
    if model.preprocessing is None or not model.normalized:
        return ""
    given, shape = model.preprocessing, model.normalized[0].shape
    mean, means = _per_channel("MEAN", given.mean, "0.0")
    std, stds = _per_channel("STD", given.std, "1.0")
    axis = 1 if given.layout == "channels_first" else len(shape) - 1
    channel = ""
    if means or stds:
        stride = math.prod(shape[axis + 1 :])
        channel = f"                val channel = at / {stride} % {shape[axis]}\n"
    names = " and ".join(f"`{one.identifier}`" for one in model.normalized)
    return f"""
{means}{stds}        /** Raw values as {names} takes them: (x * scale - mean) / std. */
        fun normalized(raw: FloatArray): FloatArray =
            FloatArray(raw.size) {{ at ->
{channel}                ((raw[at] * {float(given.scale)!r} - {mean}) / {std}).toFloat()
            }}
"""


def _per_channel(
    name: str, value: float | tuple[float, ...] | None, default: str
) -> tuple[str, str]:
    """How a number is written where it is used, and what has to be declared for that."""
    if value is None:
        return default, ""
    if isinstance(value, int | float):
        return repr(float(value)), ""
    numbers = ", ".join(repr(float(one)) for one in value)
    return f"{name}[channel]", f"        private val {name} = doubleArrayOf({numbers})\n"
