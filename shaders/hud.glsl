// Head-up display: white letters on a dark, half clear ground. Reads the text mask, top row first.
uniform float ground; // = 0.6 (0..1) how dark

vec4 shade(vec2 uv) {
    float ink = texture(image, vec2(uv.x, 1.0 - uv.y)).r;
    return vec4(vec3(0.93 * ink), max(ink, ground));
}
