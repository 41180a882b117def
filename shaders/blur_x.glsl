// Blur, first half: across. Half the size of the picture is enough for what is this soft. Leaves what is constant constant.
// size: 0.25
vec4 shade(vec2 uv) {
    float step_x = 4.0 / float(textureSize(image, 0).x);
    vec3 c = vec3(0.0);
    float sum = 0.0;
    for (int k = -6; k <= 6; k++) {
        float w = exp(-float(k * k) / 14.0);
        c += w * texture(image, uv + vec2(float(k) * step_x, 0.0)).rgb;
        sum += w;
    }
    return vec4(c / sum, 1.0);
}
