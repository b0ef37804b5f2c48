"""What the packed form of a file gains over the usual ways of sending files."""

import lzma

from tflite_squeeze.packing.ledger import PackedLedger, packed_ledger
from tflite_squeeze.tables.displayed import Displayed
from tflite_squeeze.tflite.size import download_bytes, size_ledger


class PackRecord(Displayed):
    """The size of a file, packed and otherwise.

    Attributes:
        raw_bytes: the .tflite file.
        download_bytes: after gzip -9, which needs no unpacking by hand.
        xz_bytes: after xz -9.
        packed_bytes: the .tflite.sqz file.
        entropy_bytes: the weights in an ideal order-0 coder, the list of values included.
        ledger: what the packed file's bytes are for; None where it cannot be read.
        stripped: whether names and metadata were removed before packing; sizes are without them.
        allowed: whether the user accepts a packed file that is no smaller.
    """

    tables_by = ".tables:pack_tables"

    raw_bytes: int
    download_bytes: int
    xz_bytes: int
    packed_bytes: int
    entropy_bytes: int
    ledger: PackedLedger | None = None
    stripped: bool = False
    allowed: bool = False

    @property
    def reached(self) -> bool:
        """Whether the packed file is smaller than gzip -9 makes it."""
        return self.packed_bytes < self.download_bytes

    @property
    def refusal(self) -> str:
        """Why the packed file is not written; empty if it is."""
        if self.reached or self.allowed:
            return ""
        return (
            f"packing gains nothing: {self.packed_bytes:,} bytes packed, "
            f"{self.download_bytes:,} with gzip -9: send the .tflite file, which servers and "
            f"stores compress themselves, or pass --allow-larger"
        )


def pack_record(
    tflite: bytes, packed: bytes, *, allow_larger: bool = False, stripped: bool = False
) -> PackRecord:
    """Compares a packed file with other ways of making a file smaller.

    Args:
        tflite: the file's content.
        packed: what `pack` made of it.
        allow_larger: whether to accept a packed file that gains nothing.
        stripped: whether names and metadata were removed from the file before.

    Returns:
        The sizes, and whether packing pays off.

    Raises:
        InputError: the file is damaged.

    Example:
        >>> pack_record(tflite, pack(tflite)).reached
        True
    """
    ledger = size_ledger(tflite)
    return PackRecord(
        raw_bytes=len(tflite),
        download_bytes=download_bytes(tflite),
        xz_bytes=len(lzma.compress(tflite, preset=9)),
        packed_bytes=len(packed),
        entropy_bytes=ledger.entropy_bytes,
        ledger=packed_ledger(tflite, packed),
        stripped=stripped,
        allowed=allow_larger,
    )
