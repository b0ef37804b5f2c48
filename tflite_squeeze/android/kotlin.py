"""The Kotlin class that runs a file, written for exactly its inputs and outputs."""

from tflite_squeeze.android.interface import AndroidInterface, AndroidTensor, State
from tflite_squeeze.android.kotlin_companion import KotlinClass, companion
from tflite_squeeze.android.kotlin_names import comment, string_literal
from tflite_squeeze.android.kotlin_tensors import filled, read, shape_text


def kotlin_class(model: KotlinClass) -> str:
    """Writes the class.

    Args:
        model: what it is made of.

    Returns:
        The Kotlin source file.

    Example:
        >>> "class Classifier(" in kotlin_class(model)
        True
    """
    parts = [_head(model) + _opening(model), _run(model)]
    if model.labelled is not None and model.labelled.array == "FloatArray":
        parts.append(_classify(model, model.labelled))
    parts += [_CLOSE, companion(model)]
    return "\n".join(part for part in parts if part) + "}\n"


def _head(model: KotlinClass) -> str:
    interface = model.interface
    lines = [f" * Input `{one.identifier}`: {_told(one)}." for one in interface.inputs]
    lines += [f" * Output `{one.identifier}`: {_told(one)}." for one in interface.outputs]
    state = {
        State.NONE: "",
        State.CELLS: " *\n * The model keeps state: a run starts from zero unless told to "
        "continue the one before.\n",
        State.VARIABLES: " *\n * The model keeps state: a run continues the one before unless "
        "told not to.\n",
    }[interface.state]
    return f"""\
package {model.package}

import android.content.Context
import java.io.FileInputStream
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.MappedByteBuffer
import java.nio.channels.FileChannel
import org.tensorflow.lite.Interpreter

/**
 * Runs `{model.name}.tflite` ({comment(model.about)}) on the CPU.
 *
{chr(10).join(lines)}
{state} *
 * Values are in the order of the shape, the last dimension fastest. One object may be shared by
 * threads, whose runs wait for each other; close it when it is not needed any more.
 *
 * @param context where the assets are
 * @param threads how many threads the kernels may use
 */
"""


def _told(one: AndroidTensor) -> str:
    kind = f"{one.array} of shape {shape_text(one.shape)}"
    if one.quantized:
        return (
            f"{kind}, real values; the tensor is {one.dtype} with scale {one.scale!r} and zero "
            f"point {one.zero_point}"
        )
    return f"{kind}, the tensor is {one.dtype}" if one.dtype != "float32" else kind


def _opening(model: KotlinClass) -> str:
    interface = model.interface
    labels = ""
    if model.labelled is not None:
        labels = f"""
    /** The names of the values of `{model.labelled.identifier}`. */
    val labels: List<String> =
        context.assets.open(LABELS_FILE).bufferedReader().use {{ it.readLines() }}
"""
    interpreter = "var" if interface.state is State.VARIABLES else "val"
    buffers = [
        f"    private val {_buffer(one)}: ByteBuffer = direct({one.bytes})\n"
        for one in (*interface.inputs, *interface.outputs)
    ]
    return f"""\
class {model.class_name}(context: Context, threads: Int = 2) : AutoCloseable {{
    init {{
        require(threads > 0) {{ "threads must be 1 or more; got $threads" }}
    }}
{labels}
    private val options: Interpreter.Options = Interpreter.Options().setNumThreads(threads)
    private val model: MappedByteBuffer = mapped(context, MODEL_FILE)
    private {interpreter} interpreter: Interpreter = Interpreter(model, options)
{"".join(buffers)}"""


def _buffer(one: AndroidTensor) -> str:
    return f"{one.identifier}Tensor"


def _outputs(model: KotlinClass) -> str:
    """The class that holds several outputs."""
    if len(model.interface.outputs) == 1:
        return ""
    fields = [
        f"        /** {_told(one)}. */\n        val {one.identifier}: {one.array},\n"
        for one in model.interface.outputs
    ]
    return f"""\
    /** What a run puts out. */
    class Outputs(
{"".join(fields)}    )

"""


def _parameters(model: KotlinClass) -> str:
    parameters = [f"{one.identifier}: {one.array}" for one in model.interface.inputs]
    if model.interface.state is State.CELLS:
        parameters.append("continuing: Boolean = false")
    if model.interface.state is State.VARIABLES:
        parameters.append("continuing: Boolean = true")
    return ", ".join(parameters)


def _run(model: KotlinClass) -> str:
    interface = model.interface
    checks = [
        f"        require({one.identifier}.size == {one.elements}) {{\n"
        f'            "{one.identifier} takes {one.elements} values ({shape_text(one.shape)}); '
        f'got ${{{one.identifier}.size}}"\n'
        f"        }}\n"
        for one in interface.inputs
    ]
    fills = [filled(one, _buffer(one)) for one in interface.inputs]
    clears = [f"        {_buffer(one)}.clear()\n" for one in interface.outputs]
    rewinds = [f"        {_buffer(one)}.rewind()\n" for one in interface.outputs]
    reads = [read(one, _buffer(one)) for one in interface.outputs]
    result = reads[0] if len(reads) == 1 else f"Outputs({', '.join(reads)})"
    reset = {
        State.NONE: "",
        State.CELLS: "        if (!continuing) interpreter.resetVariableTensors()\n",
        State.VARIABLES: "        if (!continuing) {\n            interpreter.close()\n"
        "            interpreter = Interpreter(model, options)\n        }\n",
    }[interface.state]
    return f"""\
{_outputs(model)}    /** Runs the model once. */
    @Synchronized
    fun run({_parameters(model)}): {model.returned} {{
{"".join(checks)}{reset}{"".join(fills)}{"".join(clears)}{_call(interface)}{"".join(rewinds)}\
        return {result}
    }}
"""


def _call(interface: AndroidInterface) -> str:
    """Hands the buffers over: by the names of the signature, or by position."""
    if interface.signature is not None:
        inputs = [f"{string_literal(one.name)} to {_buffer(one)}" for one in interface.inputs]
        outputs = [f"{string_literal(one.name)} to {_buffer(one)}" for one in interface.outputs]
        return f"""\
        interpreter.runSignature(
            mapOf<String, Any>({", ".join(inputs)}),
            mapOf<String, Any>({", ".join(outputs)}),
            {string_literal(interface.signature)},
        )
"""
    ordered = sorted(interface.inputs, key=lambda one: one.position)
    outputs = [f"{one.position} to {_buffer(one)}" for one in interface.outputs]
    return f"""\
        interpreter.runForMultipleInputsOutputs(
            arrayOf<Any>({", ".join(_buffer(one) for one in ordered)}),
            mapOf<Int, Any>({", ".join(outputs)}),
        )
"""


def _classify(model: KotlinClass, labelled: AndroidTensor) -> str:
    arguments = ", ".join(
        [one.identifier for one in model.interface.inputs]
        + (["continuing"] if model.interface.state is not State.NONE else [])
    )
    single = len(model.interface.outputs) == 1
    scores = f"run({arguments})" + ("" if single else f".{labelled.identifier}")
    return f"""\
    /** A class and its score. */
    data class Category(val label: String, val score: Float)

    /** Runs the model once and sorts the classes, the best first. */
    fun classify({_parameters(model)}): List<Category> =
        labels.zip({scores}.asList()) {{ label, score -> Category(label, score) }}
            .sortedByDescending {{ it.score }}
"""


_CLOSE = """\
    /** Frees the interpreter; the object cannot run after that. */
    @Synchronized
    override fun close() {
        interpreter.close()
    }
"""
