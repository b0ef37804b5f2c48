import java.io.IOException
import java.io.InputStream
import java.io.OutputStream
import java.security.MessageDigest

private const val RING = 65535
private const val DELTA = 1
private const val PALETTE = 2
private const val REALS = 4
private const val SIGNED = 8
private const val SKIPS = 16
private const val KEEP = 32
private const val BELL = 64
private const val PRODUCT = 128
private const val SET = 20
private const val SETS = 176
private const val CLASSES = 32
private const val TABLE_SIZE = 516
private const val MOST_READ_PAST_END = 8

private val SIGMOID = intArrayOf(
    0, 1, 1, 2, 3, 5, 8, 13, 22, 36, 60, 98, 162, 267, 439, 720, 1179, 1921, 3108, 4971, 7812, 11955,
    17625, 24743, 32768, 40793, 47911, 53581, 57724, 60565, 62428, 63615, 64357, 64816, 65097, 65269,
    65374, 65438, 65476, 65500, 65514, 65523, 65528, 65531, 65533, 65534, 65535, 65535, 65536)

private val RATES = IntArray(256) { 655360 / (10 * it + 16) }

// dictionary: begin
private const val KNOWN = 4576
private val DICTIONARY = byteArrayOf(
0, -32, -55, 46, 111, -8, -67, 94, 73, -85, -77, 104, -43, -48, -50, -1, -87, -12, 70, 56, -41,
104, -15, -12, -16, 112, 111, 26, 24, -74, 43, 55, 5, 34, -50, 28, -87, 32, -64, -115, 16, 2,
-44, -121, -6, -97, 89, 71, -108, -108, -62, -16, 41, -55, -5, 121, -82, -44, 47, 26, -49, -23,
-37, 41, 125, 5, 38, -63, 21, 31, 5, -111, -23, 6, 30, 60, -22, 96, -116, -5, -46, 62, 12, 122,
90, -63, 111, 23, 44, -36, 13, 124, -115, -35, 80, -11, 78, -8, 118, 79, 23, -96, -90, -10, -41,
1, 90, -69, -15, 102, -87, -33, -48, -67, 34, -76, -63, -38, 50, -62, -95, 15, 18, 104, 57,
-101, 12, -107, 6, 89, -95, -73, -12, -51, 60, -83, 46, -63, 43, 9, 36, -65, -120, 50, 16, 34,
16, -127, -66, 110, -69, -111, 110, 117, -8, 107, -68, -81, -17, 102, -87, -66, -8, 29, 59, 75,
69, -102, -82, -54, 3, -61, -2, -16, 94, 115, -34, -122, 34, -24, 2, -70, 15, -127, -86, -30,
-11, 64, 77, -56, 12, 70, 120, -120, 92, -100, -88, -68, 104, -4, 24, 97, -17, -15, 101, -128,
43, 98, 56, -87, -55, 119, -108, 112, -101, 98, -66, 28, 27, 87, 44, -60, 53, 110, -94, -29,
-22, 8, 27, 89, -50, 86, -14, -112, -107, 41, -92, -44, 53, -20, -93, -112, -13, 75, 18, -100,
-120, -98, -79, 88, 99, 109, 120, -81, -123, 40, -24, -62, -4, 118, 71, -31, -118, 9, 65, -21,
-115, -123, 49, 20, 72, -73, 124, -64, 53, 75, -6, -110, 19, 113, 15, 116, 39, -95, 93, -100,
-59, -113, -32, -34, -21, 74, 65, 74, 66, -75, 113, -8, 118, -101, -119, 122, -42, 95, -105, 23,
-99, 15, 12, -97, -7, 79, -40, 86, 85, -46, 52, 88, 119, 22, 71, 55, -107, 85, -61, 52, -77, 37,
31, -105, 79, 35, -11, 110, -102, -92, 9, -13, 36, 96, -102, 39, 80, -7, 112, -32, 99, -119, 76,
112, -121, 122, 76, -109, -117, 14, -5, 114, -15, -83, -83, -24, -98, 86, -126, 58, -24, -81,
39, 7, 30, -40, 55, 56, 122, 44, 33, -100, 45, 85, 102, -10, -85, -120, -2, -77, 126, 14, -58,
3, 10, 57, 58, -112, 24, -47, -121, 88, 112, 70, 124, -86, 5, -5, 94, 16, 14, 82, -76, 37, 107,
-49, 86, -38, 57, 18, 124, -105, -74, -91, -105, 74, -111, -74, -35, 94, 31, 72, -49, 96, 62,
-32, -122, 34, 84, -14, 109, -32, 31, -28, -128, -86, 126, 64, -33, -128, -126, -75, -101, -104,
3, -15, 41, 117, -82, 0, 0, -89, -42, 57, 15, -64, 81, -31, 74, 42, 1, 48, -26, 34, 112, 37, 81,
71, 111, 3, 22, 43, 55, 58, -84, 110, -2, -99, -96, 69, 11, 102, -30, -97, -94, -31, -52, -91,
-26, -105, 69, 121, -43, 83, 52, 106, -115, 116, 51, -66, -6, 4, -59, 94, 17, 63, 9, 96, 33, 41,
59, 48, -9, -25, 19, 49, 33, -66, 27, -50, 5, 69, -33, -119, -91, 35, -71, -9, -48, -62, 106,
-81, 58, -85, -49, 91, 38, 14, -120, -45, 99, 117, 30, 31, -87, 33, -119, 28, -91, -75, -40,
-86, -77, 96, -118, -78, 98, -110, -56, -112, -92, 65, -99, -75, 19, 80, 107, 9, -112, 41, -66,
86, 63, -67, 62, -56, -20, 70, -128, -32, 36, -11, -112, 39, 58, 9, 28, 56, 38, -103, 56, 50,
-5, -24, 59, -117, 52, 71, 76, 14, 98, -70, 79, 89, -35, -110, -106, 95, 124, -65, -7, -91, 25,
51, 108, -65, -64, 45, -108, -106, 50, -107, 115, -102, 104, 116, 127, 13, -53, -78, -123, 99,
6, 8, 70, -58, -39, 46, -110, -45, 3, 11, 5, 90, -87, -1, 71, -12, -77, -97, 34, -77, 31, -127,
-93, -81, 127, -35, 118, -99, -34, 52, 115, -27, -72, -98, -71, -37, 97, 80, 46, -7, -8, -95,
117, 40, -1, -74, -63, 106, 124, 106, -14, -35, -42, -110, 35, -125, -85, 61, -86, 72, 17, 24,
-6, -87, -80, -12, 88, -84, 8, -53, 106, 7, -20, 22, 4, -37, -122, 108, -81, 118, 119, 90, -85,
-126, -40, 31, 69, -57, 106, 6, 59, -38, -45, 5, -21, 30, 126, -54, 80, -102, 119, -10, 49, 78,
93, 104, 118, -44, 63, 109, 67, 7, -24, 5, 3, 73, -52, 32, 33, -99, -79, -91, -79, 121, 127,
-66, 81, -58, 111, 46, 36, 73, 64, 127, -77, -120, 108, 89, 40, 93, -25, 73, 110, 65, -124,
-124, 113, -51, 10, -73, -14, -55, 41, 17, 95, 124, 21, -5, -111, -88, 71, -113, 30, -32, -114,
-20, 31, 91, -83, -14, 86, 39, 93, -20, -70, -89, -126, 36, 62, -79, 16, -35, 82, 92, 92, 91,
103, -118, 3, -8, 95, 71, 27, -101, -61, -89, 116, -78, -49, 61, 80, 49, 9, -33, 18, -114, 67,
-118, -20, -91, -77, -110, -54, -71, -60, -42, -120, -113, 38, 59, 111, -96, 102, -11, -19, 55,
81, 46, 73, -4, -74, -30, -115, -88, -103, -116, -53, 106, -48, 117, -65, -11, -108, 65, 14, 26,
18, -35, 13, 108, -44, -80, 92, -10, 61, 17, 99, 89, 107, -26, -125, -8, 82, -7, -68, 62, 32,
18, 90, 40, 64, -81, 101, 12, -86, 0, 81, -69, 29, 40, -14, 49, 20, -121, -84, -42, -59, -17,
-61, 99, 103, -55, 56, -99, -109, -108, -1, 95, 78, -64, -111, 98, -99, 117, 63, 65, -80, 120,
19, -11, 40, -78, 97, -69, -75, -79, 3, 122, -84, -124, -78, -3, 77, 88, -98, -114, 64, 7, 61,
107, 25, 88, 37, 102, -17, 106, -64, -11, 85, 22, -81, 109, 36, -78, -39, -1, -13, 116, 105,
-64, 10, 55, -53, 61, -114, 72, -46, -62, -69, -67, 44, -97, -72, 48, 108, -123, -59, 66, 32,
13, 25, 7, -102, 87, -89, -94, -100, -101, 100, -37, -35, -118, -84, -20, -31, 66, -28, -61,
-59, -9, 69, -114, -70, -39, -31, -67, 17, 67, 78, 51, -8, 103, 105, 105, 66, -33, -103, -41,
-99, 61, -124, -41, 9, 52, 116, -28, -99, 124, -94, 68, 28, -52, -14, -66, 99, 28, 7, -66, 22,
-52, 116, 124, 120, 108, 89, 3, -78, -92, -124, 17, -46, 46, -111, 103, 98, -54, 98, -122, -88,
-29, -67, 122, -99, -3, 83, -43, -128, 26, -108, 18, -99, -44, 32, -68, 102, -11, 120, 118,
-126, 121, -93, -72, -27, 23, 17, 106, 45, 120, 87, -69, 24, -113, 109, 81, 50, -57, 11, 46, 52,
-108, 65, 15, -18, -77, 76, 25, 67, 77, 75, -124, 122, -16, -57, 125, -7, 108, -66, 75, -101,
18, 4, 95, 18, 20, -111, 33, 69, -47, 68, 36, -50, -11, 18, 51, -121, -26, 12, 9, -88, 89, 31,
-99, -87, -26, -107, -112, 48, 22, -114, -115, 9, -16, -63, -18, -56, 126, 1, -74, -71, 100, 26,
20, -46, 89, -121, 106, 45, -32, 55, 122, 35, 58, 1, 119, -13, 46, -65, -12, 12, 124, 112, 100,
124, -48, -81, 126, -108, -115, 30, -75, -81, 121, 102, 53, -8, -28, 108, -110, -75, -50, -126,
-32, 57, -34, -63, -44, 44)
// dictionary: end

