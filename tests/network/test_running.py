"""Networks run node by node: within memory, and with the answers of the model."""

from typing import Any

import numpy as np
import pytest

from tests import tiny_models
from tflite_squeeze.network.graph import graph_of
from tflite_squeeze.network.running import SAMPLES, answers_of, samples_that_fit


def test_large_activations_get_fewer_samples(library: Any) -> None:
    layers = library.layers
    small = graph_of(tiny_models.dense(library))
    image = library.Input((224, 224, 3))
    large = graph_of(library.Model(image, layers.Conv2D(64, 3, padding="same")(image)))
    assert samples_that_fit(small) == SAMPLES
    assert 16 <= samples_that_fit(large) < 100


@pytest.mark.parametrize("count", [1, 200])
def test_eager_answers_are_the_models(library: Any, count: int) -> None:
    model = tiny_models.convolutional(library)
    images = tiny_models.examples(count, 8, 8, 1)
    (answers,) = answers_of(model, {"image": images})
    np.testing.assert_allclose(answers, model.predict(images, verbose=0), atol=1e-5)
