"""Exports a `.tflite` file with everything an Android application needs to run it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tflite_squeeze.android.asset import asset_of, label_lines
from tflite_squeeze.android.config import ExportAndroid
from tflite_squeeze.android.golden import Case, Golden, golden_vectors, packed
from tflite_squeeze.android.interface import (
    AndroidInterface,
    Runtime,
    android_interface,
)
from tflite_squeeze.android.known_files import known_of
from tflite_squeeze.android.project import Project, dependencies
from tflite_squeeze.android.record import AndroidRecord, ExportedFile
from tflite_squeeze.files.files import write_folder
from tflite_squeeze.files.tflite_file import read_tflite
from tflite_squeeze.packing.pack import pack
from tflite_squeeze.packing.readers import reader_source
from tflite_squeeze.tflite.signatures import LEGACY_UINT8, quantization_name


@dataclass(frozen=True, kw_only=True)
class AndroidExport:
    """The files of an export and what is known about them.

    Attributes:
        files: content by path below the folder of the export.
        record: what was found and written.
    """

    files: dict[str, bytes]
    record: AndroidRecord

    def _repr_html_(self) -> str:
        return self.record._repr_html_()

    def save(self, folder: str | Path, *, force: bool = False) -> Path:
        """Writes the files.

        Args:
            folder: where to write; created if it does not exist.
            force: whether existing files may be replaced.

        Returns:
            The folder.

        Raises:
            OutputError: they cannot be written.
        """
        write_folder(Path(folder), self.files, force=force)
        return Path(folder)


def export_android(
    tflite: bytes | str | Path,
    config: ExportAndroid | None = None,
    samples: Sequence[Case] = (),
) -> AndroidExport:
    """Packs a file for an Android application.

    Args:
        tflite: the file's path, or its content.
        config: how to pack it; None for the defaults.
        samples: whole inputs by name, as the model takes them (real values where the file
            takes quantized integers), for the golden vectors; without any, inputs are generated.

    Returns:
        The asset with TFLite metadata, its labels, a Kotlin class, a Gradle fragment, golden
        vectors with the test that replays them, a README and the hashes of all that.

    Raises:
        InputError: the file cannot be read or is damaged, or the labels do not match its outputs.
        UnsupportedError: no Android library can run it, or Kotlin cannot hold its tensors.
        RuntimeFailure: LiteRT refused the file, crashed on it, or took too long.

    Example:
        >>> export_android("lenet_5.tflite").save("lenet_5_android")
        PosixPath('lenet_5_android')
    """
    config = config or ExportAndroid()
    content = tflite if isinstance(tflite, bytes) else read_tflite(tflite)
    interface = android_interface(content)
    known = known_of(content, interface, config)
    asset = asset_of(content, interface, config, known)
    golden = None
    if interface.runtime is Runtime.LITERT:
        golden = golden_vectors(
            asset,
            interface,
            samples=samples,
            preprocessing=known.preprocessing,
            seed=config.seed,
        )
        interface = _as_it_ran(interface, golden)
    project = Project(
        config=config,
        interface=interface,
        known=known,
        golden=golden,
        real=golden is not None and bool(samples),
        notes=known.notes + _notes(interface, content),
    )
    files = _files(project, asset)
    record = AndroidRecord(
        config=config,
        source_sha256=hashlib.sha256(content).hexdigest(),
        class_name=project.class_name,
        dependencies=dependencies(interface.runtime),
        interface=interface,
        labels=known.labels,
        metadata="written" if asset != content else "kept",
        cases=len(golden.inputs) if golden else 0,
        real_samples=project.real,
        tolerances=golden.tolerances if golden else {},
        differences=golden.differences if golden else {},
        files=tuple(_listed(path, data) for path, data in files.items()),
        notes=project.notes,
    )
    return AndroidExport(files=files, record=record)


def _listed(path: str, data: bytes) -> ExportedFile:
    return ExportedFile(path=path, bytes=len(data), sha256=hashlib.sha256(data).hexdigest())


def _as_it_ran(interface: AndroidInterface, golden: Golden) -> AndroidInterface:
    """The interface with the output shapes that a run produced."""
    outputs = tuple(
        one.model_copy(update={"shape": golden.outputs[0][one.name].shape})
        for one in interface.outputs
    )
    return interface.model_copy(update={"outputs": outputs})


def _notes(interface: AndroidInterface, content: bytes) -> tuple[str, ...]:
    notes = []
    if quantization_name(content) == LEGACY_UINT8:
        notes.append("the model has legacy uint8 quantization, the form before int8")
    if interface.runtime is Runtime.SELECT_OPS:
        notes.append(
            f"TensorFlow operators ({', '.join(interface.select_operators)}) need the libraries "
            f"that build.gradle.kts names, which are large and not built for pages of 16 KB; no "
            f"runtime here has these operators, so that there are no golden vectors: compare with "
            f"the model on the device"
        )
    if interface.signatures > 1:
        notes.append(
            f"the class calls signature {interface.signature!r}, the first of "
            f"{interface.signatures}"
        )
    return tuple(notes)


def _files(project: Project, asset: bytes) -> dict[str, bytes]:
    """Everything by path; README and hashes last."""
    name, labels, golden = project.config.name, project.known.labels, project.golden
    kotlin = "/".join(["java", *project.config.package.split("."), project.class_name])
    folder = kotlin.rpartition("/")[0]
    about = {"model_sha256": hashlib.sha256(asset).hexdigest(), "model_bytes": len(asset)}
    if project.config.packed:
        reader = f"package {project.config.package}\n\n".encode() + reader_source(".kt")
        files = {f"assets/{name}.tflite.sqz": pack(asset), f"{folder}/SqzReader.kt": reader}
    else:
        files = {f"assets/{name}.tflite": asset}
    if labels:
        files[f"assets/{name}_labels.txt"] = label_lines(labels)
    files[f"{kotlin}.kt"] = project.text("Model.kt", **about)
    files["build.gradle.kts"] = project.text("build.gradle.kts")
    if golden is not None:
        vectors = packed(golden, project.interface, asset)
        files[f"androidTest/assets/{name}_golden.bin"] = vectors
        files[f"androidTest/{kotlin}GoldenTest.kt"] = project.text("ModelGoldenTest.kt")
    sizes = {path: len(data) for path, data in files.items()}
    files["README.md"] = project.text(
        "README.md", sizes=sizes, real=project.real, notes=project.notes
    )
    sums = [f"{hashlib.sha256(data).hexdigest()}  {path}\n" for path, data in files.items()]
    return {**files, "SHA256SUMS": "".join(sums).encode()}