/**
 * Unpacks `.tflite.sqz` files with nothing but the JVM's own classes.
 *
 * The page "The packed format" of tflite_squeeze describes what is read.
 */
class SqzReader private constructor() {
    private var from: InputStream? = null
    private var to: OutputStream? = null
    private val digest: MessageDigest = MessageDigest.getInstance("SHA-256")
    private val buffer = ByteArray(8192)
    private var buffered = 0
    private var knownAt = 0
    private var ended = 0
    private var low = 0L
    private var span = 0L
    private var done = 0L
    private var size = 0L
    private var past = 0
    private var match = 0
    private var matched = 0
    private var order = 0
    private var target = 0
    private var offset = 0
    private var agrees = false
    private val slots = IntArray(1 shl 18) { 1 shl 31 }
    private val maps = IntArray(9 * 256) { 1 shl 31 }
    private val matches = IntArray(1 shl 14)
    private val palette = IntArray(256)
    private val pasts = IntArray(1 shl 18) { 1 }
    private val history = IntArray(RING + 1)
    private val marks = IntArray(RING + 1)
    private val recent = IntArray(RING + 1)
    private val levels = IntArray(RING + 1)
    private val columns = IntArray(RING + 1)
    private val weights = IntArray(SETS * SET) { if (it < 96 * SET) 9830 else 11796 }
    private val inputs = IntArray(SET)
    private val stretch = IntArray(4096) { 2047 }
    private val squash = IntArray(6143)
    private val logs = IntArray(2048)
    private val contexts = IntArray(8)
    private val places = IntArray(10)
    private val tables = LongArray((CLASSES + 4) * TABLE_SIZE)

