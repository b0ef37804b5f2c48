from typing import Any

import numpy as np

from tests.techniques.rounding.config import Round
from tests.techniques.rounding.record import RoundRecord
from tflite_squeeze.network.weights import select
from tflite_squeeze.training.step_run import RunContext, StepRun


def round_weights(
    model: Any, config: Round, data: Any = None, finetune: Any = None, *,
    one_shot: bool = False, context: RunContext | None = None, verbose: int = 0,
) -> tuple[Any, RoundRecord]:  # fmt: skip
    run = StepRun(model, data, finetune, one_shot=one_shot, context=context)
    rounded = run.model
    run.train(rounded, verbose=verbose)
    selection, values = select(rounded, only=config.only), {}
    for target in selection.targets:
        on_grid = np.round(np.asarray(target.variable) / config.step) * config.step
        target.variable.assign(on_grid)
        values[target.name] = len(np.unique(on_grid))
    facts = run.facts(rounded)
    return rounded, RoundRecord(config=config, values=values, skipped=selection.skipped, **facts)
