// Blur, second half: down. Leaves what is constant constant.
// size: 1
vec4 shade(vec2 uv) {
    float step_y = 1.0 / float(textureSize(image, 0).y);
    vec3 c = vec3(0.0);
    float sum = 0.0;
    for (int k = -6; k <= 6; k++) {
        float w = exp(-float(k * k) / 14.0);
        c += w * texture(image, uv + vec2(0.0, float(k) * step_y)).rgb;
        sum += w;
    }
    return vec4(c / sum, 1.0);
}
