"""What a file costs, and what it loses against the model that was given."""

from collections.abc import Iterable

import numpy as np

from tflite_squeeze.data.data import Data
from tflite_squeeze.emission.quantization import Quantization
from tflite_squeeze.microcontrollers.ethos_u import profile_ethos_u
from tflite_squeeze.microcontrollers.ethos_u_record import EthosUProfile, EthosURecord
from tflite_squeeze.microcontrollers.profile import profile_micro
from tflite_squeeze.microcontrollers.record import MicroProfile
from tflite_squeeze.network.loading import LoadedModel
from tflite_squeeze.recipes.objective import Tune
from tflite_squeeze.recipes.outcome import ANYTHING_GOES
from tflite_squeeze.runtime.turns import in_turns, turn_by_turn
from tflite_squeeze.search.record import Loss
from tflite_squeeze.tflite.footprint import footprint
from tflite_squeeze.verification.record import OutputFidelity, Verify, VerifyRecord
from tflite_squeeze.verification.verify import verify

_ANY = 1e-9  # asks for the agreement of classes, and for none
_COUNTED = {"download": "download_bytes", "raw": "raw_bytes", "macs": "macs"}


def costs_of(
    tflite: bytes, asked: Tune, first: tuple[bytes, float] | None, *, timed: bool = True
) -> dict[str, float]:
    """What a file costs of everything that was asked about, and its bytes.

    Args:
        tflite: the file.
        asked: what is searched for.
        first: the file that others are timed beside, and its time in microseconds; None for that
            file itself.
        timed: whether latency is measured.

    Returns:
        By name: latency in microseconds, energy in nanojoules, ram and the others in bytes or
        multiply-accumulates.

    Raises:
        UnsupportedError: the target cannot run it.
        RuntimeFailure: the runtime refuses it.
    """
    size = footprint(tflite)
    found = {name: float(getattr(size, field)) for name, field in _COUNTED.items()}
    if asked.target == "micro":
        micro = profile_micro(tflite, MicroProfile(examples=1))
        found["ram"] = float(micro.arena.smallest_bytes)
    elif asked.on_npu:
        npu = estimated(tflite, asked)
        found |= {
            "raw": float(npu.compiled_bytes),
            "ram": float(npu.sram_bytes + npu.dram_bytes),
            "latency": npu.microseconds,
            "energy": npu.energy_nj,
        }
    elif timed:
        found["latency"] = _time(tflite, first)
    return found


def estimated(tflite: bytes, asked: Tune) -> EthosURecord:
    """What a file takes on the NPU that is asked for.

    Args:
        tflite: the file.
        asked: what is searched for.

    Raises:
        UnsupportedError: the NPU can run none of its operators.
    """
    return profile_ethos_u(tflite, EthosUProfile.model_validate({"accelerator": asked.target}))


def _time(tflite: bytes, first: tuple[bytes, float] | None) -> float:
    """Microseconds of a run: in turns with the first file, so that other load hits both alike."""
    if first is None:
        return in_turns({"file": tflite})["file"]
    reference, microseconds = first
    times = turn_by_turn({"first": reference, "file": tflite})
    return microseconds * float(np.median(times["file"] / times["first"]))


def loss_of(
    source: LoadedModel, tflite: bytes, data: Data, kind: Quantization, *, logits: bool = False
) -> Loss:
    """What a file loses on the validation part of data.

    Args:
        source: the model that was given.
        tflite: the file.
        data: fitted to the model.
        kind: type of the file.
        logits: whether outputs are scores of classes, whatever their values are.

    Raises:
        RuntimeFailure: the runtime refuses the file.
    """
    config = Verify(samples=None, **{**ANYTHING_GOES, "min_agreement": _ANY if logits else 0.0})
    return worst_loss(verify(source, tflite, data, config, quantization=kind))


def worst_loss(record: VerifyRecord) -> Loss:
    """The largest loss of all outputs: with labels of those that have some, else of all."""
    judged = [found for one in record.outputs if (found := _labelled(one, record)) is not None]
    return max(judged or _unlabelled(record.outputs, record), key=lambda one: one.drop)


def _labelled(one: OutputFidelity, record: VerifyRecord) -> Loss | None:
    if one.accuracy is not None:
        found = one.accuracy
        return Loss(
            measure="accuracy",
            drop=0.0 - found.difference,
            low=0.0 - found.high,
            high=0.0 - found.low,
            value=found.file,
            examples=found.examples,
        )
    if one.errors is not None and one.errors.worst:
        worst = one.errors.worst[0]
        return Loss(measure="error", drop=worst.rise, low=worst.low, examples=record.examples)
    return None


def _unlabelled(outputs: Iterable[OutputFidelity], record: VerifyRecord) -> list[Loss]:
    losses = []
    for one in outputs:
        if one.agreement is not None:
            drop, value = 1 - one.agreement, one.agreement
            losses.append(
                Loss(measure="agreement", drop=drop, value=value, examples=record.examples)
            )
        else:
            noise = float(10 ** (-one.sqnr_db / 20))
            losses.append(Loss(measure="noise", drop=noise, examples=record.examples))
    return losses
