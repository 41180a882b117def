// The picture as it was `age` seconds ago, at screen uv. Between 0 and about two seconds.
uniform sampler2D history;   // tiles, the newest at u_history.z
uniform vec4 u_history;      // columns, rows, newest tile (with the fraction of the next one), tiles a second
vec3 past_tile(vec2 p, float tile) {
    float count = u_history.x * u_history.y, n = mod(tile + count, count);
    vec2 corner = vec2(mod(n, u_history.x), floor(n / u_history.x));
    vec2 margin = 0.5 * u_history.xy / vec2(textureSize(history, 0));
    return texture(history, (corner + clamp(p, margin, 1.0 - margin)) / u_history.xy).rgb;
}
vec3 past_picture(vec2 uv, float age) {
    vec2 p = (uv - 0.5) * u_fit + 0.5;
    float back = clamp(age * u_history.w - fract(u_history.z), 0.0, u_history.x * u_history.y - 3.0);
    float tile = floor(u_history.z) - floor(back);
    return mix(past_tile(p, tile), past_tile(p, tile - 1.0), fract(back));
}
