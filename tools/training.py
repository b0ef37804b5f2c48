"""Trains one reference network: augmentation, cosine learning rate, a held-out part."""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from recipes import Recipe

from tflite_squeeze.data.named_sets import NamedSet
from tflite_squeeze.data.preprocessing import preprocess_array

HELD_OUT_IMAGES = 5000
HELD_OUT_PERSON = 7


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Preprocessed arrays: for training, for looking at meanwhile, and for the one final test."""

    x_train: np.ndarray
    y_train: np.ndarray
    x_validation: np.ndarray
    y_validation: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray


def split(dataset: NamedSet) -> Parts:
    """Holds out the last 5,000 training images, or all windows of one person."""
    if dataset.train_groups is None:
        held_out = np.arange(len(dataset.x_train)) >= len(dataset.x_train) - HELD_OUT_IMAGES
    else:
        held_out = dataset.train_groups == HELD_OUT_PERSON
    x_train = preprocess_array(dataset.x_train, dataset.preprocessing)
    return Parts(
        x_train=x_train[~held_out],
        y_train=dataset.y_train[~held_out],
        x_validation=x_train[held_out],
        y_validation=dataset.y_train[held_out],
        x_test=preprocess_array(dataset.x_test, dataset.preprocessing),
        y_test=dataset.y_test,
    )


def shifted(x: tf.Tensor, pixels: int, seed: tf.Tensor) -> tf.Tensor:
    """Moves each image of a batch by up to that many pixels along each axis, zeros coming in."""
    batch, size = tf.shape(x)[0], x.shape[1]
    padded = tf.pad(x, [[0, 0], [pixels, pixels], [pixels, pixels], [0, 0]])
    starts = tf.random.stateless_uniform([2, batch], seed, 0, 2 * pixels + 1, tf.int32)
    span = tf.range(size)[tf.newaxis]
    rows = tf.gather(padded, starts[0][:, tf.newaxis] + span, axis=1, batch_dims=1)
    return tf.gather(rows, starts[1][:, tf.newaxis] + span, axis=2, batch_dims=1)


def augmented(x: tf.Tensor, recipe: Recipe, seed: tf.Tensor) -> tf.Tensor:
    """Flips, shifts and noise of one batch, as the recipe has it."""
    if recipe.flip:
        shape = [tf.shape(x)[0], *[1] * (len(x.shape) - 1)]
        coin = tf.random.stateless_uniform(shape, seed) < 0.5
        x = tf.where(coin, tf.reverse(x, axis=[2]), x)
    if recipe.shift:
        x = shifted(x, recipe.shift, seed + 1)
    if recipe.noise:
        x += tf.random.stateless_normal(tf.shape(x), seed + 2, stddev=recipe.noise)
        gain = tf.random.stateless_uniform([tf.shape(x)[0], 1, x.shape[-1]], seed + 3, 0.8, 1.2)
        x *= gain
    return x


def batches(parts: Parts, recipe: Recipe, seed: int) -> tf.data.Dataset:
    """The training part as shuffled, augmented batches; the same ones for the same seed."""
    count = len(parts.x_train)
    examples = tf.data.Dataset.from_tensor_slices((parts.x_train, parts.y_train))
    shuffled = examples.shuffle(count, seed=seed).batch(recipe.batch, drop_remainder=True)
    seeds = tf.data.Dataset.random(seed=seed, rerandomize_each_iteration=True).batch(2)
    return (
        tf.data.Dataset.zip(shuffled, seeds)
        .map(
            lambda example, pair: (augmented(example[0], recipe, pair), example[1]),
            num_parallel_calls=2,
        )
        .prefetch(2)
    )


def train(recipe: Recipe, parts: Parts, *, epochs: int, seed: int, verbose: int) -> Any:
    """Trains from scratch with AdamW and a cosine learning rate after one warm-up epoch.

    Returns:
        The trained Keras 3 model.
    """
    keras.utils.set_random_seed(seed)
    model = recipe.build(keras)
    steps = len(parts.x_train) // recipe.batch
    warmup = min(steps, steps * epochs // 4)
    rate = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=recipe.learning_rate / 10,
        decay_steps=max(steps * epochs - warmup, 1),
        warmup_target=recipe.learning_rate,
        warmup_steps=warmup,
    )
    model.compile(
        optimizer=keras.optimizers.AdamW(rate, weight_decay=0.05),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        jit_compile=recipe.jit,
    )
    # XLA recompiles for the last, smaller batch; validating at the end only spares that per epoch.
    model.fit(batches(parts, recipe, seed), epochs=epochs, verbose=verbose)
    return model


def accuracy(model: Any, x: np.ndarray, y: np.ndarray) -> float:
    """Share of examples whose class of highest probability is the labelled one."""
    predictions = model.predict(x, batch_size=500, verbose=0)
    return float(np.mean(np.argmax(predictions, axis=-1) == y))