    init {
        for (at in squash.indices) {
            val k = ((at - 3071) shr 7) + 24
            val rest = (at - 3071) and 127
            squash[at] = ((SIGMOID[k] * (128 - rest) + SIGMOID[k + 1] * rest + 64) shr 7).coerceIn(4, 65532)
        }
        var filled = 0
        for (at in -2047..2047) while (filled <= squash[at + 3071] shr 4) stretch[filled++] = at
        for (at in logs.indices) {
            var bits = 0
            while ((at + 4) shr bits >= 8) bits++
            logs[at] = bits * 4 + (((at + 4) shr bits) and 3)
        }
        size = KNOWN.toLong()
        whole()
    }

    // The coder.

    private fun nextCode(): Int {
        val stream = from ?: return if (knownAt < DICTIONARY.size) DICTIONARY[knownAt++].toInt() and 255 else 0
        val code = stream.read()
        if (code >= 0) return code
        if (++ended > MOST_READ_PAST_END) throw damaged()
        return 0
    }

    private fun narrow(start: Long, part: Long) {
        low -= start
        span = part
        while (span < 1L shl 48) {
            if (span <= 0) throw damaged()
            span = span shl 8
            low = (low shl 8) or nextCode().toLong()
        }
    }

    private fun bit(p: Int): Int {
        val bound = (span ushr 16) * p
        if (low < bound) {
            narrow(0, bound)
            return 1
        }
        narrow(bound, span - bound)
        return 0
    }

