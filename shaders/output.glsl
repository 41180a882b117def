// Output: lays the picture on four corners of the screen, turned or mirrored, in the projector's colours; black outside.
// Leaves the picture alone with the unit matrix, gamma 1 and a balance of 1 (the host then draws no such pass at all).
uniform mat3 u_pin;       // (screen uv, 1) to picture uv times w, and w
uniform float u_gamma;    // 1 over the power that the codes are raised to; over 1 lifts the middle tones
uniform vec3 u_balance;   // red, green, blue, times what they are

vec4 shade(vec2 uv) {
    vec3 p = u_pin * vec3(uv, 1.0);
    vec2 q = p.xy / max(p.z, 1e-6);
    vec2 rim = min(q, 1.0 - q) / max(fwidth(q), vec2(1e-6)) + 0.5;           // px to the border, for a smooth one
    float inside = p.z <= 0.0 ? 0.0 : clamp(rim.x, 0.0, 1.0) * clamp(rim.y, 0.0, 1.0);
    vec3 c = texture(image, clamp(q, 0.0, 1.0)).rgb;
    if (u_gamma != 1.0) c = pow(c, vec3(1.0 / u_gamma));
    return vec4(clamp(c * u_balance, 0.0, 1.0) * inside, 1.0);
}
