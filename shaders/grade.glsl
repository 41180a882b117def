// Grade: the last light of the picture: warmth, contrast, brightness, a vignette, the pulse of the kick, grain.
// Leaves the picture alone where noise, vignette, flash and warm are 0 and the others 1. Bars beside the picture are black.
#include "luma"
#include "speck"
uniform float u_brightness;  // 0..2, the knob: 0 black, 1 as it is, 2 bright without clipping
uniform float u_warmth;      // -1..1, the knob
uniform float u_light;       // 0 blackout .. 1
uniform vec2 u_bars;         // half the picture's width and height on the screen; 0.5 and more: no bars
uniform float lift; // = 1 (0.3..3) middle tones, as a gamma does but without its cost: 2.4 is much as gamma 2
uniform float contrast; // = 1.06 (0.5..2)
uniform float saturation; // = 1.08 (0..2)
uniform float warm; // = 0.35 (0..1) how much of the knob is answered here; the network answers it too
uniform float vignette; // = 0.22 (0..1)
uniform float flash; // = 0.14 (0..0.3) of light, at the kick; less where it is bright: under a tenth of all light
uniform float noise; // = 0.035 (0..0.3)

vec4 shade(vec2 uv) {
    vec3 c = source(uv).rgb;
    float y = luma(c);
    vec2 d = uv - 0.5;
    float far = dot(d, d);
    float light = (1.0 - vignette * far * (1.4 + 1.6 * far)) * (1.0 + flash * u_pulse * (1.3 - 1.6 * far) * (1.0 - 0.8 * y));
    vec3 gain = contrast * (1.0 + warm * u_warmth * vec3(0.22, 0.03, -0.24));
    c = clamp((mix(vec3(y), c, saturation) * gain + 0.45 * (1.0 - contrast)) * (light * min(u_brightness, 1.0)), 0.0, 1.0);
    float bend = lift * max(u_brightness, 1.0);
    c = bend * c / (1.0 + (bend - 1.0) * c);  // after Schlick 1994: 0 and 1 stay, what lies between rises or falls
    c += noise * speck(gl_FragCoord.xy) * (0.35 + 1.3 * y - 0.8 * y * y);
    c *= abs(d.x) <= u_bars.x && abs(d.y) <= u_bars.y ? u_light : 0.0;
    return vec4(clamp(c, 0.0, 1.0), 1.0);
}
