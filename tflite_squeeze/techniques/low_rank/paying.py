"""The verb `factorize`, with the part that measures candidates on the LiteRT interpreter."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.emission.quantization import Quantization
from tflite_squeeze.network import flavors
from tflite_squeeze.runtime.turns import turn_by_turn
from tflite_squeeze.techniques.low_rank import factorize as splitting
from tflite_squeeze.techniques.low_rank.config import Factorize
from tflite_squeeze.techniques.low_rank.factorize import Factorized
from tflite_squeeze.techniques.low_rank.record import LayerTime
from tflite_squeeze.techniques.low_rank.splitting import Judge
from tflite_squeeze.training.config import FineTune

_CALIBRATION_SAMPLES = 16


def factorize(
    model: Any,
    config: Factorize,
    data: Any = None,
    finetune: FineTune | None = None,
    *,
    one_shot: bool = False,
    in_place: bool = False,
    verbose: int = 0,
) -> Factorized:
    """Replaces kernels by products of smaller ones, and keeps those that pay.

    Args:
        model: a Keras model of either flavour: Sequential or functional, nested or not.
        config: which ranks, of which layers. With `measure`, every candidate is converted and
            timed beside the layer that it would replace, and kept only if it is really faster.
        data: `Data` or anything that `load_data` takes. With it the factors keep what the layers
            answer on it; with a labelled training part the model is fine-tuned afterwards.
        finetune: how to train; 3 epochs by default. With labels, unless the model as it was
            teaches (`FineTune(teacher="original")`).
        one_shot: train not, though there is data to train on.
        in_place: without effect, since the layers are new ones; here because every verb has it.
        verbose: as in `model.fit`.

    Returns:
        (model, record). The model is made of standard Keras layers, unless the config says
        otherwise; where every split was refused it is an equal copy.

    Raises:
        UsageError: the config asks for what this model or data cannot give.
        InputError: the data does not fit the model.
        RuntimeFailure: with `measure`, the runtime refuses a candidate.

    Example:
        >>> model, record = factorize(model, Factorize(energy=0.9, measure="none"), "mnist")
        >>> record.macs_ratio
        0.21
    """
    judge = None if config.measure is None else latency_judge(Quantization(config.measure))
    return splitting.factorize(
        model,
        config,
        data,
        finetune,
        one_shot=one_shot,
        in_place=in_place,
        judge=judge,
        verbose=verbose,
    )


def latency_judge(quantize: Quantization) -> Judge:
    """What times models beside another, as files of a quantization.

    Args:
        quantize: of the files. Times do not depend on values: the integer modes calibrate on
            made-up samples.
    """

    def judge(whole: Any, others: Sequence[Any]) -> list[LayerTime]:
        files = {str(at): _file(model, quantize) for at, model in enumerate([whole, *others])}
        times = turn_by_turn(files)
        return [
            LayerTime(
                whole_us=float(times["0"].min()),
                split_us=float(times[str(at)].min()),
                ratio=float(np.median(times[str(at)] / times["0"])),
            )
            for at in range(1, len(files))
        ]

    return judge


def _file(model: Any, quantize: Quantization) -> bytes:
    samples = _made_up(model) if quantize.calibrates else None
    config = Convert(quantize=quantize, sparsity="dense")
    return convert(model, config, samples, verification=None).tflite


def _made_up(model: Any) -> dict[str, Any]:
    """Normal numbers for every input of a model; zeros where it takes integers."""
    generator = np.random.default_rng(0)
    made = {}
    for name, spec in flavors.input_specs(model).items():
        shape = (_CALIBRATION_SAMPLES, *[size or 1 for size in spec.shape[1:]])
        values = generator.normal(size=shape) if spec.dtype.is_floating else np.zeros(shape)
        made[name] = values.astype(spec.dtype.as_numpy_dtype)
    return made
