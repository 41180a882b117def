// Film: a worn print in an old gate. The frame weaves and slips with the snare, bright parts glow red, grain stands on it,
// a scratch or a speck of dust comes with the hats. The bass makes it weave wider.
#include "picture"
#include "haze"
#include "luma"
#include "speck"
#include "chance"
uniform float weave; // = 0.5 (0..1)
uniform float halation; // = 0.55 (0..1)
uniform float roughness; // = 0.085 (0..0.3) of the grain
uniform float wear; // = 0.6 (0..1) dust and scratches

vec4 shade(vec2 uv) {
    float tick = floor(u_time * 18.0);
    vec2 sway = vec2(chance(tick) - 0.5, chance(tick + 911.0) - 0.5) + 0.8 * vec2(sin(u_time * 1.9), sin(u_time * 2.7));
    vec2 place = uv + sway * weave * (0.0012 + 0.0016 * min(u_bands.x, 2.0)) + vec2(0.0, 0.012 * weave * u_snare * u_snare);
    vec3 c = picture(place);
    vec3 soft = haze(place);
    c += halation * vec3(0.75, 0.26, 0.10) * max(soft - 0.42, 0.0) * (1.0 - 0.6 * c);
    float y = luma(c);
    c = mix(vec3(y), c, 0.85);
    c = mix(c, c * c * (3.0 - 2.0 * c), 0.65);                               // the print's curve
    c = vec3(0.040, 0.046, 0.052) + c * vec3(0.97, 0.93, 0.84);             // no black is black, no white is white
    c += roughness * (0.45 + 1.2 * y * (1.0 - y)) * (speck(gl_FragCoord.xy) + 0.4 * speck(gl_FragCoord.yx * 0.5 + 7.0));
    float where = chance(floor(u_time * 5.0)) , near = abs(uv.x - where + 0.002 * sin(uv.y * 9.0 + tick));
    c += wear * 0.20 * step(0.62, chance(floor(u_time * 5.0) + 77.0)) * smoothstep(0.0011, 0.0002, near) * (0.5 + u_hat);
    vec2 fleck = (uv - vec2(chance(tick + 5.0), chance(tick + 6.0))) * vec2(u_size.x / u_size.y, 1.0);
    fleck += 0.004 * sin(fleck.yx * 300.0);
    c -= wear * 0.5 * step(0.72, chance(tick + 3.0) + 0.3 * u_hat) * smoothstep(0.009, 0.005, length(fleck * vec2(1.0, 0.6)));
    vec2 edge = abs(uv - 0.5 + sway * 0.0015) * 2.0;                         // the gate's soft, round corners
    float gate = length(max(edge - vec2(0.955, 0.93), 0.0) * vec2(u_size.x / u_size.y, 1.0));
    return vec4(c * (1.0 - 0.85 * smoothstep(0.02, 0.055, gate)), 1.0);
}
