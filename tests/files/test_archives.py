"""Archives judged by what they declare."""

import io
import zipfile

import pytest

from tflite_squeeze.errors import InputError
from tflite_squeeze.files.archives import check_archive, most_bytes


def archive_of(content: bytes, **options) -> tuple[zipfile.ZipFile, int]:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", **options) as archive:
        archive.writestr("a.bin", content)
    return zipfile.ZipFile(stream), len(stream.getvalue())


def test_proportion_is_judged_not_size() -> None:
    archive, size = archive_of(bytes(10**6), compression=zipfile.ZIP_DEFLATED)
    check_archive(archive, "model a", size)
    archive, size = archive_of(bytes(10**8), compression=zipfile.ZIP_DEFLATED)
    assert most_bytes(size) < 10**8
    with pytest.raises(InputError, match=r"model a: [\d,]+ bytes would unpack to 100,000,000"):
        check_archive(archive, "model a", size)


@pytest.mark.parametrize(
    ("edit", "match"),
    [({"flag_bits": 1}, "encrypted: unlock"), ({"compress_type": 99}, "packed by the method 99")],
)
def test_members_that_cannot_be_read_are_named(edit, match: str) -> None:
    archive, size = archive_of(b"x")
    for name, value in edit.items():
        setattr(archive.infolist()[0], name, value)
    with pytest.raises(InputError, match=match):
        check_archive(archive, "model a", size)
