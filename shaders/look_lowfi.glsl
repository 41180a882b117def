// 2017 low-fi: as the first networks of this kind painted, 256 pixels wide and less: coarse cells, the checkerboard that
// transposed convolutions leave (Odena, Dumoulin and Olah 2016), colours a step too few. The snare tears rows aside, the
// kick parts the colours, highs bring the checkerboard out.
#include "glance"
#include "luma"
#include "chance"
uniform float cells; // = 144 (32..320) across the picture
uniform float levels; // = 12 (3..64) of each colour
uniform float checker; // = 0.035 (0..0.3)
uniform float tear; // = 0.07 (0..0.2) of the width, at the snare

vec4 shade(vec2 uv) {
    vec2 grid = vec2(cells, floor(cells * u_size.y / u_size.x + 0.5));
    float row = floor(uv.y * grid.y / 5.0), tick = floor(u_time * 12.0);
    float torn = step(0.70, chance(row * 31.0 + tick)) * (chance(row + tick * 57.0) - 0.5) * 2.0;
    vec2 place = (uv + vec2(tear * u_snare * torn, 0.0)) * grid, cell = floor(place);
    vec2 middle = (cell + 0.5) / grid, apart = vec2((0.25 + 1.5 * u_kick) / grid.x, 0.0);
    vec3 c = vec3(glance(middle + apart).r, glance(middle).g, glance(middle - apart).b);
    vec3 around = 0.25 * (glance(middle + vec2(2.0, 0.0) / grid) + glance(middle - vec2(2.0, 0.0) / grid)
                        + glance(middle + vec2(0.0, 2.0) / grid) + glance(middle - vec2(0.0, 2.0) / grid));
    float detail = clamp(5.0 * abs(luma(c) - luma(around)), 0.0, 1.0);
    c += 0.45 * (c - around);                                                // over-eager edges
    vec2 two = mod(cell, 2.0), four = mod(floor(cell / 2.0), 2.0);
    float board = (two.x == two.y ? 1.0 : -1.0) + 0.8 * (four.x == four.y ? 1.0 : -1.0);
    c += board * checker * (0.15 + 1.5 * detail + 0.3 * min(u_bands.w, 2.0)) * vec3(1.0, 0.7, 1.2);
    c = (c - 0.5) * 1.10 + 0.50;
    float dither = (chance(cell.x + cell.y * 331.0) - 0.5) * 0.6;
    c = floor(clamp(c, 0.0, 1.0) * levels + 0.5 + dither) / levels;
    vec2 within = fract(place) - 0.5;
    return vec4(c * (1.03 - 0.3 * dot(within, within)), 1.0);
}
