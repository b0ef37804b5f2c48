"""What became of shared values on the way from a model into a file."""

from collections.abc import Mapping, Sequence

from tflite_squeeze.emission.shared_values.kernels import SharedKernel
from tflite_squeeze.emission.shared_values.record import SharedInFile, stored_values


def shared_in_file(
    tflite: bytes, kernels: Sequence[SharedKernel], tensors: Mapping[str, str]
) -> tuple[SharedInFile, ...]:
    """Counts, in the bytes, the values of every kernel that shares some.

    Args:
        tflite: the file as it will be saved.
        kernels: those of its model that share values.
        tensors: the tensor of each that was found in the file.

    Raises:
        InputError: the file is damaged.
    """
    counts = stored_values(tflite) if kernels else {}
    found = []
    for kernel in kernels:
        tensor = tensors.get(kernel.name, "")
        stored, scales = counts.get(tensor, (0, 0))
        found.append(
            SharedInFile(
                name=kernel.name,
                tensor=tensor if tensor in counts else "",
                values=kernel.values,
                stored=stored,
                scales=scales,
            )
        )
    return tuple(found)
