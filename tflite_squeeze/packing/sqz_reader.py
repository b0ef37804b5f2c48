"""Unpacks, with nothing but Python 3.9: python sqz_reader.py model.tflite.sqz model.tflite.

The page "The packed format" describes what is read. All state is in lists of integers and all
functions are plain arithmetic on them, so that a compiler such as Numba can take them as they are.
"""

import hashlib
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

# dictionary: begin
KNOWN = 4576
DICTIONARY = bytes.fromhex(
    "00e0c92e6ff8bd5e49abb368d5d0ceffa9f44638d768f1f4f0706f1a18b62b370522ce1ca920c08d1002d487fa9f59"
    "479494c2f029c9fb79aed42f1acfe9db297d0526c1151f0591e9061e3cea608cfbd23e0c7a5ac16f172cdc0d7c8ddd"
    "50f54ef8764f17a0a6f6d7015abbf166a9dfd0bd22b4c1da32c2a10f1268399b0c950659a1b7f4cd3cad2ec12b0924"
    "bf883210221081be6ebb916e75f86bbcafef66a9bef81d3b4b459aaeca03c3fef05e73de8622e802ba0f81aae2f540"
    "4dc80c4678885c9ca8bc68fc1861eff165802b6238a9c97794709b62be1c1b572cc4356ea2e3ea081b59ce56f29095"
    "29a4d435eca390f34b129c889eb158636d78af8528e8c2fc7647e18a0941eb8d85311448b77cc0354bfa9213710f74"
    "27a15d9cc58fe0deeb4a414a42b571f8769b897ad65f97179d0f0c9ff94fd85655d23458771647379555c334b3251f"
    "974f23f56e9aa409f324609a2750f970e063894c70877a4c938b0efb72f1adade89e56823ae8af27071ed837387a2c"
    "219c2d5566f6ab88feb37e0ec6030a393a9018d1875870467caa05fb5e100e52b4256bcf56da39127c97b6a5974a91"
    "b6dd5e1f48cf603ee0862254f26de01fe480aa7e40df8082b59b9803f12975ae0000a7d6390fc051e14a2a0130e622"
    "702551476f03162b373aac6efe9da0450b66e29fa2e1cca5e6974579d553346a8d7433befa04c55e113f096021293b"
    "30f7e7133121be1bce0545df89a523b9f7d0c26aaf3aabcf5b260e88d363751e1fa921891ca5b5d8aab3608ab26292"
    "c890a4419db513506b099029be563fbd3ec8ec4680e024f590273a091c3826993832fbe83b8b34474c0e62ba4f59dd"
    "92965f7cbff9a519336cbfc02d94963295739a68747f0dcbb28563060846c6d92e92d3030b055aa9ff47f4b39f22b3"
    "1f81a3af7fdd769dde3473e5b89eb9db61502ef9f8a17528ffb6c16a7c6af2ddd6922383ab3daa481118faa9b0f458"
    "ac08cb6a07ec1604db866caf76775aab82d81f45c76a063bdad305eb1e7eca509a77f6314e5d6876d43f6d4307e805"
    "0349cc20219db1a5b1797fbe51c66f2e2449407fb3886c59285de7496e41848471cd0ab7f2c929115f7c15fb91a847"
    "8f1ee08eec1f5badf256275decbaa782243eb110dd525c5c5b678a03f85f471b9bc3a774b2cf3d503109df128e438a"
    "eca5b392cab9c4d6888f263b6fa066f5ed37512e49fcb6e28da8998ccb6ad075bff594410e1a12dd0d6cd4b05cf63d"
    "1163596be683f852f9bc3e20125a2840af650caa0051bb1d28f2311487acd6c5efc36367c9389d9394ff5f4ec09162"
    "9d753f41b07813f528b261bbb5b1037aac84b2fd4d589e8e40073d6b19582566ef6ac0f55516af6d24b2d9fff37469"
    "c00a37cb3d8e48d2c2bbbd2c9fb8306c85c542200d19079a57a7a29c9b64dbdd8aacece142e4c3c5f7458ebad9e1bd"
    "11434e33f867696942df99d79d3d84d7093474e49d7ca2441cccf2be631c07be16cc747c786c5903b2a48411d22e91"
    "6762ca6286a8e3bd7a9dfd53d5801a94129dd420bc66f578768279a3b8e517116a2d7857bb188f6d5132c70b2e3494"
    "410feeb34c19434d4b847af0c77df96cbe4b9b12045f1214912145d14424cef5123387e60c09a8591f9da9e6959030"
    "168e8d09f0c1eec87e01b6b9641a14d259876a2de0377a233a0177f32ebff40c7c70647cd0af7e948d1eb5af796635"
    "f8e46c92b5ce82e039dec1d42c"
)
# dictionary: end
MAGIC = b"SQZ2"
FREE, GROWTH = 1 << 21, 100  # bytes that any file, and each byte of it, may unpack to
M32 = (1 << 32) - 1
RING = (1 << 16) - 1
# State: arrays, and the places of single numbers in the first one.
REGISTERS, CODES, GIVEN, OUT, SLOTS, PASTS, MAPS, WEIGHTS, INPUTS, CONTEXTS, PLACES = range(11)
STRETCH, SQUASH, RATES, LOGS, HISTORY, MATCHES, MARKS, LEVELS, COLUMNS = range(11, 20)
TABLES, BITS, SPENT = 20, 21, 22
LOW, SPAN, AT, WRITES, DONE, SIZE, PAST, MATCH, MATCHED, NEXT, ORDER = range(11)
TARGET, OFFSET, AGREES, COUNTS = 11, 12, 13, 14
MIXED, TABLE, RAW = range(3)  # how the numbers of a segment are coded
DELTA, PALETTE, REALS, SIGNED, SKIPS, KEEP, BELL, PRODUCT = (1 << k for k in range(8))  # flags
SLOT_BITS, SETS, INPUTS_OF_SET, CLASSES, TABLE_SIZE = 18, 176, 20, 32, 516
State = tuple[list[int], ...]
Array = Callable[[list[int]], list[int]]
SIGMOID = (
    0, 1, 1, 2, 3, 5, 8, 13, 22, 36, 60, 98, 162, 267, 439, 720, 1179, 1921, 3108, 4971, 7812,
    11955, 17625, 24743, 32768, 40793, 47911, 53581, 57724, 60565, 62428, 63615, 64357, 64816,
    65097, 65269, 65374, 65438, 65476, 65500, 65514, 65523, 65528, 65531, 65533, 65534, 65535,
    65535, 65536)  # fmt: skip


