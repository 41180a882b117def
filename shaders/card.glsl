// Test card: squares, the border, circles that must be round, greys and colours; the chosen corner is marked.
uniform float u_marked;   // corner 0..3 from the upper left clockwise; below 0 none

float line(float at, float half_width) { return smoothstep(half_width + 0.75, half_width - 0.75, abs(at)); }

vec4 shade(vec2 uv) {
    vec2 p = uv * u_size, middle = 0.5 * u_size;
    float side = min(u_size.x, u_size.y) / 9.0, thin = max(0.6, side / 155.0);
    vec2 q = p - middle, cell = mod(q + 0.5 * side, side) - 0.5 * side;
    vec2 number = floor(q / side + 0.5);
    vec3 c = mix(vec3(0.13), vec3(0.17), mod(floor(q.x / side + 0.5) + floor(q.y / side + 0.5), 2.0));
    c = mix(c, vec3(0.62), max(line(cell.x, thin), line(cell.y, thin)));
    c = mix(c, vec3(0.35), line(abs(q.x) * u_size.y / u_size.x - abs(q.y), thin));
    float r = length(q);
    c = mix(c, vec3(0.9, 0.85, 0.3), line(r - 4.0 * side, 2.0 * thin));
    vec2 away = abs(q) - (middle - 1.5 * side);
    c = mix(c, vec3(0.9, 0.85, 0.3), line(length(away) - side, 1.5 * thin));
    float row = q.y / side;                                                  // bars between the third and the fourth line
    if (abs(q.x) < 3.5 * side && row > -3.0 && row < -2.0) {
        float step_ = floor((q.x / side + 3.5) / 7.0 * 14.0);
        c = row > -2.5 ? vec3(step_ / 13.0)
            : vec3(mod(floor(step_ / 2.0) + 1.0, 2.0), mod(floor((floor(step_ / 2.0) + 1.0) / 2.0), 2.0), floor((floor(step_ / 2.0) + 1.0) / 4.0));
    }
    vec2 rim = min(p, u_size - p);
    c = mix(c, vec3(1.0), max(line(rim.x, 2.5 * thin), line(rim.y, 2.5 * thin)));
    vec2 corner = vec2(u_marked == 1.0 || u_marked == 2.0 ? 1.0 : 0.0, u_marked < 2.0 ? 1.0 : 0.0) * u_size;
    float near = length(p - corner);
    if (u_marked >= 0.0) c = mix(c, vec3(1.0, 0.15, 0.1), smoothstep(0.55 * side, 0.52 * side, near));
    return vec4(c, 1.0);
}
