// Weights of four neighbours at fraction f of the way from the second to the third. Catmull and Rom 1974: exact at f = 0.
vec4 cubic(float f) {
    float f2 = f * f, f3 = f2 * f;
    return vec4(-0.5 * f3 + f2 - 0.5 * f, 1.5 * f3 - 2.5 * f2 + 1.0, -1.5 * f3 + 2.0 * f2 + 0.5 * f, 0.5 * f3 - 0.5 * f2);
}
