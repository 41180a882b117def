"""The learnt upscaler as shaders: each layer of a small convolutional network is one draw at the picture's own size.

Its weights are uniforms: fresh ones are taken between two pictures without compiling anything. Knows no training; the
shape is that of vj/train/upscale.py. shaders/upscale_learnt.glsl adds what comes out to a bicubic picture.
"""

from collections.abc import Iterable

import moderngl
import numpy as np

WIDTH = 16  # channels: four textures of four
LUMA = (0.2126, 0.7152, 0.0722)
VERTEX = """#version 330 core
void main() { gl_Position = vec4(vec2((gl_VertexID << 1) & 2, gl_VertexID & 2) * 2.0 - 1.0, 0.0, 1.0); }
"""
TARGETS = WIDTH // 4


def layer_shader(first: bool, last: bool) -> str:
    """A layer 3x3 from one channel (first) or sixteen to sixteen; the border goes on. Leaky below zero but for the last."""
    inputs = ("image",) if first else tuple(f"rows{k}" for k in range(TARGETS))
    kind = "vec4" if first else "mat4"
    lines = ["#version 330 core", *(f"uniform sampler2D {name};" for name in inputs)]
    lines += ["uniform int taps;  // 9, which no compiler may know: unrolled this takes it seconds"]
    lines += [f"uniform {kind} weights[{9 * len(inputs) * TARGETS}];", f"uniform vec4 bias[{TARGETS}];"]
    lines += [f"layout(location = {k}) out vec4 o{k};" for k in range(TARGETS)]
    lines += ["void main() {", f"    ivec2 p = ivec2(gl_FragCoord.xy), top = textureSize({inputs[0]}, 0) - 1, q;"]
    lines += [f"    vec4 {', '.join(f's{k} = bias[{k}]' for k in range(TARGETS))}, v;"]
    lines += ["    for (int tap = 0; tap < taps; tap++) {"]  # the network's rows begin at the top, GL's at the bottom
    lines += ["        q = clamp(p + ivec2(tap % 3 - 1, 1 - tap / 3), ivec2(0), top);"]
    lines += [f"        int n = tap * {len(inputs) * TARGETS};"]
    for place, name in enumerate(inputs):
        fetch = f"texelFetch({name}, q, 0)"
        lines.append(f"        v = {f'vec4(dot({fetch}.rgb, vec3{LUMA}))' if first else fetch};")
        lines += [f"        s{k} += weights[n + {place * TARGETS + k}] * v;" for k in range(TARGETS)]
    lines.append("    }")
    lines += [f"    o{k} = {f's{k}' if last else f'max(s{k}, 0.1 * s{k})'};" for k in range(TARGETS)]
    return "\n".join((*lines, "}", ""))


def packed(weight: np.ndarray) -> bytes:
    """float32 (16, in, 3, 3) in the order in which layer_shader reads it."""
    groups = max(1, weight.shape[1] // 4)
    taps = weight.transpose(2, 3, 1, 0).reshape(9, groups, -1, TARGETS, 4)  # tap, texture, its channel, target, its channel
    return np.ascontiguousarray(taps.transpose(0, 1, 3, 2, 4), np.float32).tobytes()  # columns of the matrix: channels in


class Learnt:
    """The layers, their weights and where they draw."""

    def __init__(self, context: moderngl.Context, layers: Iterable[tuple[np.ndarray, np.ndarray]]):
        """layers: of each the weights float32 (16, 1 or 16, 3, 3) and the bias (16,). ValueError where they are not."""
        self._context, self._programs = context, []
        layers = list(layers)
        for number in range(len(layers)):
            source = layer_shader(number == 0, number + 1 == len(layers))
            program = context.program(vertex_shader=VERTEX, fragment_shader=source)
            program["taps"].value = 9
            for unit, name in enumerate(("image",) if number == 0 else [f"rows{k}" for k in range(TARGETS)]):
                program[name].value = unit
            self._programs.append((program, context.vertex_array(program, [])))
        self._sets: list[tuple[list[moderngl.Texture], moderngl.Framebuffer]] = []
        self._size = (0, 0)
        self.adopt(layers)

    def adopt(self, layers: Iterable[tuple[np.ndarray, np.ndarray]]) -> None:
        """Fresh weights for the next picture. ValueError where they are of another shape; the old ones stay."""
        layers = list(layers)
        shapes = [(WIDTH, 1 if number == 0 else WIDTH, 3, 3) for number in range(len(self._programs))]
        if [weight.shape for weight, _ in layers] != shapes or any(bias.shape != (WIDTH,) for _, bias in layers):
            raise ValueError("the learnt upscaler's weights are of another shape")
        for (program, _), (weight, bias) in zip(self._programs, layers, strict=True):
            program["weights"].write(packed(weight))
            program["bias"].write(np.ascontiguousarray(bias, np.float32).tobytes())

    def run(self, image: moderngl.Texture) -> dict[str, moderngl.Texture]:
        """What is to be added to `image` at four times its size: textures rows0..3, each a row of the four within a pixel,
        the uppermost first."""
        if self._size != image.size:
            self._release()
            self._size = image.size
            for _ in range(2):
                textures = [self._context.texture(image.size, 4, dtype="f2") for _ in range(TARGETS)]
                self._sets.append((textures, self._context.framebuffer(textures)))
        textures: list[moderngl.Texture] = [image]
        for number, (_, array) in enumerate(self._programs):
            for unit, texture in enumerate(textures):
                texture.use(unit)
            textures, framebuffer = self._sets[number % 2]
            framebuffer.use()
            framebuffer.viewport = (0, 0, *image.size)
            array.render(moderngl.TRIANGLES, vertices=3)
        return {f"rows{k}": texture for k, texture in enumerate(textures)}

    def _release(self) -> None:
        for textures, framebuffer in self._sets:
            framebuffer.release()
            for texture in textures:
                texture.release()
        self._sets = []
