/* Unpacks .tflite.sqz files; C99, no library but the standard one, 1.9 MB of memory.
 *
 *     cc -O2 -DSQZ_MAIN sqz_reader.c -o unsqz && ./unsqz model.tflite.sqz model.tflite
 *
 * As part of a program, declare what is between the first two lines of dashes. The packed file
 * comes in byte by byte and the .tflite file goes out byte by byte: neither is held in memory, and
 * nothing is written before its length was checked. A negative result tells that what was written
 * must not be used. The page "The packed format" of tflite_squeeze describes what is read.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* ---- */
enum { SQZ_DAMAGED = -1, SQZ_TOO_LARGE = -2, SQZ_STOPPED = -3, SQZ_NO_MEMORY = -4 };
typedef int (*sqz_get)(void *from);              /* the next byte, or -1 at the end */
typedef int (*sqz_put)(void *to, uint8_t byte);  /* 0, or anything else to stop */
/* The file's size, at most `most`, once all of it was put and its SHA-256 agreed; or what failed. */
int64_t sqz_unpack(sqz_get get, void *from, sqz_put put, void *to, uint32_t most);
/* ---- */

#define RING 65535u
enum { MIXED, TABLE };
enum { DELTA = 1, PALETTE = 2, REALS = 4, SIGNED = 8, SKIPS = 16, KEEP = 32, BELL = 64, PRODUCT = 128 };
enum { SLOT_BITS = 18, SETS = 176, SET = 20, CLASSES = 32, TABLE_SIZE = 516 };
typedef char shifts_of_negative_numbers_must_round_down[(-3 >> 1) == -2 ? 1 : -1];

static const uint16_t sigmoid[] = {
    0, 1, 1, 2, 3, 5, 8, 13, 22, 36, 60, 98, 162, 267, 439, 720, 1179, 1921, 3108, 4971, 7812, 11955,
    17625, 24743, 32768, 40793, 47911, 53581, 57724, 60565, 62428, 63615, 64357, 64816, 65097, 65269,
    65374, 65438, 65476, 65500, 65514, 65523, 65528, 65531, 65533, 65534, 65535, 65535, 65535};

