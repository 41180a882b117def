// Upscale as learnt from footage: four times as large, bicubic and what a small network adds (vj/render/learnt.py runs it).
// Where the network adds nothing it is the bicubic picture.
// size: 4
#include "cubic_at"
uniform sampler2D rows0;  // what is added, at the small size: the four pixels of the uppermost row within a small one
uniform sampler2D rows1;
uniform sampler2D rows2;
uniform sampler2D rows3;

vec4 shade(vec2 uv) {
    ivec2 p = ivec2(uv * vec2(textureSize(image, 0) * 4)), q = p / 4, within = p - 4 * q;
    vec4 added = within.y == 3 ? texelFetch(rows0, q, 0) : within.y == 2 ? texelFetch(rows1, q, 0)
               : within.y == 1 ? texelFetch(rows2, q, 0) : texelFetch(rows3, q, 0);
    return vec4(clamp(cubic_at(image, uv * vec2(textureSize(image, 0))) + added[within.x], 0.0, 1.0), 1.0);
}
