"""The record of an export for Android."""

from tflite_squeeze.android.config import ExportAndroid
from tflite_squeeze.android.interface import AndroidInterface
from tflite_squeeze.frozen import Frozen
from tflite_squeeze.tables.displayed import Displayed


class ExportedFile(Frozen):
    """A file of the export.

    Attributes:
        path: below the folder of the export.
        bytes: its size.
        sha256: its hash.
    """

    path: str
    bytes: int
    sha256: str


class AndroidRecord(Displayed):
    """An export for Android.

    Attributes:
        config: the options.
        source_sha256: of the file that was exported.
        class_name: the Kotlin class.
        dependencies: the libraries that it needs, as Gradle names them.
        interface: how the file is called.
        labels: the class names that were found or given.
        metadata: "written" or "kept": where the TFLite metadata of the asset come from.
        cases: how many golden vectors there are.
        real_samples: whether their inputs are real samples; otherwise they were generated.
        tolerances: per output, how far a device may be off.
        differences: per output, how far the built-in kernels are from XNNPACK's on them.
        files: what was written.
        notes: further notes for its user.
    """

    tables_by = ".tables:android_tables"

    config: ExportAndroid
    source_sha256: str
    class_name: str
    dependencies: tuple[str, ...]
    interface: AndroidInterface
    labels: tuple[str, ...]
    metadata: str
    cases: int
    real_samples: bool
    tolerances: dict[str, float]
    differences: dict[str, float]
    files: tuple[ExportedFile, ...]
    notes: tuple[str, ...]
