// A number in 0..1 that looks random, from a small whole number. Integer hash after Wellons 2018 (lowbias32).
float chance(float n) {
    uint x = uint(int(n));
    x ^= x >> 16; x *= 0x7feb352du;
    x ^= x >> 15; x *= 0x846ca68bu;
    x ^= x >> 16;
    return float(x & 0xffffffu) / 16777216.0;
}