    private fun plain(bits: Int): Int {
        val unit = span ushr bits
        val found = minOf(low / unit, (1L shl bits) - 1)
        narrow(unit * found, unit)
        return found.toInt()
    }

    private fun learn(of: IntArray, place: Int, one: Int) {
        val count = of[place] and 1023
        val p = (of[place] ushr 10).toLong()
        val moved = p + ((((one.toLong() shl 22) - p) * RATES[count]) shr 16)
        of[place] = (moved.coerceIn(64, (1 shl 22) - 64).toInt() shl 10) or minOf(count + 1, 255)
    }

    private fun slot(context: Int, node: Int): Int =
        ((context + node * 0x9E3779B1.toInt()) * 0x2545F491) ushr 14

    private fun context(number: Int, kind: Int): Int {
        val mixed = number * 0x85EBCA6B.toInt() + kind * 0xC2B2AE35.toInt()
        return (mixed xor (mixed ushr 15)) * 0x27D4EB2F
    }

    private fun single(place: Int): Int {
        val one = bit((slots[place] ushr 16).coerceIn(32, 65504))
        learn(slots, place, one)
        return one
    }

    private fun chance(base: Int, count: Int): Int {
        var dot = 0L
        for (k in 0 until count) dot += weights[base + k].toLong() * inputs[k]
        return squash[(dot shr 16).coerceIn(-3071, 3071).toInt() + 3071]
    }

    private fun adjust(base: Int, count: Int, error: Long) {
        for (k in 0 until count) weights[base + k] += ((inputs[k] * error + (1 shl 19)) shr 20).toInt()
    }

    private fun mixed(count: Int, chosen: Int, node: Int): Int {
        for (k in 0 until count) {
            places[k] = slot(contexts[k], node)
            inputs[k] = stretch[slots[places[k]] ushr 20]
        }
        val p = chance(SET * chosen, count)
        val one = bit(p)
        adjust(SET * chosen, count, (one * 65536 - p) * 16L)
        for (k in 0 until count) learn(slots, places[k], one)
        return one
    }

