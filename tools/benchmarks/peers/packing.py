"""`pack` beside gzip -9 and xz -9."""

import gzip
import lzma
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from tflite_squeeze.packing.pack import pack, unpack

from .arrays import fashion_mnist, reference_model
from .converter import cpu_seconds, own_file
from .results import Row, seeds_row

_Pair = tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]
PACKERS: dict[str, _Pair] = {
    "gzip -9": (lambda data: gzip.compress(data, 9, mtime=0), gzip.decompress),
    "xz -9": (lambda data: lzma.compress(data, preset=9), lzma.decompress),
}
_TIMES = 20  # a call of the peers' takes less than the clock's tick


def packed(
    network: str, modes: Sequence[str], repetitions: int, *, quick: bool = False
) -> Iterator[Row]:
    """Bytes to send and CPU time to pack and unpack, for each packer."""
    data = fashion_mnist(quick=quick)
    model = reference_model(network)
    for mode in modes:
        tflite = own_file(model, mode, data)
        mine = pack(tflite)
        if unpack(mine) != tflite:
            raise ValueError(f"{network} {mode}: pack gave back other bytes")
        for name, (compress, expand) in PACKERS.items():
            theirs = compress(tflite)
            what = f"{network}, {mode}, {name}"
            yield Row(what=what, measure="sent_bytes", here=len(mine), peer=len(theirs))
            for step, here, peer in (
                ("packing", partial(pack, tflite), partial(compress, tflite)),
                ("unpacking", partial(unpack, mine), partial(expand, theirs)),
            ):
                times = [(_ms(here, 1), _ms(peer, _TIMES)) for _ in range(repetitions)]
                yield seeds_row(f"{what}: {step}", "cpu_ms", *zip(*times, strict=True))


def _ms(work: Callable[[], object], times: int) -> float:
    """Mean CPU time of some calls in a row, in milliseconds."""
    return 1000 * cpu_seconds(lambda: [work() for _ in range(times)]) / times
