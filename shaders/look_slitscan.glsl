// Slit-scan of the window: each row shows its own moment, so that what passes leans, bends and flows as if it were liquid,
// near things most; across the window time runs too, which draws them out. Loudness deepens the time, a slow wave goes
// through it, the kick tugs at it, the highs part the colours.
#include "past_picture"
uniform float depth; // = 0.6 (0..2) s down the window, at usual loudness
uniform float waves; // = 2.2 (0..6) bends down the window
uniform float across; // = 0.3 (0..1) s across it, older to the right
uniform float rainbow; // = 0.018 (0..0.3) s between the colours

vec4 shade(vec2 uv) {
    float deep = 0.45 + 0.55 * min(u_loudness, 1.6);
    float wave = 0.5 + 0.5 * sin(6.2832 * (waves * uv.y + 0.25 * uv.x) - 0.9 * u_run);
    float age = deep * (depth * wave + across * uv.x) + 0.16 * u_kick * wave;
    float part = rainbow * (0.3 + min(u_bands.w, 2.0)) * (0.3 + wave);
    vec3 c = vec3(past_picture(uv, age).r, past_picture(uv, age + part).g, past_picture(uv, age + 2.0 * part).b);
    return vec4(c, 1.0);
}
