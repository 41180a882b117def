// Halftone: printed with dots in four inks, each on its own turned screen, not quite in register. Dots swell with the
// loudness, the kick shifts the plates, the beat opens the screen a little.
#include "glance"
#include "speck"
uniform float dots; // = 78 (20..300) rows of dots from top to bottom
uniform float slip; // = 0.25 (0..2) of a dot, out of register; the kick adds to it
uniform float gain; // = 1.0 (0.5..1.5) size of the dots

float ink(vec2 pixel, float angle, vec2 plate, vec4 mask) {
    float s = u_size.y / dots;
    mat2 turn = mat2(cos(angle), sin(angle), -sin(angle), cos(angle));
    vec2 q = turn * (pixel / s + plate), middle = floor(q) + 0.5;
    vec3 c = glance(((middle * turn) - plate) * s / u_size);
    vec3 cmy = 1.0 - c;
    float k = min(cmy.r, min(cmy.g, cmy.b));
    cmy = (cmy - 0.5 * k) / (1.0 - 0.42 * k);                          // grey by black, as printers do
    float amount = clamp(dot(vec4(cmy, 0.95 * k * k * k), mask), 0.0, 1.0);
    float radius = sqrt(amount) * (0.55 + 0.19 * amount * amount) * gain * (0.93 + 0.07 * min(u_loudness, 2.0));
    float soft = 0.75 / s;
    return smoothstep(radius + soft, radius - soft, length(q - middle)) * smoothstep(0.0, 0.04, amount);
}

vec4 shade(vec2 uv) {
    vec2 p = gl_FragCoord.xy;
    float away = slip * (0.4 + 2.2 * u_kick);
    vec3 paper = vec3(0.965, 0.940, 0.880) + 0.012 * speck(p * 0.5);
    vec3 c = paper;
    c *= mix(vec3(1.0), vec3(1.00, 0.86, 0.10), ink(p, 0.0, vec2(0.0, away), vec4(0, 0, 1, 0)));
    c *= mix(vec3(1.0), vec3(0.98, 0.16, 0.48), ink(p, 1.309, vec2(away, 0.0), vec4(0, 1, 0, 0)));
    c *= mix(vec3(1.0), vec3(0.02, 0.62, 0.82), ink(p, 0.2618, vec2(-away, 0.0), vec4(1, 0, 0, 0)));
    c *= mix(vec3(1.0), vec3(0.11, 0.12, 0.20), ink(p, 0.7854, vec2(0.0), vec4(0, 0, 0, 1)));
    return vec4(c, 1.0);
}
