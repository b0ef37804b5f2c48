"""One way to split one layer, as layers that stand alone."""

from typing import Any

import numpy as np
import tensorflow as tf

from tests import tiny_models
from tflite_squeeze.network.flavors import flavor_of
from tflite_squeeze.network.rewriting import changed
from tflite_squeeze.techniques.low_rank.splitting import standing_alone


def test_a_chain_alone_answers_as_in_its_model(library: Any) -> None:
    model = tiny_models.dense(library)
    spec = tf.TensorSpec((1, 8), tf.float32)
    alone = standing_alone([changed(layer) for layer in model.layers], spec, flavor_of(model))
    x = tiny_models.examples(3, 8)
    np.testing.assert_allclose(alone(x), model(x), atol=1e-6)
