// Clean: the picture as it is. Moves with the kick by less than a hundredth (the host's zoom).
#include "picture"
vec4 shade(vec2 uv) { return vec4(picture(uv), 1.0); }
