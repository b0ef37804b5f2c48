"""Which operators of a `.tflite` file have to stay in float, measured on samples."""

import glob
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from numpy.typing import NDArray

from tflite_squeeze.conversion.calibration import calibration_batches
from tflite_squeeze.conversion.mixed.choice import fewest
from tflite_squeeze.conversion.mixed.judging import noise
from tflite_squeeze.conversion.mixed.record import KeptInFloat
from tflite_squeeze.data.data import Data
from tflite_squeeze.emission.chatter import Chatter
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.emission.endpoints import file_specs
from tflite_squeeze.emission.from_file.emit import floats_of
from tflite_squeeze.emission.from_file.integers import calibrated
from tflite_squeeze.emission.from_file.kept import kept_in_float, with_names
from tflite_squeeze.emission.from_file.planned import Wanted, with_wanted_ranges
from tflite_squeeze.emission.quantization import Quantization
from tflite_squeeze.errors import RuntimeFailure
from tflite_squeeze.network.loading import LoadedModel
from tflite_squeeze.runtime.run import run_file
from tflite_squeeze.tflite.fields import dtype_name, text
from tflite_squeeze.tflite.flatbuffer import read_model
from tflite_squeeze.tflite.links import Links
from tflite_squeeze.tflite.signatures import FileSignature, signatures_of
from tflite_squeeze.training.progress import Working
from tflite_squeeze.verification.labels import labels_by_output
from tflite_squeeze.verification.limits import Tolerance
from tflite_squeeze.verification.record import compare_output, failures_of, without_remedy

Array = NDArray[Any]

_SAMPLES = 64


@dataclass(frozen=True, kw_only=True)
class Operator:
    """An operator that can stay in float.

    Attributes:
        name: of what it puts out.
        inputs: names of the tensors that it reads and others compute.
    """

    name: str
    inputs: tuple[str, ...]

    @property
    def keep(self) -> str:
        """The pattern that `--keep-float` takes for it."""
        return glob.escape(self.name)


def operators_of(tflite: bytes) -> list[Operator]:
    """The operators of a float file that put out numbers in float, in order of execution."""
    model = read_model(tflite)
    found = []
    for subgraph in range(len(model.subgraphs)):
        links = Links(model, subgraph)
        tensors = links.graph.tensors
        for at in range(len(links.names)):
            outputs = links.outputs(at)
            if outputs and dtype_name(tensors[outputs[0]]) == "float32":
                inputs = tuple(text(tensors[one].name) for one in links.computed(at))
                found.append(Operator(name=text(tensors[outputs[0]].name), inputs=inputs))
    return found


class FileSearch:
    """A file whose operators are measured once, and of which more and more may stay in float.

    Args:
        source: the file.
        config: int8, with what is kept in float at any rate.
        samples: to calibrate on and to choose by.
        tolerance: the limits.
        tell: of the progress.

    Attributes:
        calibrated_on: number of samples that ranges were calibrated on.
        chosen_on: number of samples that operators are chosen by.
        order: the operators, first those that add most noise to what they read.
        losses: that noise, as a share of the variance of what an operator puts out, by its name.
    """

    def __init__(
        self,
        source: LoadedModel,
        config: Convert,
        samples: Data,
        tolerance: Tolerance,
        tell: Working,
    ) -> None:
        self._config, self._tolerance, self._tell = config, tolerance, tell
        self._plain = with_names(floats_of(source, Quantization.INT8)[0])
        self._runs = [_Run(one, self._plain, samples) for one in signatures_of(self._plain)]
        seen: dict[str, int] = {}
        batches = calibration_batches(source, config, samples, seen)
        work = calibrated(self._plain, config, batches, Chatter())
        self._calibrated = with_wanted_ranges(work, Wanted(), config, batches)[0]
        self.chosen_on = max(one.count for one in self._runs)
        self.calibrated_on = max(seen.values())
        self._tries = 0
        units = operators_of(self._plain)
        loss = _added_noise(units, self._runs, self._file(()))
        self.order = sorted(units, key=lambda unit: -loss[unit.name])
        self.losses = {unit.name: loss[unit.name] for unit in self.order}

    def fewest(self) -> list[Operator]:
        """The operators that have to stay in float for the answers to pass."""
        return fewest(self.order, self._passes)

    def told(self, kept: Sequence[Operator]) -> tuple[KeptInFloat, ...]:
        """What a record says of those that are kept.

        Args:
            kept: in the order of the noise that they add.
        """
        return tuple(
            KeptInFloat(
                name=unit.name,
                kind="activation",
                loss=self.losses[unit.name],
                without=self._first_failure([one for one in kept if one is not unit]),
            )
            for unit in kept
        )

    def _first_failure(self, kept: Sequence[Operator]) -> str:
        """Why the answers fail, without the remedy behind it; "" where they do not."""
        return without_remedy(next(iter(self._failures(kept)), ""))

    def _file(self, kept: Sequence[Operator]) -> bytes:
        patterns = (*self._config.keep_float, *(unit.keep for unit in kept))
        in_float = kept_in_float(self._plain, patterns).operators if patterns else ()
        return self._calibrated.quantized(in_float)

    def _passes(self, kept: Sequence[Operator]) -> bool:
        self._tries += 1
        self._tell("looking for the fewest in float", self._tries, len(self.order))
        return not self._failures(kept)

    def _failures(self, kept: Sequence[Operator]) -> tuple[str, ...]:
        tflite = self._file(kept)
        try:
            found = [one.failures(tflite, self._tolerance) for one in self._runs]
        except RuntimeFailure as error:
            return (str(error),)
        return tuple(line for lines in found for line in lines)


class _Run:
    """One signature, the samples for it and what the float file answers."""

    def __init__(self, signature: FileSignature, plain: bytes, samples: Data) -> None:
        specs = file_specs(signature)
        sample = samples.fitted_to(specs).sample("validation", _SAMPLES)
        self.count, self._inputs = sample.count, sample.inputs
        self._answer = partial(run_file, signature=signature.name)
        self.tensors = self._tensors(plain)
        self._known = self._answer(plain, sample.inputs).outputs
        self._labels, _ = labels_by_output(sample.labels, self._known)

    def _tensors(self, tflite: bytes) -> dict[str, Array]:
        found = self._answer(tflite, self._inputs, keep_tensors=True).tensors
        return {one.name: one.values for one in found}

    def noise_in(self, tflite: bytes) -> dict[str, float]:
        """Noise as a share of the variance of every tensor that both files compute."""
        return {
            name: noise(self.tensors[name], values)
            for name, values in self._tensors(tflite).items()
            if name in self.tensors and values.shape == self.tensors[name].shape
        }

    def failures(self, tflite: bytes, tolerance: Tolerance) -> tuple[str, ...]:
        """The limits that a file does not meet."""
        found = self._answer(tflite, self._inputs).outputs
        compared = tuple(
            compare_output(
                "", name, known, found[name], self._labels.get(name),
                least_part_db=tolerance.min_part_db,
            )
            for name, known in self._known.items()
        )  # fmt: skip
        return failures_of(compared, tolerance, Quantization.INT8)


def _added_noise(units: Sequence[Operator], runs: Sequence[_Run], int8: bytes) -> dict[str, float]:
    """By operator, the noise of what it puts out beyond the noise of what it reads."""
    noises: dict[str, float] = {}
    for run in runs:
        noises |= run.noise_in(int8)
    return {
        unit.name: noises.get(unit.name, 0.0)
        - max((noises.get(name, 0.0) for name in unit.inputs), default=0.0)
        for unit in units
    }
