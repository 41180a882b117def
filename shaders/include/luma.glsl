// Brightness of an sRGB colour as the eye weighs it (BT.709).
float luma(vec3 c) { return dot(c, vec3(0.2126, 0.7152, 0.0722)); }