    private fun recalled(chosen: Int): Int {
        for (k in 0 until 9) {
            inputs[k] = stretch[slots[places[k]] ushr 20]
            inputs[9 + k] = stretch[maps[256 * k + pasts[places[k]]] ushr 20]
        }
        val p = chance(SET * chosen, 18)
        val one = bit(p)
        adjust(SET * chosen, 18, (one * 65536 - p) * 32L)
        for (k in 0 until 9) {
            val before = pasts[places[k]]
            learn(slots, places[k], one)
            learn(maps, 256 * k + before, one)
            val after = (before shl 1) or one
            pasts[places[k]] = if (after > 255) (after and 127) or 128 else after
        }
        return one
    }

    private fun number(kind: Int): Long {
        var length = 0
        while (length < 40 && single(slot(context(kind, 30), length)) == 1) length++
        var found = 1L
        for (at in 0 until length) {
            val place = slot(context(kind, 31), length * 8 + found.toInt())
            found = found * 2 + if (at < 3) single(place) else plain(1)
        }
        return found - 1
    }

    private fun put(value: Int) {
        recent[(done and RING.toLong()).toInt()] = value and 255
        done++
        if (to == null) return
        buffer[buffered++] = value.toByte()
        if (buffered == buffer.size) flush()
    }

    private fun flush() {
        digest.update(buffer, 0, buffered)
        to?.write(buffer, 0, buffered)
        buffered = 0
    }

    private fun putNumber(value: Int, width: Int) {
        for (k in 0 until width) put(value ushr (8 * k))
    }

    // The frame.

    private fun surrounding(place: Int, mark: Int) {
        fun back(by: Int): Int = history[(past - by) and RING]
        var word = 0
        var before = 0
        var earlier = 0
        for (k in 0 until place) word = (word shl 8) or back(place - k)
        for (k in 1..4) {
            before = (before shl 8) or back(place + k)
            earlier = (earlier shl 8) or back(place + 4 + k)
        }
        val three = (back(3) shl 16) or (back(2) shl 8) or back(1)
        contexts[0] = context((place shl 2) or mark, 0)
        contexts[1] = context((back(1) shl 2) or place, 1)
        contexts[2] = context((back(2) shl 10) or (back(1) shl 2) or place, 2)
        contexts[3] = context(three, 3)
        contexts[4] = context(word * 31 + before * 77 + place, 4)
        contexts[5] = context(word * 31 + before * 77 + earlier * 1001 + place, 5)
        contexts[6] = context((back(4) shl 10) or (back(if (place > 0) 8 else 5) shl 2) or place, 6)
        val key = context(three, (back(4) shl 8) or back(5)) ushr 18
        if (matched == 0) {
            match = matches[key]
            var at = 1
            while (match != 0 && at <= 32 && history[(match - at) and RING] == back(at)) matched = at++
        }
        matches[key] = past
    }

    private fun marked(at: Int) {
        var word = 0
        for (k in 1..4) word = (word shl 8) or history[(past - k) and RING]
        val start = at - 4
        val mark = marks[(start ushr 2) and RING]
        marks[(start ushr 2) and RING] = 0
        if (word and 3 == 0 && word in 1 until (1 shl 18)) {
            val there = ((start.toLong() and 0xFFFFFFFFL) + word shr 2).toInt() and RING
            marks[there] = maxOf(marks[there], if (word < 64) 1 else 2)
        }
        if (word in -0x1000000..-1 || (mark == 2 && word in 0..65535)) target = start - word
    }

    private fun byteOfFrame(at: Int): Int {
        val place = at and 3
        val mark = marks[(at ushr 2) and RING]
        if (place == 0) {
            offset = at - target
            agrees = true
        }
        surrounding(place, mark)
        val expected = history[match and RING] or 256
        val expectedOffset = ((offset ushr (8 * place)) and 255) or 256
        var found = 1
        for (k in 0 until 8) {
            var chosen = place * 4 + mark
            for (n in 0 until 7) places[n] = slot(contexts[n], found)
            places[7] = slot(context(0, 7), found)
            if (matched > 0 && expected shr (8 - k) == found) {
                val length = if (matched < 16) matched else 15 + (matched - 16) / 8
                places[7] = slot(context(length * 2 + ((expected shr (7 - k)) and 1), 19), 0)
                chosen += 16 + (length shr 2) * 16
            }
            places[8] = slot(context(0, 20), 0)
            if (agrees && expectedOffset shr (8 - k) == found) {
                val next = (expectedOffset shr (7 - k)) and 1
                places[8] = slot(context((place * 4 + mark) * 2 + next, 21), 0)
            }
            found = found * 2 + recalled(chosen)
        }
        history[past and RING] = found and 255
        matched = if (matched > 0 && expected == found) minOf(matched + 1, 32) else 0
        agrees = agrees && expectedOffset == found
        match++
        past++
        if (place == 3) marked(at + 1)
        return found and 255
    }

