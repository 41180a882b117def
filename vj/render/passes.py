"""Shader files -> programs. A pass is one file with one function `vec4 shade(vec2 uv)`; several may be fused into one.

Knows the files' contract (shaders/README.md) and nothing of pictures, looks or sound. A program is replaced only by
one that compiled and linked: the last good one stays.
"""

import re
from pathlib import Path

import moderngl

PARAMETER = re.compile(r"^uniform float (\w+);\s*//\s*=\s*(-?[\d.]+)\s*\((-?[\d.]+)\.\.(-?[\d.]+)\)", re.M)
INCLUDE = re.compile(r'^#include "(\w+)"[^\n]*$', re.M)
SIZE = re.compile(r"^// size: ([\d.]+)", re.M)
COMPLAINT = re.compile(r"^(?:ERROR: )?\d+[:(](\d+)\)?(?:\(\d+\))?\s*:\s*(?:error[^:\n]*:\s*)?([^\n]*)", re.M)
FILE = 10_000  # line numbers tell the file too: 20007 is line 7 of the third (drivers ignore the number meant for that)
HEAD = "#version 330 core\n"
MAIN = """
uniform float u_alpha = 1.0;
out vec4 o_colour;
in vec2 v_uv;
void main() { vec4 c = shade(v_uv); o_colour = vec4(c.rgb, c.a * u_alpha); }
"""
FIRST = "vec4 source(vec2 uv) { return texture(image, uv); }\n"
TURNS = 4096  # of all loops of a pixel together that nobody counted beforehand
FUEL = f"int turns_ = 0; bool turns_left() {{ return turns_++ < {TURNS}; }}\n"
LOOP = re.compile(r"\b(while|for)\s*\(")
COUNTED = re.compile(r"^\s*\w+\s*(<=?|>=?|!=)\s*-?[\d.]+\s*$")


class ShaderFault(Exception):
    """One sentence: which file, which line, what the compiler says."""


def with_an_end(text: str) -> str:
    """A pass's text in which every loop ends: a graphics card that never comes back takes the whole show with it.

    Loops up to a number that stands there are left alone; `while` and all others may turn TURNS times in a pixel.
    """
    pieces, at = [], 0
    while found := LOOP.search(text, at):
        end, depth = found.end(), 1
        while depth and end < len(text):
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
        inside = text[found.end() : end - 1]
        parts = inside.split(";")
        if found[1] == "while":
            inside = f"turns_left() && ({inside})"
        elif len(parts) == 3 and not COUNTED.match(parts[1]):
            inside = f"{parts[0]}; turns_left(){f' && ({parts[1]})' if parts[1].strip() else ''};{parts[2]}"
        pieces += [text[at : found.end()], inside]
        at = end - 1
    return "".join((*pieces, text[at:]))


class ShaderFolder:
    """The files of one folder as text, put together into fragment shaders."""

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)

    def text(self, name: str) -> str:
        path = self.folder / name
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ShaderFault(f"shaders/{name} cannot be read ({type(error).__name__})") from None

    def stamp(self) -> float:
        """Changes when a file of the folder changes."""
        return max((p.stat().st_mtime for p in self.folder.rglob("*.*")), default=0.0)

    def size_of(self, name: str) -> float:
        """How large the pass draws, in sizes of its image; 1 where the file does not say."""
        found = SIZE.search(self.text(f"{name}.glsl"))
        return float(found[1]) if found else 1.0

    def parameters(self, name: str) -> dict[str, tuple[float, float, float]]:
        """{name: (default, least, most)} of one pass, read from its comments."""
        return {m[1]: tuple(float(v) for v in m.groups()[1:]) for m in PARAMETER.finditer(self.text(f"{name}.glsl"))}

    def fuse(self, names: tuple[str, ...]) -> tuple[str, list[str]]:
        """The fragment shader of passes drawn as one, each reading the one before by source(uv); its files by number.

        A parameter `amount` of pass `sharpen` is the uniform `sharpen_amount`, so that fused passes do not meet.
        """
        files, included, bodies = ["common.glsl"], set(), []
        pieces = [HEAD, FUEL, f"#line 1\n{self.text('common.glsl')}\n"]

        def include(text: str) -> str:
            for found in INCLUDE.finditer(text):
                if found[1] not in included:
                    included.add(found[1])
                    name = f"include/{found[1]}.glsl"
                    inner = include(self.text(name))
                    files.append(name)
                    pieces.append(f"#line {(len(files) - 1) * FILE + 1}\n{with_an_end(inner)}\n")
            return INCLUDE.sub("", text)

        for place, name in enumerate(names):
            text = include(self.text(f"{name}.glsl"))
            own = [m[1] for m in PARAMETER.finditer(text)]
            files.append(f"{name}.glsl")
            names_in = [("shade", f"shade_{place}" if place + 1 < len(names) else "shade")]
            names_in += [(p, f"{name}_{p}") for p in own]
            if place:
                names_in.append(("source", f"shade_{place - 1}"))
            defines = "".join(f"#define {a} {b}\n" for a, b in names_in if a != b)
            undefines = "".join(f"#undef {a}\n" for a, b in names_in if a != b)
            bodies.append(f"{defines}#line {(len(files) - 1) * FILE + 1}\n{with_an_end(text)}\n{undefines}")
        return "".join((*pieces, FIRST, *bodies, MAIN)), files


