// Unroll: lays a journey back as it was seen, from a vanishing point or one side of the picture (vj/view.py lays it out).
// At u_turned 0 it is the layout itself, at 1 what was seen; in between both show. Leaves what is constant constant.
uniform vec4 u_view;      // kind: 1 ahead, 2 astern, 3 rising, 4 falling; vanishing point from the top left; innermost size
uniform float u_turned;   // 0..1

const float SEAM = 0.04;  // of the rows, to each side, as in vj/view.py
const int TAPS = 6;  // along the way, where the layout is finer than what is drawn

vec3 laid(float gone, float row) { return texture(image, vec2(1.0 - gone, 1.0 - row)).rgb; }

vec4 shade(vec2 uv) {
    vec2 p = vec2(uv.x, 1.0 - uv.y), to = p - u_view.yz;
    float gone = u_view.x < 3.5 ? 1.0 - p.y : p.y, row = p.x, wide = 1.0 / u_size.y;
    float size = max(max(-to.y / u_view.z, to.y / (1.0 - u_view.z)), max(-to.x / u_view.y, to.x / (1.0 - u_view.y)));
    bool around = u_view.x < 2.5;
    if (around) {
        size = max(size, 1e-4);
        vec2 border = u_view.yz + to / size;
        float along = border.y < 1e-4 ? border.x : border.x > 0.9999 ? 1.0 + border.y : border.y > 0.9999 ? 3.0 - border.x : 4.0 - border.y;
        row = fract((along - u_view.y) / 4.0 + 1.0);
        float far = clamp(log(size) / log(u_view.w), 0.0, 1.0);
        gone = u_view.x < 1.5 ? 1.0 - far : far;
        wide = min(2.0 / (u_size.x * size * -log(u_view.w)), 0.25);
    }
    vec3 sum = vec3(0.0);
    for (int tap = 0; tap < TAPS; tap++)
        sum += laid(clamp(gone + wide * ((float(tap) + 0.5) / float(TAPS) - 0.5), 0.0, 1.0), row);
    sum /= float(TAPS);
    float seam = min(row, 1.0 - row) / SEAM;  // the first row goes on with the last: each a little the other's mirror image
    if (around && seam < 1.0) sum = mix(sum, laid(gone, 1.0 - row), 0.5 - 0.5 * smoothstep(0.0, 1.0, seam));
    return vec4(mix(texture(image, uv).rgb, sum, smoothstep(0.0, 1.0, u_turned)), 1.0);
}
