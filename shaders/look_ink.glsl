// Ink: drawn with a pen on paper, washed with a little of the picture's own colour. The line trembles as drawn animation
// does, the kick presses the pen, the snare lets the wash run, the highs bring hatching.
// The line is what is darker than what lies around it: after XDoG (Winnemoeller, Kyprianidis and Olsen 2012).
#include "glance"
#include "haze"
#include "luma"
#include "speck"
uniform float press; // = 0.9 (0..1) how dark the line
uniform float nib; // = 0.85 (0.3..3) source px, how wide the line
uniform float wash; // = 0.7 (0..1) how much colour
uniform float hatching; // = 0.55 (0..1)

float tone(vec2 uv) { return luma(glance(uv)); }

vec4 shade(vec2 uv) {
    float tick = floor(u_time * 8.0);
    vec2 shake = vec2(sin(uv.y * 37.0 + tick * 1.7), sin(uv.x * 41.0 + tick * 2.3))
               + 0.6 * vec2(sin(uv.y * 91.0 - tick), sin(uv.x * 83.0 + tick * 0.9));
    vec2 p = uv + shake * 0.0010 * vec2(1.0, u_size.x / u_size.y);
    vec2 s = nib * (1.0 + 0.5 * u_kick) / u_source_size / u_fit, t = 0.7 * s;
    float here = tone(p);
    float near = 0.125 * (tone(p + vec2(s.x, 0.0)) + tone(p - vec2(s.x, 0.0)) + tone(p + vec2(0.0, s.y)) + tone(p - vec2(0.0, s.y))
                        + tone(p + t) + tone(p - t) + tone(p + vec2(t.x, -t.y)) + tone(p + vec2(-t.x, t.y)));
    vec3 wide = haze(p);
    float weight = 0.20 + 0.8 * near;
    float line = smoothstep(0.030, 0.105, (near - here) / weight + 0.035 * (luma(wide) - here));
    vec3 soft = mix(glance(p), wide, 0.22 + 0.4 * u_snare);
    float y = luma(soft);
    float flat_y = (floor(y * 5.0) + smoothstep(0.25, 0.75, fract(y * 5.0))) / 5.0;        // washes laid over each other
    vec3 paper = vec3(0.965, 0.935, 0.875) + 0.020 * speck(gl_FragCoord.xy * 0.45) + 0.012 * speck(gl_FragCoord.yx);
    vec3 tint = soft + 0.35 * (soft - vec3(y));
    vec3 colour = paper * mix(vec3(1.0), clamp(tint * (0.35 + 0.65 * flat_y) / max(y, 0.12) + 0.04, 0.0, 1.0), wash);
    vec2 q = gl_FragCoord.xy / u_size.y * 720.0 + shake * 0.8;
    float dark = 1.0 - y + 0.08 * min(u_bands.w, 2.0);
    float stroke = abs(fract((q.x + q.y) / 10.0) - 0.5) * 2.0, cross = abs(fract((q.x - q.y) / 10.0) - 0.5) * 2.0;
    float hatch = smoothstep(0.12, -0.12, stroke - (dark - 0.62) * 1.2) + smoothstep(0.12, -0.12, cross - (dark - 0.80) * 1.4);
    float ink = clamp(press * line, 0.0, 1.0);
    ink = max(ink, hatching * min(hatch, 1.0)) * (0.90 + 0.12 * speck(gl_FragCoord.xy * 0.5));
    return vec4(mix(colour, vec3(0.070, 0.080, 0.135), ink), 1.0);
}
