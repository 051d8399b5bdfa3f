/* UTF-8 by table look-up, for kernels that can look 16 bytes up at once (J. Keiser, D. Lemire,
 * "Validating UTF-8 in less than one instruction per byte", 2021): a byte and the one before it
 * are at fault together in one of seven ways, or are two continuations, which the bytes further
 * back must want. Each way is a bit, set in a table where a nibble allows it; what all three
 * nibbles allow is the case. */
#ifndef WEIR_WIRE_MASK_TABLES_H
#define WEIR_WIRE_MASK_TABLES_H

enum weir__pair {
  WEIR__PAIR_SHORT = 1 << 0,      /* a lead, then no continuation */
  WEIR__PAIR_STRAY = 1 << 1,      /* ASCII, then a continuation */
  WEIR__PAIR_OVERLONG_2 = 1 << 2, /* C0, C1 */
  WEIR__PAIR_OVERLONG_3 = 1 << 3, /* E0, then 80..9F */
  WEIR__PAIR_SURROGATE = 1 << 4,  /* ED, then A0..BF */
  WEIR__PAIR_ABOVE = 1 << 5,      /* F4, then 90..BF; F5..FF, then 90..BF */
  WEIR__PAIR_EDGE_4 = 1 << 6,     /* F0, then 80..8F (overlong); F5..FF, then 80..8F (above) */
  WEIR__PAIR_TWO = 1 << 7,        /* a continuation, then another */
};

/* By the high nibble of the byte before. */
static const unsigned char weir__pair_before_high[16] = {
    WEIR__PAIR_STRAY,
    WEIR__PAIR_STRAY,
    WEIR__PAIR_STRAY,
    WEIR__PAIR_STRAY,
    WEIR__PAIR_STRAY,
    WEIR__PAIR_STRAY,
    WEIR__PAIR_STRAY,
    WEIR__PAIR_STRAY,
    WEIR__PAIR_TWO,
    WEIR__PAIR_TWO,
    WEIR__PAIR_TWO,
    WEIR__PAIR_TWO,
    WEIR__PAIR_SHORT | WEIR__PAIR_OVERLONG_2,
    WEIR__PAIR_SHORT,
    WEIR__PAIR_SHORT | WEIR__PAIR_OVERLONG_3 | WEIR__PAIR_SURROGATE,
    WEIR__PAIR_SHORT | WEIR__PAIR_ABOVE | WEIR__PAIR_EDGE_4,
};

/* By the low nibble of the byte before. */
#define WEIR__PAIR_ANY_LOW (WEIR__PAIR_SHORT | WEIR__PAIR_STRAY | WEIR__PAIR_TWO)
#define WEIR__PAIR_5_TO_F  (WEIR__PAIR_ANY_LOW | WEIR__PAIR_ABOVE | WEIR__PAIR_EDGE_4)
static const unsigned char weir__pair_before_low[16] = {
    WEIR__PAIR_ANY_LOW | WEIR__PAIR_OVERLONG_2 | WEIR__PAIR_OVERLONG_3 | WEIR__PAIR_EDGE_4,
    WEIR__PAIR_ANY_LOW | WEIR__PAIR_OVERLONG_2,
    WEIR__PAIR_ANY_LOW,
    WEIR__PAIR_ANY_LOW,
    WEIR__PAIR_ANY_LOW | WEIR__PAIR_ABOVE,
    WEIR__PAIR_5_TO_F,
    WEIR__PAIR_5_TO_F,
    WEIR__PAIR_5_TO_F,
    WEIR__PAIR_5_TO_F,
    WEIR__PAIR_5_TO_F,
    WEIR__PAIR_5_TO_F,
    WEIR__PAIR_5_TO_F,
    WEIR__PAIR_5_TO_F,
    WEIR__PAIR_5_TO_F | WEIR__PAIR_SURROGATE,
    WEIR__PAIR_5_TO_F,
    WEIR__PAIR_5_TO_F,
};

/* By the high nibble of the byte itself. */
#define WEIR__PAIR_ANY_NEXT (WEIR__PAIR_STRAY | WEIR__PAIR_OVERLONG_2 | WEIR__PAIR_TWO)
static const unsigned char weir__pair_high[16] = {
    WEIR__PAIR_SHORT,
    WEIR__PAIR_SHORT,
    WEIR__PAIR_SHORT,
    WEIR__PAIR_SHORT,
    WEIR__PAIR_SHORT,
    WEIR__PAIR_SHORT,
    WEIR__PAIR_SHORT,
    WEIR__PAIR_SHORT,
    WEIR__PAIR_ANY_NEXT | WEIR__PAIR_OVERLONG_3 | WEIR__PAIR_EDGE_4,
    WEIR__PAIR_ANY_NEXT | WEIR__PAIR_OVERLONG_3 | WEIR__PAIR_ABOVE,
    WEIR__PAIR_ANY_NEXT | WEIR__PAIR_SURROGATE | WEIR__PAIR_ABOVE,
    WEIR__PAIR_ANY_NEXT | WEIR__PAIR_SURROGATE | WEIR__PAIR_ABOVE,
    WEIR__PAIR_SHORT,
    WEIR__PAIR_SHORT,
    WEIR__PAIR_SHORT,
    WEIR__PAIR_SHORT,
};

/* Taken off with saturation, these leave the high bit in a byte that begins three bytes or more,
 * four or more: the second byte after the one, the third after the other must be a WEIR__PAIR_TWO.
 */
#define WEIR__PAIR_BELOW_3 (0xE0 - 0x80)
#define WEIR__PAIR_BELOW_4 (0xF0 - 0x80)

#endif