    // Runs of numbers.

    private fun near(at: Long, back: Long): Int =
        if (back in 1..minOf(at, RING.toLong())) levels[((at - back) and RING.toLong()).toInt()] else 0

    private fun sizeNear(at: Long, back: Long, most: Int): Int = minOf(Math.abs(near(at, back)), most)

    private fun signNear(at: Long, back: Long): Int {
        val level = near(at, back)
        return if (level > 0) 1 else if (level < 0) 2 else 0
    }

    private fun integer(at: Long, row: Long, step: Long, column: Int, across: Int): Long {
        val left = sizeNear(at, 1, 99)
        val far = sizeNear(at, step, 99)
        val corners = sizeNear(at, row + 1, 3) * 4 + sizeNear(at, row - 1, 3)
        val sides = sizeNear(at, step + 1, 3) * 4 + sizeNear(at, step - 1, 3)
        contexts[0] = context(order, 8)
        contexts[1] = context(logs[column] * 4 + minOf(left, 3), 9)
        contexts[2] = context(logs[across] * 64 + minOf(left, 7) * 8 + sizeNear(at, 2, 7), 10)
        contexts[3] = context((sizeNear(at, row, 7) * 8 + sizeNear(at, 2 * row, 7)) * 16 + corners, 11)
        contexts[4] = context(logs[(2 * column + 2 * across + 64 * (left + far)) / 6], 12)
        contexts[5] = context((minOf(far, 7) * 8 + minOf(left, 7)) * 16 + sides, 13)
        val here = (at and RING.toLong()).toInt()
        levels[here] = 0
        if (mixed(6, 96 + minOf(logs[(column + across) shr 1], 31), 0) == 0) return 0
        var length = 0
        while (length < CLASSES - 1 && mixed(6, 128 + length, 1 + length) == 1) length++
        var found = 1L
        for (k in 0 until length) {
            val node = 4096 + ((length shl 6) or if (k < 6) found.toInt() else k)
            found = found * 2 + if (k < 3) mixed(6, 160 + k, node) else single(slot(contexts[0], node))
        }
        val level = if (found < 3) found.toInt() else
            minOf(2 * length + ((found shr (length - 1)) and 1).toInt(), 24)
        val signs = intArrayOf(signNear(at, 1), signNear(at, row), signNear(at, step))
        contexts[0] = context(order, 14)
        contexts[1] = context(signs[0], 15)
        contexts[2] = context(signs[1], 16)
        contexts[3] = context(level, 17)
        contexts[4] = context(signs[0] * 9 + signs[1] * 3 + signs[2], 18)
        val negative = mixed(5, 163, 0) == 1
        levels[here] = if (negative) -level else level
        return if (negative) -found else found
    }

    private fun product(a: Int, b: Int): Int {
        val whole = ((a and 0x7FFFFF) or 0x800000).toLong() * ((b and 0x7FFFFF) or 0x800000)
        val bits = if (whole shr 47 != 0L) 24 else 23
        val exponent = (a ushr 23) + (b ushr 23) - 150 + bits
        var found = whole shr bits
        val rest = whole and ((1L shl bits) - 1)
        if (rest + (found and 1) > 1L shl (bits - 1)) found++
        return (exponent shl 23) + found.toInt() - 0x800000
    }

    private fun wordBefore(back: Long): Int {
        var word = 0
        for (k in 3 downTo 0) word = (word shl 8) or recent[((done - back + k) and RING.toLong()).toInt()]
        return word
    }

