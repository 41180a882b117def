// Slit-scan of the window: each column shows its own moment, so that what passes is drawn out, bent and folded.
// Loudness deepens the time across the window, a slow wave goes through it, the kick tugs at it.
#include "past_picture"
uniform float depth; // = 0.9 (0..2) s across the window, at usual loudness
uniform float waves; // = 1.5 (0..6) folds across the window
uniform float rainbow; // = 0.06 (0..0.3) s between the colours

vec4 shade(vec2 uv) {
    float wave = 0.5 + 0.5 * sin(6.2832 * (waves * uv.x + 0.35 * uv.y) - 0.7 * u_run);
    float ramp = 1.0 - uv.x;
    float age = depth * (0.45 + 0.55 * min(u_loudness, 1.6)) * (0.55 * ramp + 0.45 * wave) + 0.16 * u_kick * wave;
    float part = rainbow * (0.3 + min(u_bands.w, 2.0)) * (0.3 + wave);
    vec3 c = vec3(past_picture(uv, age).r, past_picture(uv, age + part).g, past_picture(uv, age + 2.0 * part).b);
    return vec4(c, 1.0);
}
