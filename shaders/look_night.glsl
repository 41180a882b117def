// Night: the same view after dark. The day sinks into blue, what is small and bright becomes lamps, whose light blooms
// with the kick; the hats draw it out sideways, as an anamorphic lens does.
#include "picture"
#include "luma"
uniform sampler2D lamps;     // small bright things (lamps.glsl), and their light around them
uniform sampler2D bloomed;
uniform float dusk; // = 0.9 (0..1) how dark
uniform float shine; // = 1.1 (0..2)
uniform float bloom; // = 1.0 (0..2)

vec3 bloom_at(vec2 uv) { return texture(bloomed, (uv - 0.5) * u_fit + 0.5).rgb; }

vec4 shade(vec2 uv) {
    vec3 c = picture(uv);
    float y = luma(c);
    vec3 deep = mix(vec3(y), c, 0.55);
    deep *= deep * (0.09 + 0.15 * deep);                                     // a sky of 0.8 comes to lie at 0.2
    float rise = 0.75 + 0.5 * (1.0 - uv.y);                                  // lighter toward the horizon
    vec3 night = mix(c, deep * rise * vec3(0.52, 0.80, 1.55) + vec3(0.006, 0.012, 0.034), dusk);
    vec3 lamp = texture(lamps, (uv - 0.5) * u_fit + 0.5).rgb;
    night += shine * lamp * (0.7 + 2.0 * y) * (0.9 + 0.4 * u_pulse);
    vec3 streak = vec3(0.0);
    for (float k = 1.0; k < 4.0; k++) streak += (bloom_at(uv + vec2(0.05 * k * k, 0.0)) + bloom_at(uv - vec2(0.05 * k * k, 0.0))) / (k + 1.0);
    night += bloom * (bloom_at(uv) * (4.5 + 2.5 * u_pulse) + streak * vec3(0.40, 0.55, 1.0) * (0.8 + 1.5 * u_hat));
    return vec4(1.0 - exp(-1.35 * night), 1.0);
}
