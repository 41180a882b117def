// Blend: the picture between two model frames, each pixel moved along the flow from both sides.
// Exact at u_blend = 0 and 1. Without a flow it cross-fades. Turns pictures upside down for GL, once and here.
// At each place it tries the flow found there and two neighbours' (something near may be passing in front) and
// takes the one on which both frames agree; where none agrees it falls back to the cross-fade.
// size: 1
#include "cubic_at"
uniform sampler2D before_frame;  // uint8 RGB, top row first
uniform sampler2D after_frame;
uniform sampler2D flow;          // px of its own, fewer where pictures are fine, y down: what is at after[p] was at before[p - flow]
uniform float u_blend;           // 0 before, 1 after
uniform float u_moves;           // 1 there is a flow, 0 there is none
uniform float reach; // = 5 (0..32) px, how far to each side a neighbour's flow is looked for

vec2 finer() { return u_source_size / vec2(textureSize(flow, 0)); }

vec2 flow_at(vec2 p) {
    vec2 f = texture(flow, p / u_source_size).rg;
    return abs(f.x) + abs(f.y) < 1e3 ? f * finer() : vec2(0.0);
}

vec3 quick(sampler2D t, vec2 p) { return texture(t, p / u_source_size).rgb; }

bool is_inside(vec2 p) { return all(greaterThan(p, vec2(-0.5))) && all(lessThan(p, u_source_size + 0.5)); }

float quarrel(vec2 p, vec2 f) {
    vec2 a = p - f * u_blend, b = p + f * (1.0 - u_blend);
    if (!is_inside(a) || !is_inside(b)) return 0.12;
    vec3 d = abs(quick(before_frame, a) - quick(after_frame, b));
    return d.r + d.g + d.b;
}

vec4 shade(vec2 uv) {
    vec2 p = vec2(uv.x, 1.0 - uv.y) * u_source_size;
    if (u_blend <= 0.0) return vec4(texelFetch(before_frame, ivec2(p), 0).rgb, 1.0);
    if (u_blend >= 1.0) return vec4(texelFetch(after_frame, ivec2(p), 0).rgb, 1.0);
    if (u_moves < 0.5)
        return vec4(mix(texelFetch(before_frame, ivec2(p), 0).rgb, texelFetch(after_frame, ivec2(p), 0).rgb, u_blend), 1.0);

    vec2 best = flow_at(p);
    best = flow_at(p + best * (1.0 - u_blend));
    vec2 arrives = p + best * (1.0 - u_blend);
    best = flow_at(arrives);
    float least = quarrel(p, best);
    for (float side = -1.0; side < 2.0; side += 2.0) {
        vec2 f = flow_at(arrives + vec2(side * reach * finer().x, 0.0));
        float q = quarrel(p, f) + 0.015;
        if (q < least) { least = q; best = f; }
    }
    vec2 a = p - best * u_blend, b = p + best * (1.0 - u_blend);
    float weight = !is_inside(a) ? 1.0 : !is_inside(b) ? 0.0 : u_blend;
    vec3 moved = mix(cubic_at(before_frame, a), cubic_at(after_frame, b), weight);
    vec3 faded = mix(texelFetch(before_frame, ivec2(p), 0).rgb, texelFetch(after_frame, ivec2(p), 0).rgb, u_blend);
    return vec4(mix(moved, faded, smoothstep(0.35, 0.9, least)), 1.0);
}
