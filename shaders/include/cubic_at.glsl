// Bicubic sample of t at p, in px of t with texel centres at .5; outside, the border goes on.
#include "cubic"
vec3 cubic_at(sampler2D t, vec2 p) {
    ivec2 top = textureSize(t, 0) - 1;
    vec2 q = p - 0.5;
    vec2 base = floor(q);
    vec4 wx = cubic(q.x - base.x), wy = cubic(q.y - base.y);
    ivec2 b = ivec2(base);
    int x0 = clamp(b.x - 1, 0, top.x), x1 = clamp(b.x, 0, top.x), x2 = clamp(b.x + 1, 0, top.x), x3 = clamp(b.x + 2, 0, top.x);
    vec3 c = vec3(0.0);
    for (int j = 0; j < 4; j++) {
        int y = clamp(b.y + j - 1, 0, top.y);
        c += wy[j] * (wx.x * texelFetch(t, ivec2(x0, y), 0).rgb + wx.y * texelFetch(t, ivec2(x1, y), 0).rgb
                    + wx.z * texelFetch(t, ivec2(x2, y), 0).rgb + wx.w * texelFetch(t, ivec2(x3, y), 0).rgb);
    }
    return clamp(c, 0.0, 1.0);
}
