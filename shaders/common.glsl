// What every pass may know. Put before each by the host; see README.md.
uniform sampler2D image;       // what the pass before made
uniform vec2 u_size;           // px, of what is drawn now
uniform vec2 u_source_size;    // px, of the network's picture
uniform vec2 u_fit;            // picture uv = (screen uv - 0.5) * u_fit + 0.5
uniform float u_time;          // s, of showing; starts again each hour
uniform float u_run;           // s, a clock that runs while it is loud; starts again each hour
uniform float u_loudness;      // 0 silence, 1 usual, at most 3
uniform vec4 u_bands;          // low, low middle, high middle, high: the same scale
uniform float u_beat;          // 0..1, 0 on the beat
uniform float u_intensity;     // 0..1, slow
uniform float u_kick;          // 0..1, moves things; at most three rises a second, as the next three
uniform float u_snare;
uniform float u_hat;
uniform float u_pulse;         // 0..1, the only one that may move the light of the whole picture
