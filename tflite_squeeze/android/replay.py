"""The Kotlin test that replays golden vectors on the device."""

from tflite_squeeze.android.interface import AndroidTensor, State
from tflite_squeeze.android.kotlin_companion import KotlinClass
from tflite_squeeze.android.kotlin_names import string_literal

_READERS = {
    "FloatArray": "floats",
    "ByteArray": "bytes",
    "ShortArray": "shorts",
    "IntArray": "ints",
    "LongArray": "longs",
    "BooleanArray": "booleans",
}


def golden_test(model: KotlinClass, asset: str) -> str:
    """Writes the test class.

    Args:
        model: the class under test.
        asset: the file name of the golden vectors among the test's assets.

    Returns:
        The Kotlin source file.
    """
    interface = model.interface
    arguments = [f"vectors.{_READERS[one.array]}({at})" for at, one in enumerate(interface.inputs)]
    if interface.state is not State.NONE:
        arguments.append("continuing = false")
    first = len(interface.inputs)
    checks = [
        f"                vectors.check({string_literal(one.name)}, {at}, {_found(model, one)})\n"
        for at, one in enumerate(interface.outputs, start=first)
    ]
    ends = (*interface.inputs, *interface.outputs)
    arrays = {one.array for one in interface.inputs}
    used = "".join(_READS[name] for name in _READS if name in arrays)
    text = _TEST
    for mark, value in {
        "@PACKAGE@": model.package,
        "@CLASS@": model.class_name,
        "@ASSET@": string_literal(asset),
        "@ARGUMENTS@": ", ".join(arguments),
        "@CHECKS@": "".join(checks),
        "@READERS@": used,
        "@ENDS@": str(len(ends)),
    }.items():
        text = text.replace(mark, value)
    return text


def _found(model: KotlinClass, output: AndroidTensor) -> str:
    """The output as doubles."""
    values = "found" if model.returned != "Outputs" else f"found.{output.identifier}"
    number = "if (it) 1.0 else 0.0" if output.array == "BooleanArray" else "it.toDouble()"
    return f"{values}.map {{ {number} }}"


# How the values of one input or output are read, by the array that holds them.
def _view(name: str, array: str, view: str) -> str:
    return f"""
        fun {name}(end: Int): {array} =
            {array}(counts[end]).also {{ at(end){view}.get(it) }}
"""


# How the values of one input or output are read, by the array that holds them.
_READS = {
    "FloatArray": _view("floats", "FloatArray", ".asFloatBuffer()"),
    "ByteArray": _view("bytes", "ByteArray", ""),
    "ShortArray": _view("shorts", "ShortArray", ".asShortBuffer()"),
    "IntArray": _view("ints", "IntArray", ".asIntBuffer()"),
    "LongArray": _view("longs", "LongArray", ".asLongBuffer()"),
    "BooleanArray": """
        fun booleans(end: Int): BooleanArray =
            at(end).let { bytes -> BooleanArray(counts[end]) { bytes.get() != 0.toByte() } }
""",
}

_TEST = """\
package @PACKAGE@

import android.content.Context
import androidx.test.ext.junit.runners.AndroidJUnit4
import androidx.test.platform.app.InstrumentationRegistry
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.security.MessageDigest
import kotlin.math.abs
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith

/** Replays, on the device, inputs whose outputs LiteRT's interpreter computed beforehand. */
@RunWith(AndroidJUnit4::class)
class @CLASS@GoldenTest {
    private val instrumentation = InstrumentationRegistry.getInstrumentation()
    private val app: Context = instrumentation.targetContext
    private val vectors =
        Vectors(instrumentation.context.assets.open(@ASSET@).use { it.readBytes() })

    @Test
    fun theVectorsBelongToTheModel() {
        val asset = app.assets.open(@CLASS@.MODEL_FILE).use { it.readBytes() }
        assertArrayEquals(vectors.sha256, MessageDigest.getInstance("SHA-256").digest(asset))
    }

    @Test
    fun oneThreadFindsTheExpectedOutputs() = replay(threads = 1)

    @Test
    fun fourThreadsFindTheExpectedOutputs() = replay(threads = 4)

    private fun replay(threads: Int) {
        @CLASS@(app, threads).use { model ->
            for (case in 0 until vectors.cases) {
                vectors.turnTo(case)
                val found = model.run(@ARGUMENTS@)
@CHECKS@            }
        }
    }

    /** The file of golden vectors; README.md of the export says how it is laid out. */
    private class Vectors(content: ByteArray) {
        private val data = ByteBuffer.wrap(content).order(ByteOrder.LITTLE_ENDIAN)
        val cases: Int
        val sha256 = ByteArray(32)
        private val types = IntArray(@ENDS@)
        private val counts = IntArray(@ENDS@)
        private val tolerances = FloatArray(@ENDS@)
        private val starts = IntArray(@ENDS@)
        private val first: Int
        private var case = 0

        init {
            val magic = ByteArray(8).also { data.get(it) }
            assertEquals("TFSQGOLD", String(magic, Charsets.US_ASCII))
            assertEquals("version", 1, data.getInt())
            cases = data.getInt()
            data.get(sha256)
            assertEquals("inputs and outputs", @ENDS@, data.getInt() + data.getInt())
            for (end in 0 until @ENDS@) {
                types[end] = data.getInt()
                counts[end] = data.getInt()
                tolerances[end] = data.getFloat()
            }
            first = data.position()
            for (end in 1 until @ENDS@) starts[end] = starts[end - 1] + bytesOf(end - 1)
            assertEquals("bytes", content.size, first + cases * bytesOfCase())
        }

        fun turnTo(next: Int) {
            case = next
        }

        private fun bytesOf(end: Int): Int = counts[end] * WIDTHS[types[end]]

        private fun bytesOfCase(): Int = starts.last() + bytesOf(starts.lastIndex)

        private fun at(end: Int): ByteBuffer {
            data.position(first + case * bytesOfCase() + starts[end])
            return data.slice().order(ByteOrder.LITTLE_ENDIAN)
        }
@READERS@
        fun check(name: String, end: Int, found: List<Double>) {
            val bytes = at(end)
            assertEquals("values of $name", counts[end], found.size)
            for (at in found.indices) {
                val expected = numberIn(bytes, types[end])
                val off = abs(found[at] - expected)
                assertTrue(
                    "$name[$at] of case $case is ${found[at]}; expected $expected, " +
                        "give or take ${tolerances[end]}",
                    found[at] == expected || off <= tolerances[end] ||
                        (found[at].isNaN() && expected.isNaN()),
                )
            }
        }

        private fun numberIn(bytes: ByteBuffer, type: Int): Double =
            when (type) {
                1 -> bytes.getFloat().toDouble()
                4 -> bytes.getShort().toDouble()
                5 -> bytes.getInt().toDouble()
                6 -> bytes.getLong().toDouble()
                else -> bytes.get().toDouble()
            }

        companion object {
            // Bytes of a value by type: float32, int8, uint8, int16, int32, int64, bool.
            private val WIDTHS = intArrayOf(0, 4, 1, 1, 2, 4, 8, 1)
        }
    }
}
"""