class Pass:
    """One draw over the whole target: the files named, fused. Without a good program it draws nothing and says so."""

    def __init__(self, context: moderngl.Context, folder: ShaderFolder, names: tuple[str, ...]):
        self.names, self._context, self._folder = names, context, folder
        self._program = self._array = None
        self._source = ""
        self.defaults: dict[str, float] = {}  # of the parameters, by their uniform's name
        self.samplers: list[str] = []  # names of the textures it reads
        self.size = 1.0  # of what it draws, in sizes of its image

    @property
    def source(self) -> str:
        """What was compiled last; "" where it could not be."""
        return self._source

    @property
    def is_good(self) -> bool:
        return self._program is not None

    def load(self) -> str:
        """Compiles what the files hold now. Returns "" or one sentence; then the last good program stays."""
        try:
            source, files = self._folder.fuse(self.names)
            if source == self._source:
                return ""
            program = self._compile(source, files)
            defaults = {f"{n}_{p}": v[0] for n in self.names for p, v in self._folder.parameters(n).items()}
            size = self._folder.size_of(self.names[0])
        except ShaderFault as fault:
            self._source = ""
            return f"{fault}: " + ("the last good one stays." if self.is_good else "the picture goes on without it.")
        if self._program is not None:
            self._array.release()
            self._program.release()
        self._program, self._source, self.defaults, self.size = program, source, defaults, size
        self._array = self._context.vertex_array(program, [])
        self._members = {n: program[n] for n in program if isinstance(program[n], moderngl.Uniform)}
        self.samplers = [n for n, member in self._members.items() if member.gl_type == 0x8B5E]  # GL_SAMPLER_2D
        for unit, name in enumerate(self.samplers):
            self._members[name].value = unit
        self._last: dict[str, object] = {}  # values that the program holds already
        return ""

    def _compile(self, source: str, files: list[str]) -> moderngl.Program:
        try:
            vertex = HEAD + self._folder.text("fullscreen.vert")
            return self._context.program(vertex_shader=vertex, fragment_shader=source)
        except moderngl.Error as error:
            text = str(error)
            found = COMPLAINT.search(text)
            if found and int(found[1]) // FILE < len(files):
                name, line = files[int(found[1]) // FILE], int(found[1]) % FILE
                said = f"shaders/{name}, line {line}, does not compile ({found[2].strip()})"
            else:
                lines = [line for line in text.splitlines() if "rror" in line]
                said = f"shaders/{self.names[0]}.glsl does not compile ({(lines or [text])[-1].strip()})"
            raise ShaderFault(said) from None

    def draw(self, textures: dict[str, moderngl.Texture], values: dict[str, object]) -> None:
        """Draws over the viewport bound. Textures and values by their uniform's name; what is not there is left."""
        if self._program is None:
            return
        for unit, name in enumerate(self.samplers):
            if name in textures:
                textures[name].use(unit)
        for name, member in self._members.items():
            value = values.get(name, self.defaults.get(name))
            if value is not None and self._last.get(name) != value:
                self._last[name] = member.value = value
        self._array.render(moderngl.TRIANGLES, vertices=3)