/* dictionary: begin */
enum { KNOWN = 4576 };
static const uint8_t dictionary[] = {
0, 224, 201, 46, 111, 248, 189, 94, 73, 171, 179, 104, 213, 208, 206, 255, 169, 244, 70, 56,
215, 104, 241, 244, 240, 112, 111, 26, 24, 182, 43, 55, 5, 34, 206, 28, 169, 32, 192, 141, 16,
2, 212, 135, 250, 159, 89, 71, 148, 148, 194, 240, 41, 201, 251, 121, 174, 212, 47, 26, 207,
233, 219, 41, 125, 5, 38, 193, 21, 31, 5, 145, 233, 6, 30, 60, 234, 96, 140, 251, 210, 62, 12,
122, 90, 193, 111, 23, 44, 220, 13, 124, 141, 221, 80, 245, 78, 248, 118, 79, 23, 160, 166, 246,
215, 1, 90, 187, 241, 102, 169, 223, 208, 189, 34, 180, 193, 218, 50, 194, 161, 15, 18, 104, 57,
155, 12, 149, 6, 89, 161, 183, 244, 205, 60, 173, 46, 193, 43, 9, 36, 191, 136, 50, 16, 34, 16,
129, 190, 110, 187, 145, 110, 117, 248, 107, 188, 175, 239, 102, 169, 190, 248, 29, 59, 75, 69,
154, 174, 202, 3, 195, 254, 240, 94, 115, 222, 134, 34, 232, 2, 186, 15, 129, 170, 226, 245, 64,
77, 200, 12, 70, 120, 136, 92, 156, 168, 188, 104, 252, 24, 97, 239, 241, 101, 128, 43, 98, 56,
169, 201, 119, 148, 112, 155, 98, 190, 28, 27, 87, 44, 196, 53, 110, 162, 227, 234, 8, 27, 89,
206, 86, 242, 144, 149, 41, 164, 212, 53, 236, 163, 144, 243, 75, 18, 156, 136, 158, 177, 88,
99, 109, 120, 175, 133, 40, 232, 194, 252, 118, 71, 225, 138, 9, 65, 235, 141, 133, 49, 20, 72,
183, 124, 192, 53, 75, 250, 146, 19, 113, 15, 116, 39, 161, 93, 156, 197, 143, 224, 222, 235,
74, 65, 74, 66, 181, 113, 248, 118, 155, 137, 122, 214, 95, 151, 23, 157, 15, 12, 159, 249, 79,
216, 86, 85, 210, 52, 88, 119, 22, 71, 55, 149, 85, 195, 52, 179, 37, 31, 151, 79, 35, 245, 110,
154, 164, 9, 243, 36, 96, 154, 39, 80, 249, 112, 224, 99, 137, 76, 112, 135, 122, 76, 147, 139,
14, 251, 114, 241, 173, 173, 232, 158, 86, 130, 58, 232, 175, 39, 7, 30, 216, 55, 56, 122, 44,
33, 156, 45, 85, 102, 246, 171, 136, 254, 179, 126, 14, 198, 3, 10, 57, 58, 144, 24, 209, 135,
88, 112, 70, 124, 170, 5, 251, 94, 16, 14, 82, 180, 37, 107, 207, 86, 218, 57, 18, 124, 151,
182, 165, 151, 74, 145, 182, 221, 94, 31, 72, 207, 96, 62, 224, 134, 34, 84, 242, 109, 224, 31,
228, 128, 170, 126, 64, 223, 128, 130, 181, 155, 152, 3, 241, 41, 117, 174, 0, 0, 167, 214, 57,
15, 192, 81, 225, 74, 42, 1, 48, 230, 34, 112, 37, 81, 71, 111, 3, 22, 43, 55, 58, 172, 110,
254, 157, 160, 69, 11, 102, 226, 159, 162, 225, 204, 165, 230, 151, 69, 121, 213, 83, 52, 106,
141, 116, 51, 190, 250, 4, 197, 94, 17, 63, 9, 96, 33, 41, 59, 48, 247, 231, 19, 49, 33, 190,
27, 206, 5, 69, 223, 137, 165, 35, 185, 247, 208, 194, 106, 175, 58, 171, 207, 91, 38, 14, 136,
211, 99, 117, 30, 31, 169, 33, 137, 28, 165, 181, 216, 170, 179, 96, 138, 178, 98, 146, 200,
144, 164, 65, 157, 181, 19, 80, 107, 9, 144, 41, 190, 86, 63, 189, 62, 200, 236, 70, 128, 224,
36, 245, 144, 39, 58, 9, 28, 56, 38, 153, 56, 50, 251, 232, 59, 139, 52, 71, 76, 14, 98, 186,
79, 89, 221, 146, 150, 95, 124, 191, 249, 165, 25, 51, 108, 191, 192, 45, 148, 150, 50, 149,
115, 154, 104, 116, 127, 13, 203, 178, 133, 99, 6, 8, 70, 198, 217, 46, 146, 211, 3, 11, 5, 90,
169, 255, 71, 244, 179, 159, 34, 179, 31, 129, 163, 175, 127, 221, 118, 157, 222, 52, 115, 229,
184, 158, 185, 219, 97, 80, 46, 249, 248, 161, 117, 40, 255, 182, 193, 106, 124, 106, 242, 221,
214, 146, 35, 131, 171, 61, 170, 72, 17, 24, 250, 169, 176, 244, 88, 172, 8, 203, 106, 7, 236,
22, 4, 219, 134, 108, 175, 118, 119, 90, 171, 130, 216, 31, 69, 199, 106, 6, 59, 218, 211, 5,
235, 30, 126, 202, 80, 154, 119, 246, 49, 78, 93, 104, 118, 212, 63, 109, 67, 7, 232, 5, 3, 73,
204, 32, 33, 157, 177, 165, 177, 121, 127, 190, 81, 198, 111, 46, 36, 73, 64, 127, 179, 136,
108, 89, 40, 93, 231, 73, 110, 65, 132, 132, 113, 205, 10, 183, 242, 201, 41, 17, 95, 124, 21,
251, 145, 168, 71, 143, 30, 224, 142, 236, 31, 91, 173, 242, 86, 39, 93, 236, 186, 167, 130, 36,
62, 177, 16, 221, 82, 92, 92, 91, 103, 138, 3, 248, 95, 71, 27, 155, 195, 167, 116, 178, 207,
61, 80, 49, 9, 223, 18, 142, 67, 138, 236, 165, 179, 146, 202, 185, 196, 214, 136, 143, 38, 59,
111, 160, 102, 245, 237, 55, 81, 46, 73, 252, 182, 226, 141, 168, 153, 140, 203, 106, 208, 117,
191, 245, 148, 65, 14, 26, 18, 221, 13, 108, 212, 176, 92, 246, 61, 17, 99, 89, 107, 230, 131,
248, 82, 249, 188, 62, 32, 18, 90, 40, 64, 175, 101, 12, 170, 0, 81, 187, 29, 40, 242, 49, 20,
135, 172, 214, 197, 239, 195, 99, 103, 201, 56, 157, 147, 148, 255, 95, 78, 192, 145, 98, 157,
117, 63, 65, 176, 120, 19, 245, 40, 178, 97, 187, 181, 177, 3, 122, 172, 132, 178, 253, 77, 88,
158, 142, 64, 7, 61, 107, 25, 88, 37, 102, 239, 106, 192, 245, 85, 22, 175, 109, 36, 178, 217,
255, 243, 116, 105, 192, 10, 55, 203, 61, 142, 72, 210, 194, 187, 189, 44, 159, 184, 48, 108,
133, 197, 66, 32, 13, 25, 7, 154, 87, 167, 162, 156, 155, 100, 219, 221, 138, 172, 236, 225, 66,
228, 195, 197, 247, 69, 142, 186, 217, 225, 189, 17, 67, 78, 51, 248, 103, 105, 105, 66, 223,
153, 215, 157, 61, 132, 215, 9, 52, 116, 228, 157, 124, 162, 68, 28, 204, 242, 190, 99, 28, 7,
190, 22, 204, 116, 124, 120, 108, 89, 3, 178, 164, 132, 17, 210, 46, 145, 103, 98, 202, 98, 134,
168, 227, 189, 122, 157, 253, 83, 213, 128, 26, 148, 18, 157, 212, 32, 188, 102, 245, 120, 118,
130, 121, 163, 184, 229, 23, 17, 106, 45, 120, 87, 187, 24, 143, 109, 81, 50, 199, 11, 46, 52,
148, 65, 15, 238, 179, 76, 25, 67, 77, 75, 132, 122, 240, 199, 125, 249, 108, 190, 75, 155, 18,
4, 95, 18, 20, 145, 33, 69, 209, 68, 36, 206, 245, 18, 51, 135, 230, 12, 9, 168, 89, 31, 157,
169, 230, 149, 144, 48, 22, 142, 141, 9, 240, 193, 238, 200, 126, 1, 182, 185, 100, 26, 20, 210,
89, 135, 106, 45, 224, 55, 122, 35, 58, 1, 119, 243, 46, 191, 244, 12, 124, 112, 100, 124, 208,
175, 126, 148, 141, 30, 181, 175, 121, 102, 53, 248, 228, 108, 146, 181, 206, 130, 224, 57, 222,
193, 212, 44};
/* dictionary: end */

