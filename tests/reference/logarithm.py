"""The engine's own natural logarithm, docs/numerics.md, "log"."""

import struct

C = [
    float.fromhex(digits)
    for digits in (
        "0x1.5555555555555p-1",
        "0x1.9999999999a38p-2",
        "0x1.2492492476c87p-2",
        "0x1.c71c720160b47p-3",
        "0x1.745cf901605f7p-3",
        "0x1.3b1c360763b8ap-3",
        "0x1.0fbe83c2cbcf3p-3",
        "0x1.0c04595972ab8p-3",
    )
]
H = float.fromhex("0x1.62e42fef00000p-1")  # ln 2 = H + L; k H is exact
L = float.fromhex("0x1.473de6af278edp-34")
LN2 = 0.6931471805599453

SQRT_HALF = 0x3FE6A09E667F3BCD  # the bits of the double nearest to it
EXPONENT = 0xFFF0000000000000
WRAP = 0xFFFFFFFFFFFFFFFF


def bits_of(x: float) -> int:
    return int.from_bytes(struct.pack("<d", x), "little")


def double_of(bits: int) -> float:
    x: float = struct.unpack("<d", bits.to_bytes(8, "little"))[0]
    return x


def log(x: float) -> float:
    """The natural logarithm of a positive, finite, normal x."""
    # x = 2^k m, with m in [sqrt(1/2), sqrt(2))
    above = (bits_of(x) - SQRT_HALF) & WRAP
    k = above >> 52
    if k >= 1 << 11:  # the highest of 12 bits is the sign
        k -= 1 << 12
    m = double_of((bits_of(x) - (above & EXPONENT)) & WRAP)

    f = m - 1.0
    s = f / (2.0 + f)
    z = s * s
    p = C[7]
    for c in reversed(C[:7]):
        p = c + z * p
    g = 0.5 * f * f
    return k * H - ((g - (s * (g + z * p) + k * L)) - f)
