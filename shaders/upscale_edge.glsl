// Upscale along edges: twice as large, with a Lanczos-like kernel of 12 texels that is turned and stretched along the edge
// found there, and kept within the four nearest. After EASU in FidelityFX FSR 1 (AMD 2021). Leaves what is constant constant.
// size: 2
float brief_luma(vec3 c) { return 0.5 * c.r + c.g + 0.5 * c.b; }

vec3 texel(ivec2 p) { return texelFetch(image, clamp(p, ivec2(0), textureSize(image, 0) - 1), 0).rgb; }

// Adds the gradient at one of the four nearest texels, and how much it is one straight edge (0 a thin line, 1 an edge).
void feel(inout vec2 direction, inout float edge, float weight, float up, float left, float mid, float right, float down) {
    float dx = right - left, dy = down - up;
    direction += weight * vec2(dx, dy);
    float ex = clamp(abs(dx) / max(max(abs(right - mid), abs(mid - left)), 1e-4), 0.0, 1.0);
    float ey = clamp(abs(dy) / max(max(abs(down - mid), abs(mid - up)), 1e-4), 0.0, 1.0);
    edge += weight * (ex * ex + ey * ey);
}

void gather(inout vec3 sum, inout float weights, vec2 off, vec2 direction, vec2 stretch, float lobe, vec3 c) {
    vec2 v = vec2(dot(off, direction), dot(off, vec2(-direction.y, direction.x))) * stretch;
    float d2 = min(dot(v, v), 1.0 / lobe);
    float window = 0.4 * d2 - 1.0, base = lobe * d2 - 1.0;
    float weight = (1.5625 * window * window - 0.5625) * base * base;
    sum += weight * c;
    weights += weight;
}

vec4 shade(vec2 uv) {
    vec2 q = uv * vec2(textureSize(image, 0)) - 0.5;
    vec2 f = fract(q);
    ivec2 o = ivec2(floor(q));
    //    b c        the texels by the letters of the paper
    //  e f g h      o is f's place
    //  i j k l
    //    n o
    vec3 b = texel(o + ivec2(0, -1)), c = texel(o + ivec2(1, -1));
    vec3 e = texel(o + ivec2(-1, 0)), ff = texel(o), g = texel(o + ivec2(1, 0)), h = texel(o + ivec2(2, 0));
    vec3 i = texel(o + ivec2(-1, 1)), j = texel(o + ivec2(0, 1)), k = texel(o + ivec2(1, 1)), l = texel(o + ivec2(2, 1));
    vec3 n = texel(o + ivec2(0, 2)), oo = texel(o + ivec2(1, 2));
    float bl = brief_luma(b), cl = brief_luma(c), el = brief_luma(e), fl = brief_luma(ff), gl = brief_luma(g), hl = brief_luma(h);
    float il = brief_luma(i), jl = brief_luma(j), kl = brief_luma(k), ll = brief_luma(l), nl = brief_luma(n), ol = brief_luma(oo);

    vec2 direction = vec2(0.0);
    float edge = 0.0;
    feel(direction, edge, (1.0 - f.x) * (1.0 - f.y), bl, el, fl, gl, jl);
    feel(direction, edge, f.x * (1.0 - f.y), cl, fl, gl, hl, kl);
    feel(direction, edge, (1.0 - f.x) * f.y, fl, il, jl, kl, nl);
    feel(direction, edge, f.x * f.y, gl, jl, kl, ll, ol);
    float steep = dot(direction, direction);
    direction = steep < 3e-5 ? vec2(1.0, 0.0) : direction * inversesqrt(steep);
    edge *= 0.5;
    edge *= edge;
    float longer = 1.0 / max(abs(direction.x), abs(direction.y));
    vec2 stretch = vec2(1.0 + (longer - 1.0) * edge, 1.0 - 0.5 * edge);
    float lobe = 0.5 - 0.29 * edge;

    vec3 sum = vec3(0.0);
    float weights = 0.0;
    gather(sum, weights, vec2(0, -1) - f, direction, stretch, lobe, b);
    gather(sum, weights, vec2(1, -1) - f, direction, stretch, lobe, c);
    gather(sum, weights, vec2(-1, 0) - f, direction, stretch, lobe, e);
    gather(sum, weights, vec2(0, 0) - f, direction, stretch, lobe, ff);
    gather(sum, weights, vec2(1, 0) - f, direction, stretch, lobe, g);
    gather(sum, weights, vec2(2, 0) - f, direction, stretch, lobe, h);
    gather(sum, weights, vec2(-1, 1) - f, direction, stretch, lobe, i);
    gather(sum, weights, vec2(0, 1) - f, direction, stretch, lobe, j);
    gather(sum, weights, vec2(1, 1) - f, direction, stretch, lobe, k);
    gather(sum, weights, vec2(2, 1) - f, direction, stretch, lobe, l);
    gather(sum, weights, vec2(0, 2) - f, direction, stretch, lobe, n);
    gather(sum, weights, vec2(1, 2) - f, direction, stretch, lobe, oo);
    vec3 low = min(min(ff, g), min(j, k)), high = max(max(ff, g), max(j, k));
    return vec4(clamp(sum / weights, low, high), 1.0);
}
