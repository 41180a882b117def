// Upscale: twice as large, by bicubic interpolation. Leaves what is constant constant.
// size: 2
#include "cubic_at"
vec4 shade(vec2 uv) { return vec4(cubic_at(image, uv * vec2(textureSize(image, 0))), 1.0); }
