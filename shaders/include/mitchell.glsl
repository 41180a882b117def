// Weights of four neighbours, a little softer than cubic(): Mitchell and Netravali 1988, B = 1/3, C = 1/3.
vec4 mitchell(float f) {
    float f2 = f * f, f3 = f2 * f;
    return vec4(-7.0 * f3 + 15.0 * f2 - 9.0 * f + 1.0, 21.0 * f3 - 36.0 * f2 + 16.0,
                -21.0 * f3 + 27.0 * f2 + 9.0 * f + 1.0, 7.0 * f3 - 6.0 * f2) / 18.0;
}
