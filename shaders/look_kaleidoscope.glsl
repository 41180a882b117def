// Kaleidoscope: the window folded into a star of mirrors. It turns with a clock that runs while it is loud, breathes with
// the beat and opens at the kick; the network's own motion streams through the folds.
#include "picture"
uniform float mirrors; // = 8 (2..24) rounded to a whole number
uniform float spin; // = 0.10 (0..1) radians a second at usual loudness
uniform float open; // = 0.10 (0..0.5) at the kick

vec4 shade(vec2 uv) {
    vec2 p = (uv - 0.5) * vec2(u_size.x / u_size.y, 1.0);
    float sector = 6.28319 / floor(mirrors + 0.5), turn = spin * u_run;
    float r = length(p) * (1.0 - open * u_kick) * (1.0 + 0.02 * cos(6.28319 * u_beat));
    float a = atan(p.y, p.x) + turn;
    a = abs(mod(a, sector) - 0.5 * sector) - 0.25 * sector;
    vec2 q = r * vec2(cos(a + 0.3 * sin(turn * 0.7)), sin(a + 0.3 * sin(turn * 0.7)));
    q = vec2(0.16 + 0.1 * sin(turn * 1.3), 0.42 + 0.14 * sin(turn)) + q * vec2(0.86, 1.25);
    q = 1.0 - abs(mod(q, 2.0) - 1.0);                                        // mirrors beyond the border
    vec3 c = picture(q);
    float ring = 1.0 - 0.35 * smoothstep(0.35, 1.0, length(p));
    float crease = 1.0 - 0.18 * smoothstep(0.012, 0.0, abs(abs(a) - 0.25 * sector) * r);
    return vec4((c + 0.35 * c * (c - 0.4)) * ring * crease, 1.0);
}
