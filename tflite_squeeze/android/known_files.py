"""Facts about a file beyond its graph, given by the user or stored in the file."""

from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from tflite_squeeze.android.config import ExportAndroid
from tflite_squeeze.android.interface import AndroidInterface, AndroidTensor
from tflite_squeeze.android.metadata import FoundMetadata, read_model_metadata
from tflite_squeeze.data.preprocessing import Preprocessing
from tflite_squeeze.errors import InputError, UsageError
from tflite_squeeze.tflite.flatbuffer import description_of
from tflite_squeeze.tflite.tidy import facts_of


@dataclass(frozen=True, kw_only=True)
class Known:
    """Facts about a model.

    Attributes:
        name: its name.
        description: one line about it.
        version: the version of the tool that made it; empty where unknown.
        labels: class names.
        labelled: the output whose values the labels name.
        preprocessing: of raw values; None where there is none, or it is unknown.
        metadata: the TFLite metadata that the file has already.
        notes: what was left out, and why.
    """

    name: str
    description: str
    version: str
    labels: tuple[str, ...]
    labelled: AndroidTensor | None
    preprocessing: Preprocessing | None
    metadata: FoundMetadata | None
    notes: tuple[str, ...]


def known_of(content: bytes, interface: AndroidInterface, config: ExportAndroid) -> Known:
    """Gathers name, labels and preprocessing; the user's values take precedence.

    Args:
        content: the file.
        interface: how it is called.
        config: the user's options.

    Raises:
        InputError: the labels match no output, or the file's metadata are damaged.
        UsageError: the preprocessing scales by 0.
    """
    facts, found = facts_of(content), read_model_metadata(content)
    carried = tuple(str(one) for one in facts.get("labels") or ()) or (
        found.labels() if found else ()
    )
    labels = config.labels or carried
    notes: tuple[str, ...] = ()
    labelled = _labelled(interface, labels)
    if labels and labelled is None:
        sizes = ", ".join(f"{one.name}: {one.elements}" for one in interface.outputs)
        told = f"{len(labels)} labels do not fit the outputs, which have other numbers of values"
        if config.labels:
            raise InputError(f"{told} ({sizes}): give one label for each value of an output")
        labels, notes = (), (f"left out what the file carries: {told} ({sizes})",)
    preprocessing = config.preprocessing or _stated(facts.get("preprocessing"))
    if preprocessing is not None and not preprocessing.changes_values:
        preprocessing = None
    if preprocessing is not None and preprocessing.scale == 0:
        raise UsageError("the preprocessing scales by 0, so that every input is 0")
    return Known(
        name=str(facts.get("name") or config.name),
        description=description_of(content) or config.name,
        version=str(facts.get("version") or ""),
        labels=labels,
        labelled=labelled if labels else None,
        preprocessing=preprocessing,
        metadata=found,
        notes=notes,
    )


def _labelled(interface: AndroidInterface, labels: tuple[str, ...]) -> AndroidTensor | None:
    """The first output with one value for each label."""
    fitting = (one for one in interface.outputs if one.elements == len(labels))
    return next(fitting, None) if labels else None


def _stated(fields: Any) -> Preprocessing | None:
    if fields is None:
        return None
    try:
        return Preprocessing.model_validate(fields)
    except ValidationError as error:
        raise InputError(
            f"the preprocessing that the file carries cannot be used ({error.errors()[0]['msg']}): "
            f"convert the model again"
        ) from error
