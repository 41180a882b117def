// Sharpen: brings back the edges that upscaling softens, less where there is contrast enough already.
// Leaves the picture alone at amount = 0. After CAS in FidelityFX (AMD 2019).
// size: 1
uniform float amount; // = 0.6 (0..1)

vec4 shade(vec2 uv) {
    ivec2 top = textureSize(image, 0) - 1, p = ivec2(uv * vec2(top + 1));
    vec3 c = texelFetch(image, p, 0).rgb;
    if (amount <= 0.0) return vec4(c, 1.0);
    vec3 n = texelFetch(image, ivec2(p.x, min(p.y + 1, top.y)), 0).rgb, s = texelFetch(image, ivec2(p.x, max(p.y - 1, 0)), 0).rgb;
    vec3 e = texelFetch(image, ivec2(min(p.x + 1, top.x), p.y), 0).rgb, w = texelFetch(image, ivec2(max(p.x - 1, 0), p.y), 0).rgb;
    vec3 low = min(c, min(min(n, s), min(e, w))), high = max(c, max(max(n, s), max(e, w)));
    vec3 room = sqrt(clamp(min(low, 1.0 - high) / max(high, 1e-3), 0.0, 1.0));
    vec3 weight = room * mix(0.0, -0.22, amount);
    return vec4(clamp((c + weight * (n + s + e + w)) / (1.0 + 4.0 * weight), 0.0, 1.0), 1.0);
}
