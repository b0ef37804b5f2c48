"""Attention is the layer, whatever nodes an exporter moves its heads with."""

from pathlib import Path
from typing import Any

import numpy as np

from tests.onnx_files import node, onnx_file, weight, whole
from tflite_squeeze.foreign.onnx.importing import import_onnx
from tflite_squeeze.network.graph import graph_of

TOKENS, WIDTH, HEADS = 6, 8, 2
SCALE = np.array(0.5, np.float32)  # of heads of 4 numbers


def packed(*, masked: bool = False, permutation: tuple[int, ...] = (2, 0, 3, 1, 4)) -> Any:
    """Queries, keys and values by one matrix, taken apart by a Reshape, a Transpose and Gathers."""
    nodes = [
        node("MatMul", "x in.weight", "p"), node("Add", "p in.bias", "q"),
        node("Reshape", "q apart", "r"), node("Transpose", "r", "t", perm=permutation),
        node("Gather", "t zero", "query", axis=0), node("Gather", "t one", "key", axis=0),
        node("Gather", "t two", "value", axis=0),
        node("Transpose", "key", "turned", perm=[0, 1, 3, 2]),
        node("MatMul", "query turned", "product"), node("Mul", "product scale", "scores"),
        *([node("Add", "scores mask", "masked")] if masked else []),
        node("Softmax", "masked" if masked else "scores", "shares", axis=-1),
        node("MatMul", "shares value", "mixed"), node("Transpose", "mixed", "m", perm=[0, 2, 1, 3]),
        node("Reshape", "m whole", "n"), node("MatMul", "n out.weight", "o"),
        node("Add", "o out.bias", "y"),
    ]  # fmt: skip
    weights: dict[str, Any] = {
        "in.weight": weight(WIDTH, 3 * WIDTH), "in.bias": weight(3 * WIDTH, seed=1),
        "out.weight": weight(WIDTH, WIDTH, seed=2), "out.bias": weight(WIDTH, seed=3),
        "apart": whole(0, TOKENS, 3, HEADS, WIDTH // HEADS), "whole": whole(0, TOKENS, WIDTH),
        "zero": np.array(0), "one": np.array(1), "two": np.array(2), "scale": SCALE,
        "mask": np.triu(np.full((TOKENS, TOKENS), -np.inf, np.float32), 1),
    }  # fmt: skip
    return nodes, {"x": ["b", TOKENS, WIDTH]}, weights


def kinds(folder: Path, case: Any) -> list[str]:
    """The layers of an imported graph."""
    nodes = graph_of(import_onnx(onnx_file(folder, *case)).model).nodes.values()
    return [each.kind for each in nodes if each.kind != "InputLayer"]


def test_one_matrix_for_all_is_an_attention_layer(tmp_path: Path) -> None:
    model = import_onnx(onnx_file(tmp_path, *packed())).model
    (layer,) = model.layers[1:]
    assert type(layer).__name__ == "MultiHeadAttention"
    assert (layer.get_config()["num_heads"], layer.get_config()["key_dim"]) == (HEADS, 4)
    assert model.count_params() == 4 * (WIDTH * WIDTH + WIDTH)


def test_a_mask_of_what_comes_later_is_causal(tmp_path: Path) -> None:
    assert kinds(tmp_path, packed(masked=True)) == ["MultiHeadAttention"]


def test_another_scale_goes_into_the_queries(tmp_path: Path) -> None:
    nodes, inputs, weights = packed()
    weights["scale"] = np.array(0.125, np.float32)
    assert kinds(tmp_path, (nodes, inputs, weights)) == ["MultiHeadAttention"]


def test_another_mask_is_left_as_it_is(tmp_path: Path) -> None:
    nodes, inputs, weights = packed(masked=True)
    weights["mask"] = weight(TOKENS, TOKENS)
    found = kinds(tmp_path, (nodes, inputs, weights))
    assert "MultiHeadAttention" not in found
    assert found.count("Matmul") == 2


def test_attention_over_features_is_left_as_it_is(tmp_path: Path) -> None:
    nodes, inputs, weights = packed(permutation=(2, 0, 3, 4, 1))
    nodes[-4] = node("Transpose", "mixed", "m", perm=[0, 3, 1, 2])
    weights["scale"] = np.array(1, np.float32)
    assert "MultiHeadAttention" not in kinds(tmp_path, (nodes, inputs, weights))
