// Lamps: what is brighter than what lies around it, in its own colour made warmer or colder; the rest is black.
// size: 0.5
#include "luma"
uniform sampler2D blurred;
uniform float least; // = 0.05 (0..0.5) how much brighter

vec4 shade(vec2 uv) {
    vec3 c = texture(image, uv).rgb, around = texture(blurred, uv).rgb;
    float y = luma(c), spark = clamp((y - luma(around) - least) * 4.5, 0.0, 1.0) * smoothstep(0.15, 0.5, y);
    spark *= smoothstep(0.58, 0.30, luma(around));                           // the edge of a bright sky is no lamp
    float warm = smoothstep(-0.20, 0.06, c.r - c.b);
    return vec4(spark * mix(vec3(0.35, 0.68, 1.0), vec3(1.0, 0.60, 0.22), warm), 1.0);
}
