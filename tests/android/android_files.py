"""Files with every kind of input, output and state that the Kotlin class handles."""

from functools import cache
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tests.runtime.runtime_files import (
    counter_file,
    named_dense_file,
    quantized_file,
    svdf_file,
    two_signatures_file,
)
from tests.tiny_files import FileMaker
from tflite_squeeze.android.config import ExportAndroid
from tflite_squeeze.android.export import AndroidExport, export_android
from tflite_squeeze.data.preprocessing import Preprocessing

PACKAGE = "com.example.exported"


def identity_file(dtype: str) -> bytes:
    """y = x, of a type that does not stand for reals."""
    maker = FileMaker()
    x, y = maker.tensor("x", (1, 3), dtype), maker.tensor("y", (1, 3), dtype)
    shape = maker.tensor("shape", (2,), "int32", data=np.int32([1, 3]))
    maker.operator("RESHAPE", [x, shape], [y], schema.ReshapeOptionsT(newShape=[1, 3]))
    return maker.file([x], [y])


def two_ended_file() -> bytes:
    """Inputs `a b` and `class`, outputs their sum and difference, named as no Kotlin name is."""
    maker = FileMaker()
    a, b = maker.tensor("a b", (1, 2)), maker.tensor("class", (1, 2))
    total, difference = maker.tensor("a b", (1, 2)), maker.tensor('$"run\\', (1, 2))
    maker.operator("ADD", [a, b], [total], schema.AddOptionsT())
    maker.operator("SUB", [a, b], [difference], schema.SubOptionsT())
    return maker.file([a, b], [difference, total])


def image_file() -> bytes:
    """The largest of each channel of a 2x2 image in colour."""
    maker = FileMaker()
    x, y = maker.tensor("image", (1, 2, 2, 3)), maker.tensor("y", (1, 3))
    axes = maker.tensor("axes", (2,), "int32", data=np.int32([1, 2]))
    maker.operator("REDUCE_MAX", [x, axes], [y], schema.ReducerOptionsT())
    return maker.file([x], [y])


RGB = Preprocessing(scale="1/255", mean=(0.5, 0.25, 0.0), std=(0.5, 1.0, 2.0))

# Name → file and what is said about it.
FILES: dict[str, tuple[Any, dict[str, Any]]] = {
    "dense": (named_dense_file, {"labels": ("no", "yes")}),
    "int8": (lambda: quantized_file("int8", 0.5, -3), {}),
    "uint8": (lambda: quantized_file("uint8", 0.25, 7), {}),
    "int16": (lambda: quantized_file("int16", 2**-10, 0), {}),
    "bytes": (lambda: identity_file("uint8"), {}),
    "integers": (lambda: identity_file("int32"), {}),
    "longs": (lambda: identity_file("int64"), {}),
    "flags": (lambda: identity_file("bool"), {}),
    "two_ended": (two_ended_file, {}),
    "image": (image_file, {"preprocessing": RGB, "labels": ("r", "g", "b")}),
    "cells": (svdf_file, {"labels": ("sum",)}),
    "counter": (counter_file, {}),
    "relu": (two_signatures_file, {}),
    "packed": (named_dense_file, {"packed": True}),
}


@cache
def exported(name: str) -> AndroidExport:
    make, about = FILES[name]
    return export_android(make(), ExportAndroid(package=PACKAGE, name=name, **about))