    private fun integers(
        count: Long, width: Int, flags: Int, row: Long, step: Long, zero: Long, factor: Int,
    ) {
        var across = 64
        var whole = 64
        var came = 0L
        var value = 0
        columns.fill(-1, 0, minOf(row, RING + 1L).toInt())
        for (at in 0 until count) {
            if (at % row == 0L) {
                across = whole
                came = 0
            }
            val place = (at % row and RING.toLong()).toInt()
            val column = if (columns[place] < 0) across else columns[place]
            val found = integer(at, row, step, column, across)
            val level = 64 * Math.abs(levels[(at and RING.toLong()).toInt()])
            came++
            across += (level - across) * maxOf(65536 / (came + 1), 1024L).toInt() shr 16
            whole += (level - whole) shr 7
            columns[place] = column + ((level - column) * maxOf(65536 / (at / row + 2), 1500L).toInt() shr 16)
            value = when {
                flags and PALETTE != 0 -> palette[(found + zero).coerceIn(0, 255).toInt()]
                flags and DELTA != 0 -> value + found.toInt()
                factor != 0 -> product(wordBefore(zero), factor) + found.toInt()
                else -> (found + zero).toInt()
            }
            putNumber(value, width)
        }
    }

    private fun prepare(bell: Boolean) {
        for (table in 0 until CLASSES + 4) {
            val counts = table * TABLE_SIZE + 257
            val half = ((table % 2 + 2).toLong() shl maxOf(table / 2, 4)) * 3 / 2
            val wide = half * half * 5
            var whole = 0L
            for (k in 0 until 256) {
                val off = 144L * k - 18432
                val tail = 1024 + minOf(off * off * 1024 / wide, 1L shl 15)
                tables[counts + k] = (1L shl 52) / (tail * tail * tail)
                whole += tables[counts + k]
            }
            for (k in 0 until 256) {
                val more = if (bell && table < CLASSES) 5 + 3200 * tables[counts + k] / whole else 0
                tables[counts + k] = 1 + more
            }
            tables[counts + 256] = 0
            tables[counts + 257] = 0
        }
    }

    private fun symbol(table: Int): Int {
        val sums = table * TABLE_SIZE
        if (tables[sums + 513] == 0L) {
            var whole = 0L
            for (k in 0 until 256) {
                tables[sums + k] = whole
                whole += tables[sums + 257 + k]
            }
            tables[sums + 256] = whole
            tables[sums + 513] = minOf(4 + tables[sums + 514] / 8, 256L)
            tables[sums + 514] += tables[sums + 513]
        }
        tables[sums + 513]--
        val unit = span / tables[sums + 256]
        val goal = low / unit
        var found = 0
        var high = 256
        while (high - found > 1) {
            val middle = (found + high) shr 1
            if (tables[sums + middle] <= goal) found = middle else high = middle
        }
        narrow(unit * tables[sums + found], unit * (tables[sums + found + 1] - tables[sums + found]))
        tables[sums + 257 + found] += 32L
        return found
    }

    private fun tabled(
        count: Long, width: Int, flags: Int, row: Long, zero: Int, shift: Int, mean: Int, lower: Long,
    ) {
        var before = mean
        var across = mean
        var earlier = 0
        if (flags and KEEP == 0) prepare(flags and BELL != 0)
        columns.fill(mean, 0, minOf(row, RING + 1L).toInt())
        for (at in 0 until count) {
            if (at % row == 0L) {
                before = mean
                across = mean
            }
            val place = (at % row and RING.toLong()).toInt()
            val column = columns[place]
            val level = 36 + ((before + 4 * (column + across)) shr 4)
            val bits = 30 - Integer.numberOfLeadingZeros(level)
            val high = symbol(
                if (shift > 0) minOf(level shr shift, CLASSES - 1) else ((level shr bits) and 1) or (bits * 2)
            )
            before = (if (shift > 0) maxOf(high - zero, 0) else Math.abs(high - 128)) * 256
            columns[place] = column + ((before - column) shr 6)
            across += (before - across) shr 6
            var value = if (shift > 0) high else (high + zero - 128) and 255
            for (k in 0 until if (flags and PALETTE != 0) 0 else width - 1) {
                value = value shl 8
                if (flags and SKIPS != 0 && high == 0) continue
                value = value or if ((lower shr k) and 1 == 1L) symbol(CLASSES + k) else plain(8)
            }
            when {
                flags and PALETTE != 0 -> value = palette[value]
                flags and REALS != 0 -> value = (value ushr 1) or ((value and 1) shl (8 * width - 1))
                flags and SIGNED != 0 -> value = (value ushr 1) xor -(value and 1)
            }
            if (flags and DELTA != 0) {
                value += earlier
                earlier = value
            }
            putNumber(value, width)
        }
    }

