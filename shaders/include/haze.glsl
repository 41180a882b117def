// The picture at screen uv, blurred over a tenth of its width (made by blur_x and blur_y).
uniform sampler2D blurred;
vec3 haze(vec2 uv) { return texture(blurred, (uv - 0.5) * u_fit + 0.5).rgb; }
