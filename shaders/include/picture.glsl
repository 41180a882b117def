// The picture at screen uv, smooth at any size (16 texels).
#include "mitchell"
vec3 picture(vec2 uv) {
    ivec2 size = textureSize(image, 0), top = size - 1;
    vec2 q = ((uv - 0.5) * u_fit + 0.5) * vec2(size) - 0.5;
    vec2 base = floor(q);
    vec4 wx = mitchell(q.x - base.x), wy = mitchell(q.y - base.y);
    ivec2 b = ivec2(base);
    int x0 = clamp(b.x - 1, 0, top.x), x1 = clamp(b.x, 0, top.x), x2 = clamp(b.x + 1, 0, top.x), x3 = clamp(b.x + 2, 0, top.x);
    vec3 c = vec3(0.0);
    for (int j = 0; j < 4; j++) {
        int y = clamp(b.y + j - 1, 0, top.y);
        c += wy[j] * (wx.x * texelFetch(image, ivec2(x0, y), 0).rgb + wx.y * texelFetch(image, ivec2(x1, y), 0).rgb
                    + wx.z * texelFetch(image, ivec2(x2, y), 0).rgb + wx.w * texelFetch(image, ivec2(x3, y), 0).rgb);
    }
    return c;
}
