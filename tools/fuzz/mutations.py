"""Changes to files: of their bytes, and of what is inside them with all sums right again."""

import io
import json
import random
import struct
import zipfile
from collections.abc import Callable
from typing import Any

_NUMBERS = (0, 1, -1, 2, 7, 255, 65535, 2**31 - 1, -(2**31), 2**32, 2**63, 10**30, 1e308, 0.5)
_TEXTS = ("", "x", "..", "/etc/passwd", "os.system", "relu", "\udcff", "a" * 3000, "\0", "%s", "ü→")
_VALUES = (*_NUMBERS, *_TEXTS, None, True, False, [], {}, [[]], [None], {"class_name": "Lambda"},
           {"class_name": "Dense", "config": {}}, {"class_name": "__lambda__", "config": {}}
           )  # fmt: skip


def changed_bytes(data: bytes, rng: random.Random) -> bytes:
    """Flips, cuts, repeats, swaps or plants something, once or a few times."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 16))):
        if not changed:
            break
        at, other, kind = rng.randrange(len(changed)), rng.randrange(len(changed)), rng.randrange(8)
        size = rng.choice((1, 2, 4, 8, 64))
        if kind == 0:
            changed[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            changed[at] = rng.randrange(256)
        elif kind == 2:
            del changed[at : at + size]
        elif kind == 3:
            changed[at:at] = changed[other : other + size]
        elif kind == 4:
            changed[at : at + size] = changed[other : other + size]
        elif kind == 5:
            number = rng.choice((0, 1, 2**31 - 1, 2**31, 2**32 - 1, 65536, len(data)))
            changed[at : at + 4] = struct.pack("<I", number)
        elif kind == 6 and rng.random() < 0.3:
            del changed[at:]
        else:
            changed[at : at + size] = bytes(rng.choice((0, 255)) for _ in range(size))
    return bytes(changed)


def changed_tree(tree: Any, rng: random.Random) -> Any:
    """A parsed JSON value with a few of its parts replaced, removed, repeated or moved."""
    tree = json.loads(json.dumps(tree))
    for _ in range(rng.choice((1, 1, 2, 3))):
        places = list(_places(tree))
        if not places:
            return rng.choice(_VALUES)
        holder, key = rng.choice(places)
        kind = rng.randrange(7)
        if kind == 0 and isinstance(holder, dict):
            del holder[key]
        elif kind == 1 and isinstance(holder, list):
            holder.insert(key, json.loads(json.dumps(holder[key])))
        elif kind == 2:
            other, there = rng.choice(places)
            holder[key] = json.loads(json.dumps(other[there]))
        elif kind == 3 and isinstance(holder[key], int) and not isinstance(holder[key], bool):
            holder[key] += rng.choice((-1, 1, 1000, 10**9))
        elif kind == 4 and isinstance(holder[key], str):
            holder[key] = rng.choice((*_TEXTS, holder[key] + " ", holder[key].upper()))
        elif kind == 5:
            for _ in range(rng.choice((2, 50, 400))):
                holder[key] = [holder[key]]
        else:
            holder[key] = json.loads(json.dumps(rng.choice(_VALUES)))
    return tree


def _places(tree: Any) -> Any:
    pending = [tree]
    while pending:
        node = pending.pop()
        children = (
            list(node.items()) if isinstance(node, dict) else
            list(enumerate(node)) if isinstance(node, list) else []
        )  # fmt: skip
        for key, value in children:
            yield node, key
            pending.append(value)


def changed_archive(
    data: bytes, rng: random.Random, inside: dict[str, Callable[[bytes, random.Random], bytes]]
) -> bytes:
    """A zip archive with one member changed, and a directory and sums that are right."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = rng.choice(sorted(members))
    change = next((inside[end] for end in inside if name.endswith(end)), changed_bytes)
    kind = rng.randrange(12)
    if kind == 0:
        del members[name]
    elif kind == 1:
        members[rng.choice(("../outside", "/tmp/outside", "a/b", "\udcff", "x" * 300))] = b"x"
    else:
        members[name] = change(members[name], rng)
    stream = io.BytesIO()
    method = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    with zipfile.ZipFile(stream, "w", method) as archive:
        for each, content in members.items():
            archive.writestr(each.encode("utf-8", "replace").decode(), content)
    return stream.getvalue()


def changed_json(data: bytes, rng: random.Random) -> bytes:
    """JSON text with parts of its value changed."""
    return json.dumps(changed_tree(json.loads(data), rng)).encode("utf-8", "surrogatepass")


def changed_lines(data: bytes, rng: random.Random, tokens: tuple[bytes, ...]) -> bytes:
    """Text with lines moved, words replaced, and signs that mean something planted."""
    lines = data.split(b"\n")
    for _ in range(rng.choice((1, 1, 1, 2))):
        at, kind = rng.randrange(len(lines)), rng.randrange(5)
        if kind == 0:
            lines.insert(at, rng.choice(lines))
        elif kind == 1:
            words = lines[at].split(b" ")
            words[rng.randrange(len(words))] = rng.choice(tokens)
            lines[at] = b" ".join(words)
        elif kind == 2:
            lines[at] = rng.choice((b" ", b"  ", b"\t", b"- ")) + lines[at]
        elif kind == 3:
            cut = rng.randrange(len(lines[at]) + 1)
            lines[at] = lines[at][:cut] + rng.choice(tokens) + lines[at][cut:]
        else:
            lines[at] = changed_bytes(lines[at], rng) if lines[at] else rng.choice(tokens)
    return b"\n".join(lines)
