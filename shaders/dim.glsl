// Dim: takes light away where the strobe limiter says so; multiplied with what is on the screen. 1 leaves it alone.
uniform sampler2D u_gains;  // one channel, one texel a cell, top row first
vec4 shade(vec2 uv) { return vec4(vec3(texture(u_gains, vec2(uv.x, 1.0 - uv.y)).r), 1.0); }