    private fun segment() {
        val coding = number(1)
        val flags = (number(2) and 255).toInt()
        val bits = number(3)
        var count = number(4)
        if (bits > 2) throw damaged()
        val width = 1 shl bits.toInt()
        if (count == 0L && done >= 4) count = (wordBefore(4).toLong() and 0xFFFFFFFFL) / width
        if (count < 1 || count > size - done || count * width > size - done) throw damaged()
        val row = number(5).let { if (it in 1 until count) it else count }
        val step = number(6).let { if (it in 1 until count) it else count }
        val zero = number(7)
        order++
        if (flags and PALETTE != 0) {
            for (n in 0 until minOf(number(8), 256L).toInt()) {
                palette[n] = 0
                for (k in 0 until width) palette[n] = (palette[n] shl 8) or plain(8)
            }
        }
        if (coding == 0L) {
            var factor = 0
            if (flags and PRODUCT != 0) {
                factor = plain(16) shl 16
                factor = factor or plain(16)
                if (zero < 4 || zero > minOf(done, RING - 4L)) throw damaged()
            }
            integers(count, width, flags, row, step, zero, factor)
        } else if (coding == 1L) {
            val shift = number(9)
            val mean = number(10)
            val lower = number(11)
            if (zero > 255 || shift > 20 || mean > 1 shl 16) throw damaged()
            tabled(count, width, flags, row, zero.toInt(), shift.toInt(), mean.toInt(), lower)
        } else {
            for (k in 0 until count * width) put(plain(8))
        }
    }

    private fun whole() {
        low = 0
        done = 0
        narrow(0, 1)
        while (true) {
            val gap = number(0)
            if (gap > size - done) throw damaged()
            for (k in 0 until gap) put(byteOfFrame(done.toInt()))
            if (done == size) return
            segment()
        }
    }

    private fun read(packed: InputStream, unpacked: OutputStream, most: Long) {
        val head = ByteArray(12) { code(packed) }
        if (String(head, 0, 4, Charsets.ISO_8859_1) != "SQZ2") throw damaged()
        size = 0
        for (shift in 0 until 35 step 7) {
            val part = code(packed).toInt()
            size = size or ((part and 127).toLong() shl shift)
            if (part >= 0) break
        }
        if (size > most) throw IOException("the packed file holds $size bytes, more than $most")
        from = packed
        to = unpacked
        whole()
        flush()
        val found = digest.digest()
        for (k in 0 until 8) if (found[k] != head[4 + k]) throw damaged()
    }

    companion object {
        /**
         * Unpacks a file from a stream into another one.
         *
         * @param most how many bytes the unpacked file may have
         * @throws IOException it is damaged or too large; what was written must not be used
         */
        fun unpack(packed: InputStream, unpacked: OutputStream, most: Long = Int.MAX_VALUE.toLong()) {
            val buffered = packed.buffered()
            try {
                SqzReader().read(buffered, unpacked, most)
            } catch (error: ArithmeticException) {
                throw damaged(error)
            }
        }

        private fun code(packed: InputStream): Byte {
            val code = packed.read()
            if (code < 0) throw damaged()
            return code.toByte()
        }

        private fun damaged(cause: Throwable? = null) =
            IOException("no .tflite.sqz file, or a damaged one: copy it again", cause)
    }
}
