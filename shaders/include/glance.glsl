// The picture at screen uv, quickly: one bilinear sample.
vec3 glance(vec2 uv) { return texture(image, (uv - 0.5) * u_fit + 0.5).rgb; }
