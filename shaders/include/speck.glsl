// Film-like noise at a pixel of the screen, -1..1 and about 0 on average: a tile of 256x256 that jumps 24 times a second.
uniform sampler2D grain;
uniform vec3 u_grain;  // where the tile lies now (px), and grains a pixel (1, less on large screens)
float speck(vec2 pixel) { return texelFetch(grain, ivec2(pixel * u_grain.z + u_grain.xy) & 255, 0).r * 2.0 - 1.0; }