def narrow(m: State, start: int, size: int) -> None:
    """Goes on with a part of the coder's interval; keeps it 48 bits wide or more."""
    r, codes = m[REGISTERS], m[CODES]
    if not r[WRITES]:
        r[LOW] -= start
        while size < 1 << 48:
            size <<= 8
            r[LOW] = r[LOW] << 8 | (codes[r[AT]] if r[AT] < len(codes) else 0)
            r[AT] += 1
    else:
        r[LOW] += start
        if r[LOW] >> 56:
            r[LOW] &= (1 << 56) - 1
            at = r[AT] - 1
            while codes[at] == 255:
                codes[at] = 0
                at -= 1
            codes[at] += 1
        while size < 1 << 48:
            codes[r[AT]] = r[LOW] >> 48
            r[LOW] = (r[LOW] & (1 << 48) - 1) << 8
            size <<= 8
            r[AT] += 1
    r[SPAN] = size


def bit(m: State, p: int) -> int:
    """A decision that is 1 with a probability of p / 65536."""
    r = m[REGISTERS]
    bound = (r[SPAN] >> 16) * p
    if r[WRITES]:
        one = m[GIVEN][r[NEXT]]
        r[NEXT] += 1
    else:
        one = 1 if r[LOW] < bound else 0
    if one:
        narrow(m, 0, bound)
    else:
        narrow(m, bound, r[SPAN] - bound)
    return one


