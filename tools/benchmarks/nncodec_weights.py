"""What NNCodec's arithmetic coder (DeepCABAC of MPEG NNC) makes of integer weights.

NNCodec brings PyTorch; its coder is an extension that needs NumPy alone. In an environment of its
own:

    python -m venv build/nncodec
    build/nncodec/bin/pip install --no-deps nncodec==2.1.3 numpy==1.26.4
    build/nncodec/bin/python tools/benchmarks/nncodec_weights.py weights.npz

Prints the bytes of all arrays together; headers of the format are not counted.
"""

import importlib.machinery
import importlib.util
import sys
import sysconfig
from pathlib import Path

import numpy as np

_UNARY = 11  # as the package's default


def main(path: str) -> None:
    """Codes every array of an archive; the shorter of both settings of its adaptive models."""
    folder = Path(sysconfig.get_paths()["platlib"]) / "nncodec" / "extensions"
    (file,) = folder.glob("deepCABAC*.so")
    loader = importlib.machinery.ExtensionFileLoader("deepCABAC", str(file))
    spec = importlib.util.spec_from_loader("deepCABAC", loader)
    assert spec is not None
    coder = importlib.util.module_from_spec(spec)
    loader.exec_module(coder)
    off = (coder.HdspMode.AlwaysOff, np.zeros(2, np.int8))
    whole = 0
    for values in np.load(path).values():
        weights = np.ascontiguousarray(values.reshape(len(values), -1), np.int32)
        sizes = []
        for adaptive in (0, 1):
            encoder = coder.Encoder()
            encoder.initCtxModels(_UNARY, adaptive)
            skipped = np.zeros(len(weights), np.int32)
            encoder.encodeLayer(weights, 0, 0, 0, 0, 0, skipped, *off, 0, 0)
            sizes.append(len(encoder.finish().tobytes()))
        whole += min(sizes)
    print(whole)


if __name__ == "__main__":
    main(sys.argv[1])
