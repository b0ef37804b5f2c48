"""Pruning, sharing and distilling under `tf.distribute`: on logical CPUs, and in processes."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).with_name("distributed_training.py")


def start(kind: str, *flavors: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), kind, *flavors],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def result(process: subprocess.Popen[str]) -> list[dict[str, Any]]:
    try:
        out, errors = process.communicate(timeout=180)
    finally:
        process.kill()
    assert process.returncode == 0, errors[-2000:]
    return json.loads(out.splitlines()[-1])


def parted(results: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Those of pruning, of sharing, and of distilling."""
    logged = ("sparsity", "shared_values", "distillation")
    parts = [[found for found in results if name in found["history"]] for name in logged]
    pruned, shared, distilled = map(len, parts)
    assert pruned == shared == 2 * distilled
    assert pruned + shared + distilled == len(results)
    return parts


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def test_mirrored_on_two_devices() -> None:
    results = result(start("mirrored", "keras", "tf_keras"))
    assert all(found["alike"] for found in results)
    pruned, shared, distilled = parted(results)
    for found in pruned:
        assert found["zeros"] == [96, 96]
        assert found["history"]["sparsity"][-1] == 0.75
    for found in shared:
        assert found["values"] == [4, 4]
        assert found["history"]["shared_values"] == [4, 4]
    for found in distilled:
        assert found["history"]["distillation"][1] < found["history"]["distillation"][0]


def test_two_workers_on_the_loopback() -> None:
    """In tf_keras alone: Keras 3's own `fit` cannot read what this strategy distributes."""
    workers = [f"127.0.0.1:{port}" for port in free_ports(2)]
    tasks = [
        {"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}}
        for index in range(2)
    ]
    processes = [start("workers", "tf_keras", TF_CONFIG=json.dumps(task)) for task in tasks]
    first, second = (result(process) for process in processes)
    assert first == second
    pruned, shared, distilled = parted(first)
    for found in pruned:
        assert found["zeros"] == [96]
        assert found["history"]["sparsity"][-1] == 0.75
    for found in shared:
        assert found["values"] == [4]
    for found in distilled:
        assert found["history"]["distillation"][1] < found["history"]["distillation"][0]