def plain(m: State, bits: int) -> int:
    """So many bits, each 0 as often as 1; 16 at most."""
    r = m[REGISTERS]
    unit = r[SPAN] >> bits
    if r[WRITES]:
        found = m[GIVEN][r[NEXT]]
        r[NEXT] += 1
    else:
        found = min(r[LOW] // unit, (1 << bits) - 1)
    narrow(m, unit * found, unit)
    return found


def learn(m: State, kind: int, place: int, one: int) -> None:
    """Moves a probability, 22 bits above a count of 10, towards what came."""
    slots = m[kind]
    count, p = slots[place] & 1023, slots[place] >> 10
    p += ((one << 22) - p) * m[RATES][count] >> 16
    slots[place] = min(max(p, 64), (1 << 22) - 64) << 10 | min(count + 1, 255)


def slot(context: int, node: int) -> int:
    """The place of a decision's slot."""
    return ((context + node * 0x9E3779B1 & M32) * 0x2545F491 & M32) >> 32 - SLOT_BITS


def context(number: int, kind: int) -> int:
    """Mixes a context's number with what kind of context it is, to 32 bits."""
    mixed = (number & M32) * 0x85EBCA6B + kind * 0xC2B2AE35 & M32
    return (mixed ^ mixed >> 15) * 0x27D4EB2F & M32


def single(m: State, place: int) -> int:
    """A decision with the probability of one slot."""
    p = min(max(m[SLOTS][place] >> 16, 32), 65504)
    one = bit(m, p)
    learn(m, SLOTS, place, one)
    return one


def mixed(m: State, count: int, chosen: int, node: int) -> int:
    """A decision with the slots of all contexts, mixed by a set of weights."""
    slots, weights, inputs, places = m[SLOTS], m[WEIGHTS], m[INPUTS], m[PLACES]
    stretch, contexts = m[STRETCH], m[CONTEXTS]
    base, dot = INPUTS_OF_SET * chosen, 0
    for k in range(count):
        places[k] = slot(contexts[k], node)
        inputs[k] = stretch[slots[places[k]] >> 20]
        dot += weights[base + k] * inputs[k]
    p = m[SQUASH][min(max(dot >> 16, -3071), 3071) + 3071]
    one = bit(m, p)
    error = ((one << 16) - p) * 16
    for k in range(count):
        weights[base + k] += inputs[k] * error + (1 << 19) >> 20
        learn(m, SLOTS, places[k], one)
    return one


def recalled(m: State, chosen: int) -> int:
    """A decision as `mixed`, of 9 slots and of what came after the last 7 decisions of each."""
    slots, pasts, maps, weights = m[SLOTS], m[PASTS], m[MAPS], m[WEIGHTS]
    inputs, places, stretch = m[INPUTS], m[PLACES], m[STRETCH]
    base, dot = INPUTS_OF_SET * chosen, 0
    for k in range(9):
        inputs[k] = stretch[slots[places[k]] >> 20]
        inputs[9 + k] = stretch[maps[256 * k + pasts[places[k]]] >> 20]
        dot += weights[base + k] * inputs[k] + weights[base + 9 + k] * inputs[9 + k]
    p = m[SQUASH][min(max(dot >> 16, -3071), 3071) + 3071]
    one = bit(m, p)
    error = ((one << 16) - p) * 32
    for k in range(18):
        weights[base + k] += inputs[k] * error + (1 << 19) >> 20
    for k in range(9):
        past = pasts[places[k]]
        learn(m, SLOTS, places[k], one)
        learn(m, MAPS, 256 * k + past, one)
        past = past << 1 | one
        pasts[places[k]] = past & 127 | 128 if past > 255 else past
    return one


def number(m: State, kind: int) -> int:
    """A number from 0 that says how to read others: its length, then its bits."""
    length = 0
    while length < 40 and single(m, slot(context(kind, 30), length)):
        length += 1
    found = 1
    for at in range(length):
        if at < 3:
            found = found * 2 + single(m, slot(context(kind, 31), length * 8 + found))
        else:
            found = found * 2 + plain(m, 1)
    return found - 1


def put(m: State, value: int) -> None:
    """One more byte of the file."""
    r = m[REGISTERS]
    m[OUT][r[DONE]] = value
    if r[COUNTS]:  # the codes up to here, in 1/256 bits
        bits = 48
        while r[SPAN] >> bits + 1:
            bits += 1
        m[SPENT][r[DONE]] = 2048 * r[AT] - 256 * bits - (r[SPAN] >> bits - 8 & 255)
    r[DONE] += 1


def found_before(m: State, key: int) -> None:
    """Looks for the longest run of bytes before that ends as what came last."""
    r, history = m[REGISTERS], m[HISTORY]
    if r[MATCHED] == 0:
        r[MATCH] = m[MATCHES][key]
        at = 1
        while r[MATCH] and at <= 32:
            if history[r[MATCH] - at & RING] != history[r[PAST] - at & RING]:
                break
            r[MATCHED] = at
            at += 1
    m[MATCHES][key] = r[PAST]


def marked(m: State, at: int) -> None:
    """Notes where the word that ends before a position leads, as an offset in a flatbuffer."""
    r, history, marks, past = m[REGISTERS], m[HISTORY], m[MARKS], m[REGISTERS][PAST]
    word = 0
    for k in range(1, 5):
        word = word << 8 | history[past - k & RING]
    start = at - 4
    mark, marks[start >> 2 & RING] = marks[start >> 2 & RING], 0
    if word & 3 == 0 and 0 < word < 1 << 18:
        there = start + word >> 2 & RING
        marks[there] = max(marks[there], 1 if word < 64 else 2)
    if word >= 0xFF000000 or (mark == 2 and word < 65536):
        r[TARGET] = start - word & M32


def surrounding(m: State, at: int, mark: int) -> None:
    """Sets the contexts of a byte of the frame: bytes and words before it."""
    contexts, history, past, place = m[CONTEXTS], m[HISTORY], m[REGISTERS][PAST], at & 3
    word = before = earlier = 0
    for k in range(place):
        word = word << 8 | history[past - place + k & RING]
    for k in range(1, 5):
        before = before << 8 | history[past - place - k & RING]
        earlier = earlier << 8 | history[past - place - 4 - k & RING]
    one, two, three = history[past - 1 & RING], history[past - 2 & RING], history[past - 3 & RING]
    four, eight = history[past - 4 & RING], history[past - (8 if place else 5) & RING]
    contexts[0] = context(place << 2 | mark, 0)
    contexts[1] = context(one << 2 | place, 1)
    contexts[2] = context(two << 10 | one << 2 | place, 2)
    contexts[3] = context(three << 16 | two << 8 | one, 3)
    contexts[4] = context(word * 31 + before * 77 + place, 4)
    contexts[5] = context(word * 31 + before * 77 + earlier * 1001 + place, 5)
    contexts[6] = context(four << 10 | eight << 2 | place, 6)
    four = four << 8 | history[past - 5 & RING]
    found_before(m, context(three << 16 | two << 8 | one, four) >> 18)


def byte(m: State, at: int) -> int:
    """A byte of the frame, by those before it and where the same came before."""
    r, history, contexts, places = m[REGISTERS], m[HISTORY], m[CONTEXTS], m[PLACES]
    place = at & 3
    if place == 0:
        r[OFFSET] = at - r[TARGET] & M32
        r[AGREES] = 1
    mark = m[MARKS][at >> 2 & RING]
    surrounding(m, at, mark)
    expected, offset, found = history[r[MATCH] & RING] | 256, r[OFFSET] >> 8 * place & 255 | 256, 1
    for k in range(8):
        chosen = place * 4 + mark
        for n in range(7):
            places[n] = slot(contexts[n], found)
        places[7] = slot(context(0, 7), found)
        if r[MATCHED] and expected >> 8 - k == found:
            length = r[MATCHED] if r[MATCHED] < 16 else 15 + (r[MATCHED] - 16) // 8
            places[7] = slot(context(length * 2 + (expected >> 7 - k & 1), 19), 0)
            chosen += 16 + (length >> 2) * 16
        places[8] = slot(context(0, 20), 0)
        if r[AGREES] and offset >> 8 - k == found:
            places[8] = slot(context((place * 4 + mark) * 2 + (offset >> 7 - k & 1), 21), 0)
        found = found * 2 + recalled(m, chosen)
    history[r[PAST] & RING] = found & 255
    r[MATCHED] = min(r[MATCHED] + 1, 32) if r[MATCHED] and expected == found else 0
    r[AGREES] &= offset == found
    r[MATCH] += 1
    r[PAST] += 1
    if place == 3:
        marked(m, at + 1)
    return found & 255


def near(levels: list[int], at: int, back: int) -> int:
    """The size of the number so many before, 0 without one."""
    return levels[at - back & RING] if 0 < back <= at and back <= RING else 0


def surround(m: State, at: int, row: int, step: int, column: int, across: int, order: int) -> None:
    """Sets the contexts of an integer: the sizes of others around it."""
    levels, contexts, logs = m[LEVELS], m[CONTEXTS], m[LOGS]
    left, second = abs(near(levels, at, 1)), abs(near(levels, at, 2))
    above, higher = abs(near(levels, at, row)), abs(near(levels, at, 2 * row))
    corners = min(abs(near(levels, at, row + 1)), 3) * 4 + min(abs(near(levels, at, row - 1)), 3)
    sides = min(abs(near(levels, at, step + 1)), 3) * 4 + min(abs(near(levels, at, step - 1)), 3)
    back = abs(near(levels, at, step))
    contexts[0] = context(order, 8)
    contexts[1] = context(logs[column] * 4 + min(left, 3), 9)
    contexts[2] = context(logs[across] * 64 + min(left, 7) * 8 + min(second, 7), 10)
    contexts[3] = context((min(above, 7) * 8 + min(higher, 7)) * 16 + corners, 11)
    contexts[4] = context(logs[(2 * column + 2 * across + 64 * (left + back)) // 6], 12)
    contexts[5] = context((min(back, 7) * 8 + min(left, 7)) * 16 + sides, 13)


def sign_of(number: int) -> int:
    """0, 1 or 2."""
    return (number > 0) + 2 * (number < 0)


def integer(m: State, at: int, row: int, step: int, column: int, across: int, order: int) -> int:
    """An integer: whether it is 0, how many bits it has, these, and its sign."""
    contexts, levels = m[CONTEXTS], m[LEVELS]
    surround(m, at, row, step, column, across, order)
    if not mixed(m, 6, 96 + min(m[LOGS][column + across >> 1], 31), 0):
        levels[at & RING] = 0
        return 0
    length = 0
    while length < CLASSES - 1 and mixed(m, 6, 128 + length, 1 + length):
        length += 1
    found = 1
    for k in range(length):
        node = 4096 + (length << 6 | (found if k < 6 else k))
        one = mixed(m, 6, 160 + k, node) if k < 3 else single(m, slot(contexts[0], node))
        found = found * 2 + one
    level = found if found < 3 else min(2 * length + (found >> length - 1 & 1), 24)
    left, above = sign_of(near(levels, at, 1)), sign_of(near(levels, at, row))
    back = sign_of(near(levels, at, step))
    contexts[0], contexts[1] = context(order, 14), context(left, 15)
    contexts[2], contexts[3] = context(above, 16), context(level, 17)
    contexts[4] = context(left * 9 + above * 3 + back, 18)
    negative = mixed(m, 5, 163, 0)
    levels[at & RING] = -level if negative else level
    return -found if negative else found


def product(a: int, b: int) -> int:
    """The float32 of a positive product, all as bits; rounded to even."""
    whole = (a & 0x7FFFFF | 0x800000) * (b & 0x7FFFFF | 0x800000)
    bits = 24 if whole >> 47 else 23
    exponent = (a >> 23) + (b >> 23) - 150 + bits
    found, rest = whole >> bits, whole & (1 << bits) - 1
    found += 1 if rest + (found & 1) > 1 << bits - 1 else 0
    return (exponent << 23) + found - 0x800000 & M32


def integers(
    m: State,
    count: int,
    width: int,
    flags: int,
    row: int,
    step: int,
    zero: int,
    order: int,
    factor: int,
) -> None:
    """So many integers, and what they stand for."""
    r, out, levels, columns, palette = m[REGISTERS], m[OUT], m[LEVELS], m[COLUMNS], m[BITS]
    for k in range(min(row, RING + 1)):
        columns[k] = -1
    across = whole = 64
    came = value = 0
    for at in range(count):
        place = at % row
        if place == 0:
            across, came = whole, 0
        column = columns[place & RING]
        if column < 0:
            column = across
        found = integer(m, at, row, step, column, across, order)
        level = 64 * abs(levels[at & RING])
        came += 1
        across += (level - across) * max(65536 // (came + 1), 1024) >> 16
        whole += level - whole >> 7
        columns[place & RING] = column + (
            (level - column) * max(65536 // (at // row + 2), 1500) >> 16
        )
        if flags & PALETTE:
            value = palette[min(max(found + zero, 0), 255)]
        elif flags & DELTA:
            value += found
        elif factor:
            value = 0
            for k in range(4):
                value |= out[r[DONE] - zero + k] << 8 * k
            value = product(value, factor) + found
        else:
            value = found + zero
        for k in range(width):
            put(m, value >> 8 * k & 255)


def prepared(m: State, bell: int) -> None:
    """Fills the tables with what symbols count before they came."""
    tables = m[TABLES]
    for table in range(CLASSES + 4):
        base = table * TABLE_SIZE
        wide = ((table % 2 + 2 << max(table // 2, 4)) * 3 // 2) ** 2 * 5
        whole = 0
        for k in range(256):
            tail = 1024 + min((144 * k - 18432) ** 2 * 1024 // wide, 1 << 15)
            tables[base + 257 + k] = (1 << 52) // (tail * tail * tail)
            whole += tables[base + 257 + k]
        for k in range(256):
            more = 5 + 3200 * tables[base + 257 + k] // whole if bell and table < CLASSES else 0
            tables[base + 257 + k] = 1 + more
        tables[base + 513] = tables[base + 514] = 0


def symbol(m: State, table: int) -> int:
    """A byte with the frequencies of a table."""
    r, tables, base = m[REGISTERS], m[TABLES], table * TABLE_SIZE
    if tables[base + 513] == 0:
        whole = 0
        for k in range(256):
            tables[base + k] = whole
            whole += tables[base + 257 + k]
        tables[base + 256] = whole
        tables[base + 513] = min(4 + tables[base + 514] // 8, 256)
        tables[base + 514] += tables[base + 513]
    tables[base + 513] -= 1
    unit = r[SPAN] // tables[base + 256]
    if r[WRITES]:
        found = m[GIVEN][r[NEXT]]
        r[NEXT] += 1
    else:
        target, found, high = r[LOW] // unit, 0, 256
        while high - found > 1:
            middle = found + high >> 1
            if tables[base + middle] <= target:
                found = middle
            else:
                high = middle
    start = tables[base + found]
    narrow(m, unit * start, unit * (tables[base + found + 1] - start))
    tables[base + 257 + found] += 32
    return found


def tabled(
    m: State,
    count: int,
    width: int,
    flags: int,
    row: int,
    zero: int,
    shift: int,
    mean: int,
    lower: int,
) -> None:
    """So many numbers: their highest bytes by the sizes before them in row and column."""
    columns, palette = m[COLUMNS], m[BITS]
    if not flags & KEEP:
        prepared(m, flags & BELL)
    for k in range(min(row, RING + 1)):
        columns[k] = mean
    before = across = mean
    value = earlier = 0
    for at in range(count):
        place = at % row
        if place == 0:
            before = across = mean
        column = columns[place & RING]
        level, bits = 36 + (before + 4 * (column + across) >> 4), 3
        while level >> bits + 1:
            bits += 1
        bits -= 1
        level = min(level >> shift, CLASSES - 1) if shift else level >> bits & 1 | bits * 2
        high = symbol(m, level)
        before = (max(high - zero, 0) if shift else abs(high - 128)) << 8
        columns[place & RING] = column + (before - column >> 6)
        across += before - across >> 6
        value = high if shift else high + zero - 128 & 255
        for k in range(0 if flags & PALETTE else width - 1):
            if flags & SKIPS and high == 0:
                value <<= 8
            elif lower >> k & 1:
                value = value << 8 | symbol(m, CLASSES + k)
            else:
                value = value << 8 | plain(m, 8)
        if flags & PALETTE:
            value = palette[value]
        elif flags & REALS:
            value = value >> 1 | (value & 1) << 8 * width - 1
        elif flags & SIGNED:
            value = value >> 1 ^ -(value & 1)
        if flags & DELTA:
            value += earlier
            earlier = value
        for k in range(width):
            put(m, value >> 8 * k & 255)


def segment(m: State) -> int:
    """A run of numbers; 1, or 0 where it cannot be."""
    r, out = m[REGISTERS], m[OUT]
    coding, flags, width, count = number(m, 1), number(m, 2), 1 << number(m, 3), number(m, 4)
    if count == 0 and r[DONE] >= 4:
        for k in range(4):
            count |= out[r[DONE] - 4 + k] << 8 * k
        count //= width
    if width > 4 or not 0 < count * width <= r[SIZE] - r[DONE]:
        return 0
    row, step, zero = number(m, 5), number(m, 6), number(m, 7)
    row, step = row if 0 < row < count else count, step if 0 < step < count else count
    r[ORDER] += 1
    if flags & PALETTE:
        for k in range(min(number(m, 8), 256)):
            m[BITS][k] = 0
            for _ in range(width):
                m[BITS][k] = m[BITS][k] << 8 | plain(m, 8)
    if coding == MIXED:
        factor = 0
        if flags & PRODUCT:
            factor = plain(m, 16) << 16 | plain(m, 16)
            if not 4 <= zero <= min(r[DONE], RING - 4):
                return 0
        integers(m, count, width, flags, row, step, zero, r[ORDER], factor)
    elif coding == TABLE:
        shift, mean, lower = number(m, 9), number(m, 10), number(m, 11)
        if zero > 255 or shift > 20 or mean > 1 << 16:
            return 0
        tabled(m, count, width, flags, row, zero, shift, mean, lower)
    else:
        for _ in range(count * width):
            put(m, plain(m, 8))
    return 1


def whole(m: State) -> int:
    """The frame of a file with the runs of numbers in it; 1, or 0 where it cannot be."""
    r = m[REGISTERS]
    r[LOW], r[SPAN], r[AT], r[DONE] = 0, 1 << 48, 0, 0
    if not r[WRITES]:
        narrow(m, 0, 1)
    while r[AT] <= len(m[CODES]) + 8:
        gap = number(m, 0)
        if gap > r[SIZE] - r[DONE]:
            return 0
        for _ in range(gap):
            put(m, byte(m, r[DONE]))
        if r[DONE] == r[SIZE]:
            return 1
        if not segment(m):
            return 0
    return 0


def tables_of(stretch: list[int], squash: list[int], rates: list[int], logs: list[int]) -> None:
    """Fills what maps probabilities to the domain of weights and back, and what rounds."""
    for at in range(6143):
        k, rest = (at - 3071 >> 7) + 24, at - 3071 & 127
        p = (SIGMOID[k] * (128 - rest) + SIGMOID[k + 1] * rest + 64) >> 7
        squash[at] = min(max(p, 4), 65532)
    done = 0
    for at in range(-2047, 2048):
        while done <= squash[at + 3071] >> 4:
            stretch[done] = at
            done += 1
    while done < 4096:
        stretch[done] = 2047
        done += 1
    for at in range(1024):
        rates[at] = 655360 // (10 * at + 16)
    for at in range(2048):
        bits = 0
        while at + 4 >> bits >= 8:
            bits += 1
        logs[at] = bits * 4 + (at + 4 >> bits & 3)


@cache
def first_state(run: Callable[[State], int], array: Array) -> list[list[int]]:
    """What a reader knows before any file: what the dictionary taught it.

    The dictionary is a packed file with the pieces that most files have.
    """
    sizes = (16, 0, 0, 0, 1 << SLOT_BITS, 1 << SLOT_BITS, 9 * 256, SETS * INPUTS_OF_SET, 20, 8, 10,
             4096, 6144, 1024, 2048, RING + 1, 1 << 14, RING + 1, RING + 1, RING + 1,
             (CLASSES + 4) * TABLE_SIZE, 256, 0)  # fmt: skip
    first = {SLOTS: 1 << 31, MAPS: 1 << 31, PASTS: 1, WEIGHTS: 9830}
    m = [array([first.get(place, 0)] * count) for place, count in enumerate(sizes)]
    tables_of(m[STRETCH], m[SQUASH], m[RATES], m[LOGS])
    for k in range(96 * INPUTS_OF_SET, SETS * INPUTS_OF_SET):
        m[WEIGHTS][k] = 11796
    if DICTIONARY:
        m[CODES], m[OUT], m[REGISTERS][SIZE] = array(list(DICTIONARY)), array([0] * KNOWN), KNOWN
        run(tuple(m))
    return m


def state(run: Callable[[State], int], array: Array, size: int) -> list[list[int]]:
    """The state of a reader of a file of this size."""
    m = [array(one) for one in first_state(run, array)]
    m[OUT], m[REGISTERS][SIZE] = array([0] * size), size
    return m


def opened(packed: bytes, run: Callable[[State], int], array: Array) -> list[list[int]]:
    """The state of a reader in front of the codes of a file; ValueError if it cannot be one."""
    size, at = 0, 12
    while at < min(len(packed), 17):
        size |= (packed[at] & 127) << 7 * (at - 12)
        at += 1
        if packed[at - 1] < 128:
            break
    if packed[:4] != MAGIC or size > FREE + GROWTH * len(packed):
        raise ValueError("no .tflite.sqz file, or a damaged one: copy it again")
    m = state(run, array, size)
    m[CODES] = array(list(packed[at:]))
    return m


def unpack(packed: bytes, run: Callable[[State], int] = whole, array: Array = list) -> bytes:
    """The .tflite file that was packed; a ValueError if `packed` is damaged, or no such file."""
    m = opened(packed, run, array)
    if run(tuple(m)):
        found = bytes(list(m[OUT]))
        if hashlib.sha256(found).digest()[:8] == packed[4:12]:
            return found
    raise ValueError("no .tflite.sqz file, or a damaged one: copy it again")


if __name__ == "__main__":
    Path(sys.argv[2]).write_bytes(unpack(Path(sys.argv[1]).read_bytes()))