typedef struct {
    sqz_get get;
    sqz_put put;
    void *from, *to;
    int failed, known_at, ended;
    uint64_t low, span, done, size;
    uint32_t past, match, matched, order, target, offset, agrees;
    uint32_t slots[1 << SLOT_BITS], maps[9 * 256], matches[1 << 14], palette[256];
    uint8_t pasts[1 << SLOT_BITS], history[RING + 1], marks[RING + 1], recent[RING + 1];
    int8_t levels[RING + 1];
    int32_t columns[RING + 1], weights[SETS * SET];
    int16_t inputs[SET], stretch[4096];
    uint16_t squash[6144];
    uint8_t logs[2048];
    int32_t rates[256];
    uint32_t contexts[8], places[10];
    uint64_t tables[(CLASSES + 4) * TABLE_SIZE];
    uint32_t sha[8];
    uint8_t block[64];
} Reader;

static int32_t least(int64_t a, int64_t b) { return (int32_t)(a < b ? a : b); }
static int32_t within(int64_t x, int32_t low, int32_t high) {
    return x < low ? low : x > high ? high : (int32_t)x;
}

/* ---- SHA-256 (FIPS 180-4) ---- */

static uint32_t turned(uint32_t x, int by) { return x >> by | x << (32 - by); }

static const uint32_t first_hash[] = {
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
static const uint32_t constants[] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static void hash_block(Reader *s) {
    uint32_t w[64], v[8];
    for (int k = 0; k < 64; k++) {
        if (k < 16) {
            const uint8_t *b = s->block + 4 * k;
            w[k] = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
        } else {
            uint32_t a = w[k - 15], b = w[k - 2];
            w[k] = w[k - 16] + (turned(a, 7) ^ turned(a, 18) ^ a >> 3) + w[k - 7]
                   + (turned(b, 17) ^ turned(b, 19) ^ b >> 10);
        }
    }
    memcpy(v, s->sha, sizeof v);
    for (int k = 0; k < 64; k++) {
        uint32_t one = v[7] + (turned(v[4], 6) ^ turned(v[4], 11) ^ turned(v[4], 25))
                       + ((v[4] & v[5]) ^ (~v[4] & v[6])) + constants[k] + w[k];
        uint32_t two = (turned(v[0], 2) ^ turned(v[0], 13) ^ turned(v[0], 22))
                       + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
        memmove(v + 1, v, 7 * sizeof *v);
        v[4] += one;
        v[0] = one + two;
    }
    for (int k = 0; k < 8; k++) s->sha[k] += v[k];
}

static void hash_end(Reader *s) {
    size_t at = s->size & 63;
    s->block[at++] = 0x80;
    memset(s->block + at, 0, 64 - at);
    if (at > 56) {
        hash_block(s);
        memset(s->block, 0, 64);
    }
    for (int k = 0; k < 8; k++) s->block[63 - k] = (uint8_t)(s->size * 8 >> 8 * k);
    hash_block(s);
}

/* ---- The coder ---- */

static uint32_t next_code(Reader *s) {
    int code;
    if (s->known_at < (int)sizeof dictionary) return dictionary[s->known_at++];
    if (s->known_at == (int)sizeof dictionary && s->get == NULL) return 0;
    code = s->ended ? -1 : s->get(s->from);
    if (code < 0 && ++s->ended > 8) s->failed = SQZ_DAMAGED;
    return code < 0 ? 0 : (uint32_t)code & 255;
}

static void narrow(Reader *s, uint64_t start, uint64_t size) {
    s->low -= start;
    while (size < (uint64_t)1 << 48 && !s->failed) {
        size <<= 8;
        s->low = s->low << 8 | next_code(s);
    }
    s->span = size;
}

static int bit(Reader *s, uint32_t p) {
    uint64_t bound = (s->span >> 16) * p;
    int one = s->low < bound;
    if (one) narrow(s, 0, bound); else narrow(s, bound, s->span - bound);
    return one;
}

static uint32_t plain(Reader *s, int bits) {
    uint64_t unit = s->span >> bits, found = s->low / unit;
    if (found >> bits) found = ((uint64_t)1 << bits) - 1;
    narrow(s, unit * found, unit);
    return (uint32_t)found;
}

static void learn(const Reader *s, uint32_t *slot, int one) {
    int64_t count = *slot & 1023, p = *slot >> 10;
    p += (((int64_t)one << 22) - p) * s->rates[count] >> 16;
    *slot = (uint32_t)within(p, 64, (1 << 22) - 64) << 10 | (uint32_t)least(count + 1, 255);
}

static uint32_t slot(uint32_t context, uint32_t node) {
    return (context + node * 0x9E3779B1u) * 0x2545F491u >> (32 - SLOT_BITS);
}

static uint32_t context(uint64_t number, uint32_t kind) {
    uint32_t mixed = (uint32_t)number * 0x85EBCA6Bu + kind * 0xC2B2AE35u;
    return (mixed ^ mixed >> 15) * 0x27D4EB2Fu;
}

static int single(Reader *s, uint32_t place) {
    int one = bit(s, (uint32_t)within(s->slots[place] >> 16, 32, 65504));
    learn(s, &s->slots[place], one);
    return one;
}

static int mixed(Reader *s, int count, int chosen, uint32_t node) {
    int32_t *weights = s->weights + SET * chosen;
    int64_t dot = 0, error;
    int one;
    uint32_t p;
    for (int k = 0; k < count; k++) {
        s->places[k] = slot(s->contexts[k], node);
        s->inputs[k] = s->stretch[s->slots[s->places[k]] >> 20];
        dot += (int64_t)weights[k] * s->inputs[k];
    }
    p = s->squash[within(dot >> 16, -3071, 3071) + 3071];
    one = bit(s, p);
    error = ((int64_t)one * 65536 - p) * 16;
    for (int k = 0; k < count; k++) {
        weights[k] += (int32_t)((s->inputs[k] * error + (1 << 19)) >> 20);
        learn(s, &s->slots[s->places[k]], one);
    }
    return one;
}

static int recalled(Reader *s, int chosen) {
    int32_t *weights = s->weights + SET * chosen;
    int64_t dot = 0, error;
    int one;
    uint32_t p;
    for (int k = 0; k < 9; k++) {
        s->inputs[k] = s->stretch[s->slots[s->places[k]] >> 20];
        s->inputs[9 + k] = s->stretch[s->maps[256 * k + s->pasts[s->places[k]]] >> 20];
    }
    for (int k = 0; k < 18; k++) dot += (int64_t)weights[k] * s->inputs[k];
    p = s->squash[within(dot >> 16, -3071, 3071) + 3071];
    one = bit(s, p);
    error = ((int64_t)one * 65536 - p) * 32;
    for (int k = 0; k < 18; k++) weights[k] += (int32_t)((s->inputs[k] * error + (1 << 19)) >> 20);
    for (int k = 0; k < 9; k++) {
        uint32_t past = s->pasts[s->places[k]];
        learn(s, &s->slots[s->places[k]], one);
        learn(s, &s->maps[256 * k + past], one);
        past = past << 1 | (uint32_t)one;
        s->pasts[s->places[k]] = (uint8_t)(past > 255 ? (past & 127) | 128 : past);
    }
    return one;
}

static uint64_t number(Reader *s, uint32_t kind) {
    uint32_t length = 0;
    uint64_t found = 1;
    while (length < 40 && single(s, slot(context(kind, 30), length))) length++;
    for (uint32_t at = 0; at < length; at++) {
        uint32_t place = slot(context(kind, 31), (uint32_t)(length * 8 + found));
        found = found * 2 + (at < 3 ? (uint32_t)single(s, place) : plain(s, 1));
    }
    return found - 1;
}

static void put(Reader *s, uint64_t value) {
    uint8_t byte = (uint8_t)value;
    s->recent[s->done & RING] = byte;
    if (s->get && s->known_at > (int)sizeof dictionary && !s->failed) {
        s->block[s->done & 63] = byte;
        if ((s->done & 63) == 63) hash_block(s);
        if (s->put(s->to, byte)) s->failed = SQZ_STOPPED;
    }
    s->done++;
}

/* ---- The frame ---- */

static void surrounding(Reader *s, uint32_t place, uint32_t mark) {
    const uint8_t *history = s->history;
    uint32_t past = s->past, word = 0, before = 0, earlier = 0, key, *c = s->contexts;
    uint32_t one = history[(past - 1) & RING], two = history[(past - 2) & RING];
    uint32_t three = history[(past - 3) & RING], four = history[(past - 4) & RING];
    uint32_t eight = history[(past - (place ? 8 : 5)) & RING], five = history[(past - 5) & RING];
    for (uint32_t k = 0; k < place; k++) word = word << 8 | history[(past - place + k) & RING];
    for (uint32_t k = 1; k < 5; k++) {
        before = before << 8 | history[(past - place - k) & RING];
        earlier = earlier << 8 | history[(past - place - 4 - k) & RING];
    }
    c[0] = context(place << 2 | mark, 0);
    c[1] = context(one << 2 | place, 1);
    c[2] = context(two << 10 | one << 2 | place, 2);
    c[3] = context(three << 16 | two << 8 | one, 3);
    c[4] = context(word * 31 + before * 77 + place, 4);
    c[5] = context(word * 31 + before * 77 + earlier * 1001 + place, 5);
    c[6] = context(four << 10 | eight << 2 | place, 6);
    key = context(three << 16 | two << 8 | one, four << 8 | five) >> 18;
    if (!s->matched) {
        s->match = s->matches[key];
        for (uint32_t at = 1; s->match && at <= 32; at++) {
            if (history[(s->match - at) & RING] != history[(past - at) & RING]) break;
            s->matched = at;
        }
    }
    s->matches[key] = past;
}

static void marked(Reader *s, uint32_t at) {
    uint32_t word = 0, start = at - 4, *target = &s->target;
    uint8_t *here = &s->marks[start >> 2 & RING], mark = *here;
    for (uint32_t k = 1; k < 5; k++) word = word << 8 | s->history[(s->past - k) & RING];
    *here = 0;
    if (!(word & 3) && word && word < 1 << 18) {
        uint8_t *there = &s->marks[(uint32_t)(((uint64_t)start + word) >> 2 & RING)];
        uint8_t kind = word < 64 ? 1 : 2;
        if (*there < kind) *there = kind;
    }
    if (word >= 0xFF000000u || (mark == 2 && word < 65536)) *target = start - word;
}

static uint8_t byte(Reader *s, uint32_t at) {
    uint32_t place = at & 3, mark = s->marks[at >> 2 & RING], expected, offset, found = 1;
    if (!place) {
        s->offset = at - s->target;
        s->agrees = 1;
    }
    surrounding(s, place, mark);
    expected = s->history[s->match & RING] | 256u;
    offset = (s->offset >> 8 * place & 255) | 256u;
    for (int k = 0; k < 8; k++) {
        uint32_t chosen = place * 4 + mark;
        for (int n = 0; n < 7; n++) s->places[n] = slot(s->contexts[n], found);
        s->places[7] = slot(context(0, 7), found);
        if (s->matched && expected >> (8 - k) == found) {
            uint32_t length = s->matched < 16 ? s->matched : 15 + (s->matched - 16) / 8;
            s->places[7] = slot(context(length * 2 + (expected >> (7 - k) & 1), 19), 0);
            chosen += 16 + (length >> 2) * 16;
        }
        s->places[8] = slot(context(0, 20), 0);
        if (s->agrees && offset >> (8 - k) == found)
            s->places[8] = slot(context((place * 4 + mark) * 2 + (offset >> (7 - k) & 1), 21), 0);
        found = found * 2 + (uint32_t)recalled(s, (int)chosen);
    }
    s->history[s->past & RING] = (uint8_t)found;
    s->matched = s->matched && expected == found ? (uint32_t)least(s->matched + 1, 32) : 0;
    s->agrees &= offset == found;
    s->match++;
    s->past++;
    if (place == 3) marked(s, at + 1);
    return (uint8_t)found;
}

/* ---- Runs of numbers ---- */

static int near(const Reader *s, uint64_t at, uint64_t back) {
    return 0 < back && back <= at && back <= RING ? s->levels[(at - back) & RING] : 0;
}

static int size_near(const Reader *s, uint64_t at, uint64_t back, int most) {
    return least(abs(near(s, at, back)), most);
}

static int sign_near(const Reader *s, uint64_t at, uint64_t back) {
    int level = near(s, at, back);
    return (level > 0) + 2 * (level < 0);
}

static int64_t integer(Reader *s, uint64_t at, uint64_t row, uint64_t step, int column, int across) {
    uint32_t *c = s->contexts, length = 0;
    int left = size_near(s, at, 1, 99), back = size_near(s, at, step, 99), level, above, sign, far;
    int corners = size_near(s, at, row + 1, 3) * 4 + size_near(s, at, row - 1, 3);
    int sides = size_near(s, at, step + 1, 3) * 4 + size_near(s, at, step - 1, 3);
    int64_t found = 1;
    c[0] = context(s->order, 8);
    c[1] = context((uint32_t)(s->logs[column] * 4 + least(left, 3)), 9);
    c[2] = context((uint32_t)(s->logs[across] * 64 + least(left, 7) * 8 + size_near(s, at, 2, 7)), 10);
    c[3] = context((uint32_t)((size_near(s, at, row, 7) * 8 + size_near(s, at, 2 * row, 7)) * 16 + corners), 11);
    c[4] = context(s->logs[(2 * column + 2 * across + 64 * (left + back)) / 6], 12);
    c[5] = context((uint32_t)((least(back, 7) * 8 + least(left, 7)) * 16 + sides), 13);
    if (!mixed(s, 6, 96 + least(s->logs[(column + across) >> 1], 31), 0)) {
        s->levels[at & RING] = 0;
        return 0;
    }
    while (length < CLASSES - 1 && mixed(s, 6, 128 + (int)length, 1 + length)) length++;
    for (uint32_t k = 0; k < length; k++) {
        uint32_t node = 4096 + (length << 6 | (k < 6 ? (uint32_t)found : k));
        found = found * 2 + (k < 3 ? mixed(s, 6, 160 + (int)k, node) : single(s, slot(c[0], node)));
    }
    level = found < 3 ? (int)found : least(2 * length + (found >> (length - 1) & 1), 24);
    sign = sign_near(s, at, 1);
    above = sign_near(s, at, row);
    far = sign_near(s, at, step);
    c[0] = context(s->order, 14);
    c[1] = context((uint32_t)sign, 15);
    c[2] = context((uint32_t)above, 16);
    c[3] = context((uint32_t)level, 17);
    c[4] = context((uint32_t)(sign * 9 + above * 3 + far), 18);
    if (mixed(s, 5, 163, 0)) {
        s->levels[at & RING] = (int8_t)-level;
        return -found;
    }
    s->levels[at & RING] = (int8_t)level;
    return found;
}

static uint32_t product(uint32_t a, uint32_t b) {
    uint64_t whole = (uint64_t)((a & 0x7FFFFF) | 0x800000) * ((b & 0x7FFFFF) | 0x800000), found, rest;
    uint32_t bits = whole >> 47 ? 24 : 23, exponent = (a >> 23) + (b >> 23) - 150 + bits;
    found = whole >> bits;
    rest = whole & (((uint64_t)1 << bits) - 1);
    found += rest + (found & 1) > (uint64_t)1 << (bits - 1);
    return (exponent << 23) + (uint32_t)found - 0x800000;
}

static uint32_t word_before(const Reader *s, uint64_t back) {
    uint32_t word = 0;
    for (int k = 3; k >= 0; k--) word = word << 8 | s->recent[(s->done - back + (uint64_t)k) & RING];
    return word;
}

static void integers(Reader *s, uint64_t count, int width, uint64_t flags, uint64_t row,
                     uint64_t step, uint64_t zero, uint32_t factor) {
    int32_t across = 64, whole = 64, came = 0, slow = 0;
    uint64_t value = 0;
    for (uint64_t k = 0; k < row && k <= RING; k++) s->columns[k] = -1;
    for (uint64_t at = 0, place = 0; at < count && !s->failed; at++, place++) {
        int32_t column, level;
        int64_t found;
        if (!at || place == row) { /* as divisions for every number would take half of the time */
            place = 0;
            across = whole;
            came = 0;
            slow = within((int64_t)(65536 / (at / row + 2)), 1500, 65536);
        }
        column = s->columns[place & RING] < 0 ? across : s->columns[place & RING];
        found = integer(s, at, row, step, column, across);
        level = 64 * abs(s->levels[at & RING]);
        came++;
        across += (level - across) * (came < 64 ? 65536 / (came + 1) : 1024) >> 16;
        whole += (level - whole) >> 7;
        s->columns[place & RING] = column + ((level - column) * slow >> 16);
        if (flags & PALETTE) value = s->palette[within(found + (int64_t)zero, 0, 255)];
        else if (flags & DELTA) value += (uint64_t)found;
        else if (factor) value = product(word_before(s, zero), factor) + (uint64_t)found;
        else value = (uint64_t)found + zero;
        for (int k = 0; k < width; k++) put(s, value >> 8 * k);
    }
}

static void prepare(Reader *s, int bell) {
    for (int table = 0; table < CLASSES + 4; table++) {
        uint64_t *sums = s->tables + table * TABLE_SIZE, *counts = sums + 257, whole = 0;
        int64_t wide = ((int64_t)(table % 2 + 2) << (table / 2 > 4 ? table / 2 : 4)) * 3 / 2;
        wide = wide * wide * 5;
        for (int k = 0; k < 256; k++) {
            int64_t off = 144 * k - 18432;
            uint64_t tail = 1024 + (uint64_t)least(off * off * 1024 / wide, 1 << 15);
            counts[k] = ((uint64_t)1 << 52) / (tail * tail * tail);
            whole += counts[k];
        }
        for (int k = 0; k < 256; k++)
            counts[k] = 1 + (bell && table < CLASSES ? 5 + 3200 * counts[k] / whole : 0);
        sums[513] = sums[514] = 0;
    }
}

static uint32_t symbol(Reader *s, uint32_t table) {
    uint64_t *sums = s->tables + table * TABLE_SIZE, *counts = sums + 257, unit, target;
    uint32_t found = 0, high = 256;
    if (!sums[513]) {
        uint64_t whole = 0;
        for (int k = 0; k < 256; k++) {
            sums[k] = whole;
            whole += counts[k];
        }
        sums[256] = whole;
        sums[513] = sums[514] / 8 > 252 ? 256 : 4 + sums[514] / 8;
        sums[514] += sums[513];
    }
    sums[513]--;
    unit = s->span / sums[256];
    target = s->low / unit;
    while (high - found > 1) {
        uint32_t middle = (found + high) >> 1;
        if (sums[middle] <= target) found = middle; else high = middle;
    }
    narrow(s, unit * sums[found], unit * (sums[found + 1] - sums[found]));
    counts[found] += 32;
    return found;
}

static void tabled(Reader *s, uint64_t count, int width, uint64_t flags, uint64_t row,
                   int32_t zero, int shift, int32_t mean, uint64_t lower) {
    int32_t before = mean, across = mean;
    uint32_t earlier = 0;
    if (!(flags & KEEP)) prepare(s, (flags & BELL) != 0);
    for (uint64_t k = 0; k < row && k <= RING; k++) s->columns[k] = mean;
    for (uint64_t at = 0; at < count && !s->failed; at++) {
        uint64_t place = at % row;
        int32_t column, high;
        uint32_t level, bits = 3, value;
        if (!place) before = across = mean;
        column = s->columns[place & RING];
        level = 36 + (uint32_t)((before + 4 * (column + across)) >> 4);
        while (level >> (bits + 1)) bits++;
        bits--;
        if (shift) level = (uint32_t)least(level >> shift, CLASSES - 1);
        else level = (level >> bits & 1) | bits * 2;
        high = (int32_t)symbol(s, level);
        before = (shift ? within(high - zero, 0, 255) : abs(high - 128)) * 256;
        s->columns[place & RING] = column + ((before - column) >> 6);
        across += (before - across) >> 6;
        value = shift ? (uint32_t)high : (uint32_t)(high + zero - 128) & 255;
        for (int k = 0; k < (flags & PALETTE ? 0 : width - 1); k++) {
            if (flags & SKIPS && !high) value <<= 8;
            else value = value << 8 | (lower >> k & 1 ? symbol(s, CLASSES + (uint32_t)k) : plain(s, 8));
        }
        if (flags & PALETTE) value = s->palette[value];
        else if (flags & REALS) value = value >> 1 | (value & 1) << (8 * width - 1);
        else if (flags & SIGNED) value = value >> 1 ^ (0u - (value & 1));
        if (flags & DELTA) earlier = value += earlier;
        for (int k = 0; k < width; k++) put(s, value >> 8 * k);
    }
}

static int segment(Reader *s) {
    uint64_t coding = number(s, 1), flags = number(s, 2), bits = number(s, 3), count = number(s, 4);
    uint64_t row, step, zero, left = s->size - s->done, shift, mean, lower;
    int width = bits < 3 ? 1 << bits : 0;
    if (!width) return 0;
    if (!count && s->done >= 4) count = word_before(s, 4) / (uint32_t)width;
    if (!count || count > left || count * (uint64_t)width > left) return 0;
    row = number(s, 5);
    step = number(s, 6);
    zero = number(s, 7);
    if (!row || row >= count) row = count;
    if (!step || step >= count) step = count;
    s->order++;
    if (flags & PALETTE) {
        int values = least((int64_t)number(s, 8), 256);
        for (int n = 0; n < values; n++) {
            s->palette[n] = 0;
            for (int k = 0; k < width; k++) s->palette[n] = s->palette[n] << 8 | plain(s, 8);
        }
    }
    if (coding == MIXED) {
        uint32_t factor = 0;
        if (flags & PRODUCT) {
            factor = plain(s, 16) << 16;
            factor |= plain(s, 16);
            if (zero < 4 || zero > s->done || zero > RING - 4) return 0;
        }
        integers(s, count, width, flags, row, step, zero, factor);
    } else if (coding == TABLE) {
        shift = number(s, 9);
        mean = number(s, 10);
        lower = number(s, 11);
        if (zero > 255 || shift > 20 || mean > 1 << 16) return 0;
        tabled(s, count, width, flags, row, (int32_t)zero, (int)shift, (int32_t)mean, lower);
    } else {
        for (count *= (uint64_t)width; count && !s->failed; count--) put(s, plain(s, 8));
    }
    return !s->failed;
}

static int whole(Reader *s) {
    s->low = s->done = 0;
    narrow(s, 0, 1);
    while (!s->failed) {
        uint64_t gap = number(s, 0);
        if (gap > s->size - s->done) return 0;
        for (; gap && !s->failed; gap--) put(s, byte(s, (uint32_t)s->done));
        if (s->done == s->size) return !s->failed;
        if (!segment(s)) return 0;
    }
    return 0;
}

static void prime(Reader *s) {
    int done = 0;
    for (int at = 0; at < 6143; at++) {
        int k = ((at - 3071) >> 7) + 24, rest = (at - 3071) & 127;
        uint32_t next = k + 1 == 48 ? 65536 : sigmoid[k + 1];
        uint32_t p = (sigmoid[k] * (uint32_t)(128 - rest) + next * (uint32_t)rest + 64) >> 7;
        s->squash[at] = (uint16_t)within(p, 4, 65532);
    }
    for (int at = -2047; at < 2048; at++)
        while (done <= s->squash[at + 3071] >> 4) s->stretch[done++] = (int16_t)at;
    while (done < 4096) s->stretch[done++] = 2047;
    for (int at = 0; at < 256; at++) s->rates[at] = 655360 / (10 * at + 16);
    for (int at = 0; at < 2048; at++) {
        int bits = 0;
        while ((at + 4) >> bits >= 8) bits++;
        s->logs[at] = (uint8_t)(bits * 4 + ((at + 4) >> bits & 3));
    }
    for (size_t k = 0; k < (size_t)1 << SLOT_BITS; k++) s->slots[k] = 1u << 31;
    for (size_t k = 0; k < 9 * 256; k++) s->maps[k] = 1u << 31;
    memset(s->pasts, 1, sizeof s->pasts);
    for (int k = 0; k < SETS * SET; k++) s->weights[k] = k < 96 * SET ? 9830 : 11796;
    s->size = KNOWN;
    whole(s);
    s->known_at = (int)sizeof dictionary + 1;
}

int64_t sqz_unpack(sqz_get get, void *from, sqz_put put_byte, void *to, uint32_t most) {
    static const uint8_t magic[4] = {'S', 'Q', 'Z', '2'};
    uint8_t digest[8];
    uint64_t size = 0;
    int64_t result = SQZ_DAMAGED;
    Reader *s;
    for (int k = 0; k < 12; k++) {
        int code = get(from);
        if (code < 0 || (k < 4 && code != magic[k])) return SQZ_DAMAGED;
        if (k >= 4) digest[k - 4] = (uint8_t)code;
    }
    for (int shift = 0; shift < 35; shift += 7) {
        int code = get(from);
        if (code < 0) return SQZ_DAMAGED;
        size |= (uint64_t)(code & 127) << shift;
        if (code < 128) break;
    }
    if (size > most) return SQZ_TOO_LARGE;
    s = calloc(1, sizeof *s);
    if (!s) return SQZ_NO_MEMORY;
    prime(s);
    s->get = get;
    s->from = from;
    s->put = put_byte;
    s->to = to;
    s->size = size;
    memcpy(s->sha, first_hash, sizeof first_hash);
    if (whole(s)) {
        hash_end(s);
        result = (int64_t)size;
        for (int k = 0; k < 8; k++)
            if (digest[k] != (uint8_t)(s->sha[k / 4] >> (24 - 8 * (k % 4)))) result = SQZ_DAMAGED;
    } else if (s->failed == SQZ_STOPPED) {
        result = SQZ_STOPPED;
    }
    free(s);
    return result;
}

#ifdef SQZ_MAIN
#include <stdio.h>

static int get_byte(void *from) { return getc(from); }
static int put_byte(void *to, uint8_t byte) { return putc(byte, to) == EOF; }

int main(int count, char **names) {
    FILE *from = count == 3 ? fopen(names[1], "rb") : NULL;
    FILE *to = from ? fopen(names[2], "wb") : NULL;
    int64_t size;
    if (!to) {
        fprintf(stderr, "use: %s FILE.tflite.sqz FILE.tflite\n", names[0]);
        return 2;
    }
    size = sqz_unpack(get_byte, from, put_byte, to, 0xFFFFFFFFu);
    fclose(from);
    if (fclose(to) || size < 0) {
        remove(names[2]);
        fprintf(stderr, "%s: no .tflite.sqz file, or a damaged one (%d)\n", names[1], (int)size);
        return 2;
    }
    return 0;
}
#endif
