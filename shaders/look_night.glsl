// Night: the same view under the moon. The day sinks into blue, what was light lies silver; what is small and bright
// becomes lamps, whose light blooms with the kick. Stars stand over an open sky: they are far and do not move with what
// passes. The hats make them glitter, and draw the lamps out sideways, as an anamorphic lens does.
#include "picture"
#include "haze"
#include "luma"
#include "chance"
uniform sampler2D lamps;     // small bright things (lamps.glsl), and their light around them
uniform sampler2D bloomed;
uniform float dusk; // = 0.9 (0..1) how dark
uniform float shine; // = 1.7 (0..2)
uniform float bloom; // = 1.0 (0..2)
uniform float stars; // = 0.8 (0..2)

vec3 bloom_at(vec2 uv) { return texture(bloomed, (uv - 0.5) * u_fit + 0.5).rgb; }

float star(vec2 uv) {
    vec2 p = uv * vec2(u_size.x / u_size.y, 1.0) * 19.0, cell = floor(p);
    float n = cell.x + 512.0 * cell.y, there = chance(n);
    vec2 d = p - cell - 0.2 - 0.6 * vec2(chance(n + 7919.0), chance(n + 15485.0));
    float small = 0.0007 + 0.0040 * there * there * there;                  // few are large
    float twinkle = 0.75 + 0.25 * sin(u_time * (1.5 + 3.0 * there) + 40.0 * there) + u_hat * step(0.5, fract(there * 37.0));
    return smoothstep(small * 3.0, 0.0, dot(d, d)) * step(0.4, there) * twinkle * (0.3 + 0.9 * there * there);
}

vec4 shade(vec2 uv) {
    vec3 c = picture(uv), wide = haze(uv);
    float y = luma(c), open = luma(wide);
    vec3 deep = mix(vec3(y), c, 0.5);
    deep *= deep * (0.16 + 0.42 * y);                                        // silver: light ground stays to be seen
    float high = smoothstep(0.55, 1.0, uv.y);
    vec3 moon = vec3(0.46, 0.76, 1.30) * (1.15 - 0.75 * high);               // darker toward the zenith
    vec3 night = mix(c, deep * moon + vec3(0.006, 0.012, 0.034), dusk);
    float sky = smoothstep(0.52, 0.72, uv.y) * smoothstep(0.28, 0.50, y) * smoothstep(0.16, 0.04, abs(y - open));
    night += stars * dusk * sky * star(uv) * vec3(0.80, 0.90, 1.0);
    vec3 lamp = texture(lamps, (uv - 0.5) * u_fit + 0.5).rgb;
    night += shine * lamp * (0.7 + 2.0 * y) * (0.9 + 0.4 * u_pulse);
    vec3 streak = vec3(0.0);
    for (float k = 1.0; k < 4.0; k++) streak += (bloom_at(uv + vec2(0.05 * k * k, 0.0)) + bloom_at(uv - vec2(0.05 * k * k, 0.0))) / (k + 1.0);
    night += bloom * (bloom_at(uv) * (4.5 + 2.5 * u_pulse) + streak * vec3(0.40, 0.55, 1.0) * (0.8 + 1.5 * u_hat));
    return vec4(1.0 - exp(-1.5 * night), 1.0);
}
