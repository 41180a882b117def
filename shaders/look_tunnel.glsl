// Feedback tunnel: a camera that looks at its own screen: in each window a smaller one, a little later, a little turned.
// Each has its own tint and adds contrast, as cameras do. One falls inward with a clock that runs while it is loud; the kick
// pushes, the snare twists, the highs part the colours.
#include "past_picture"
uniform float shrink; // = 0.66 (0.4..0.9) from one window to the next
uniform float fall; // = 0.34 (0..2) windows a second at usual loudness
uniform float twist; // = 0.10 (-1..1) radians a window
uniform float delay; // = 0.13 (0..0.3) s a window

vec4 shade(vec2 uv) {
    float wide = u_size.x / u_size.y, travel = fall * u_run, phase = fract(travel);
    float turn = twist * (sin(0.37 * travel) + 1.2 * u_snare), depth = 1.0 - phase;
    vec2 p = (uv - 0.5) * vec2(wide, 1.0) * pow(shrink, phase) * (1.0 - 0.07 * u_kick);
    float c0 = cos(turn * phase), s0 = sin(turn * phase), c = cos(turn), s = sin(turn);
    p = vec2(c0 * p.x - s0 * p.y, s0 * p.x + c0 * p.y);
    vec2 inner = 0.5 * shrink * vec2(wide, 1.0), centre = vec2(0.05 * sin(0.23 * travel), 0.03 * sin(0.31 * travel));
    for (int k = 0; k < 9; k++) {
        vec2 q = p - centre;
        if (abs(q.x) >= inner.x || abs(q.y) >= inner.y) break;
        p = vec2(c * q.x + s * q.y, c * q.y - s * q.x) / shrink;
        depth += 1.0;
    }
    vec2 q = p - centre, gap = max((abs(q) - inner) * vec2(1.0, 1.0), vec2(-1.0));
    float frame = max(gap.x, gap.y);                                         // 0 at the edge of the window within
    vec2 place = p / vec2(wide, 1.0) + 0.5;
    float age = depth * delay, part = 0.02 * u_bands.w;
    vec3 colour = vec3(past_picture(place, age).r, past_picture(place, age + part).g, past_picture(place, age + 2.0 * part).b);
    float edge = smoothstep(0.0, 0.045, frame);
    colour = mix(colour, colour * colour * (3.0 - 2.0 * colour), 0.6);      // each camera adds contrast, as they do
    vec3 hue = 0.5 + 0.5 * cos(0.55 * floor(depth + travel + 0.5) + vec3(0.0, 2.1, 4.2));
    colour *= mix(vec3(1.0), 0.55 + 0.75 * hue, 0.45 * smoothstep(0.4, 3.0, depth));
    colour *= (0.25 + 0.75 * edge) * exp(-0.06 * depth);
    return vec4(colour + 0.05 * (1.0 - smoothstep(0.0, 0.008, abs(frame - 0.004))) * (0.5 + u_kick), 1.0);
}
