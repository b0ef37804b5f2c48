"""Exports the networks of `onnx_zoo_networks.py` to ONNX, by both of PyTorch's exporters.

    python tools/benchmarks/onnx_zoo_export.py FOLDER [NAME ...]

Runs where torch is installed. The TorchScript exporter keeps BatchNorm and writes opsets 13 to 17
in turn, the dynamo exporter folds it and writes 18 to 20.
"""

import argparse
import copy
import json
import warnings
from pathlib import Path

import torch
from onnx_zoo_networks import NETWORKS
from torch import nn

_ATTENTIVE = ("vit_of_timm", "cross_attention")
_SCRIPT_OPSETS, _DYNAMO_OPSETS = (13, 14, 15, 16, 17), (18, 19, 20)


def randomized(network: nn.Module) -> nn.Module:
    """A network whose statistics and scales are not the ones that they begin with."""
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            module.weight.data.uniform_(0.5, 1.5)
            module.bias.data.normal_(0, 0.1)
    for parameter in network.parameters():
        if not parameter.data.any():  # a head that begins with zeros hides what is before it
            parameter.data.normal_(0, 0.02)
    return network.eval()


def export(name: str, number: int, folder: Path) -> dict[str, str]:
    """Exports one network both ways; returns what went wrong, by way."""
    failed = {}
    for way in ("script", "dynamo"):
        path = folder / f"{name}-{way}.onnx"
        if path.exists():
            continue
        torch.manual_seed(number)
        try:
            network, inputs = NETWORKS[name]()
            network = randomized(network)
            if way == "script":
                opset = _SCRIPT_OPSETS[number % len(_SCRIPT_OPSETS)]
                torch.onnx.export(
                    network, inputs, str(path), dynamo=False, input_names=["input"],
                    # scaled_dot_product_attention has no earlier form
                    opset_version=max(opset, 14) if name in _ATTENTIVE else opset,
                    training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False,
                    dynamic_axes={"input": {0: "batch"}},
                )  # fmt: skip
            else:
                torch.onnx.export(
                    copy.deepcopy(network), inputs, str(path), dynamo=True, input_names=["input"],
                    opset_version=_DYNAMO_OPSETS[number % len(_DYNAMO_OPSETS)],
                    dynamic_shapes=({0: torch.export.Dim.DYNAMIC},), external_data=False,
                    verbose=False,
                )  # fmt: skip
        except Exception as error:  # noqa: BLE001  # whatever an exporter says goes into the log
            failed[way] = f"{type(error).__name__}: {str(error).splitlines()[0][:200]}"
            path.unlink(missing_ok=True)
    return failed


def main() -> None:
    """Exports what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", default=list(NETWORKS))
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    failed = {}
    for number, name in enumerate(NETWORKS):
        if name in options.names:
            print(name, flush=True)
            failed |= {f"{name}-{way}": said for way, said in
                       export(name, number, options.folder).items()}  # fmt: skip
            (options.folder / "failed.json").write_text(json.dumps(failed, indent=1))


if __name__ == "__main__":
    main()
