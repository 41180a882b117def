"""A bank of single notes and drum strokes, played once by fluidsynth from sound fonts: training music is mixed from them.

Knows no music. libfluidsynth (LGPL) is called through ctypes, here alone, and never by the running program.
"""

import ctypes
import ctypes.util
import json
import sys
from pathlib import Path

import numpy as np

from vj.audio.files import SoundFile

RATE = 48000
FONTS = (  # all under free licences, see models/ear.md
    "/usr/share/sounds/sf2/FluidR3_GM.sf2",
    "/usr/share/sounds/sf3/MuseScore_General_Lite.sf3",
    "/usr/share/sounds/sf2/OPL-3_FM_128M.sf2",
    "/usr/share/sounds/sf2/sf_GMbank.sf2",
)
KITS = ("/usr/share/sounds/sf2/Black_Pearl_4_LV2.sf2", "/usr/share/sounds/sf2/Red_Zeppelin_4_LV2.sf2")
SHOTS = "/usr/share/hydrogen/data/drumkits"
HELD = {16, 17, 18, 19, 20, 21, 40, 41, 42, 48, 49, 50, 51, 52, 53, 54, 60, 61, 62, 88, 89, 90, 91, 94, 95, 29, 30, 80, 81, 82}
ROLES = {
    "keys": (0, 1, 2, 4, 5, 6),
    "mallet": (8, 9, 11, 12, 13, 108, 114),
    "organ": (16, 17, 18, 19, 21),
    "guitar": (24, 25, 26, 27, 28, 105, 104),
    "drive": (29, 30),
    "bass": (32, 33, 34, 35, 36, 38, 39),
    "string": (40, 42, 45, 46, 48, 49, 50, 51),
    "voice": (52, 53, 54),
    "wind": (56, 57, 60, 61, 62, 64, 65, 66, 68, 71, 73, 75),
    "lead": (80, 81, 82, 84, 87),
    "pad": (88, 89, 90, 91, 94, 95),
}
STROKES = {  # General MIDI keys by what they are to the ear
    "kick": (35, 36),
    "snare": (38, 40),
    "stick": (37,),
    "clap": (39,),
    "hat": (42, 44),
    "open": (46,),
    "crash": (49, 57, 52),
    "ride": (51, 59, 53),
    "tom": (41, 43, 45, 47, 48, 50),
    "shaker": (54, 69, 70, 82),
    "hand": (60, 61, 62, 63, 64, 56, 75, 76),
}
SHOT_NAMES = {
    "kick": ("BD_", "bassdrum", "beats_06-38", "beats_06-46", "beats_07-18", "beats_07-20"),
    "snare": (
        "SN3_", "SN4_", "SN_", "snare-opaque-normal-mic-normal", "snare-opaque-2mics", "snare-opaque-normal-mic-rim",
        "beats_01-21", "beats_06-25",
    ),
    "stick": ("stick-rim", "beats_09-12"),
    "clap": ("beats_01-26",),
    "hat": ("HH_", "HH2_", "hihat-closed", "beats_09-10"),
    "open": ("hihat-open", "HH3_", "beats_08-31"),
    "ride": ("RD_", "RD2_", "crash20i__ride4"),
}  # fmt: skip
SHOT_KITS = ("BJA_Pacific", "ColomboAcousticDrumkit", "rumpf_kit_z01_h2")


class _Synth:
    def __init__(self, gain: float = 0.6) -> None:
        lib = ctypes.CDLL(ctypes.util.find_library("fluidsynth"))
        self._lib = lib
        lib.new_fluid_settings.restype = lib.new_fluid_synth.restype = ctypes.c_void_p
        settings = ctypes.c_void_p(lib.new_fluid_settings())
        lib.fluid_settings_setnum(settings, b"synth.sample-rate", ctypes.c_double(RATE))
        lib.fluid_settings_setnum(settings, b"synth.gain", ctypes.c_double(gain))
        for name in (b"synth.reverb.active", b"synth.chorus.active"):
            lib.fluid_settings_setint(settings, name, 0)
        self._synth = ctypes.c_void_p(lib.new_fluid_synth(settings))

    def load(self, font: str) -> int:
        return self._lib.fluid_synth_sfload(self._synth, font.encode(), 1)

    def select(self, font: int, bank: int, program: int) -> bool:
        return self._lib.fluid_synth_program_select(self._synth, 0, font, bank, program) == 0

    def play(self, key: int, velocity: int, seconds: float) -> np.ndarray:
        """int16 (n,), begun at its first sample that is heard, ended where it has died away."""
        self._lib.fluid_synth_all_sounds_off(self._synth, 0)
        self._samples(0.02)
        self._lib.fluid_synth_noteon(self._synth, 0, key, velocity)
        return _trim(self._samples(seconds))

    def _samples(self, seconds: float) -> np.ndarray:
        n = round(seconds * RATE)
        out = np.zeros((n, 2), np.float32)
        address = out.ctypes.data_as(ctypes.c_void_p)
        self._lib.fluid_synth_write_float(self._synth, n, address, 0, 2, address, 1, 2)
        return out.mean(1)


def _trim(y: np.ndarray) -> np.ndarray:
    peak = np.abs(y).max(initial=0.0)
    if peak < 1e-4:
        return np.zeros(0, np.int16)
    y = y / peak * 0.9
    loud = np.flatnonzero(np.abs(y) > 0.03)
    last = np.flatnonzero(np.abs(y) > 0.002)[-1] + 1
    return np.round(y[max(0, loud[0] - 48) : last] * 32767).astype(np.int16)


def build(folder: Path) -> None:
    """Writes sounds.npy (int16) and sounds.json [[group, name.., start, stop]] into folder."""
    folder.mkdir(parents=True, exist_ok=True)
    sounds, index = [], []

    def keep(entry: list, sound: np.ndarray) -> None:
        if len(sound) > 400:
            start = index[-1][-1] if index else 0
            sounds.append(sound)
            index.append([*entry, start, start + len(sound)])

    for number, path in enumerate(FONTS):
        synth = _Synth()
        font = synth.load(path)
        for role, programs in ROLES.items():
            for program in programs if number < 2 else programs[::2]:
                if not synth.select(font, 0, program):
                    continue
                for key in range(26, 62, 3) if role == "bass" else range(35, 96, 3):
                    keep(["note", role, f"{number}/{program}", key], synth.play(key, 100, 4.0 if program in HELD else 2.2))
        for kit in (0, 8, 16, 24, 25, 32, 40, 48) if number < 2 else (0,):
            if synth.select(font, 128, kit):
                _strokes(synth, f"{number}/k{kit}", keep)
        print(path, len(index), flush=True)
    for path in KITS:
        synth = _Synth()
        font = synth.load(path)
        if any(synth.select(font, bank, 0) for bank in (128, 0)):
            _strokes(synth, Path(path).stem, keep)
    for kit in SHOT_KITS:
        for file in sorted(Path(SHOTS, kit).glob("*.*")):
            found = [(g, k) for g, names in SHOT_NAMES.items() for k, name in enumerate(names) if file.name.startswith(name)]
            group, which = found[0] if found else ("", 0)  # of several drums of a group, which
            if group and file.suffix in (".wav", ".flac", ".aiff"):
                with SoundFile(file, RATE) as shot:
                    keep(["stroke", group, kit, which, 100], _trim(np.concatenate(list(shot.blocks(4800)))[: 2 * RATE]))
    np.save(folder / "sounds.npy", np.concatenate(sounds))
    (folder / "sounds.json").write_text(json.dumps(index))


def _strokes(synth: _Synth, kit: str, keep) -> None:
    for group, keys in STROKES.items():
        for key in keys:
            for velocity in (60, 95, 122):
                long = group in ("crash", "ride", "open")
                keep(["stroke", group, kit, key, velocity], synth.play(key, velocity, 1.8 if long else 0.6))


class Bank:
    """.notes {instrument: {key: int16 samples}}, .roles {role: [instrument]}, .kits {kit: {group: [[int16 by velocity]]}}."""

    def __init__(self, folder: Path) -> None:
        sounds = np.load(folder / "sounds.npy", mmap_mode="r")
        self.notes: dict[str, dict[int, np.ndarray]] = {}
        self.roles: dict[str, list[str]] = {}
        self.kits: dict[str, dict[str, list[list[np.ndarray]]]] = {}
        strokes: dict[tuple, list[np.ndarray]] = {}
        for entry in json.loads((folder / "sounds.json").read_text()):
            sound = sounds[entry[-2] : entry[-1]]
            if entry[0] == "note":
                _, role, name, key, *_ = entry
                self.notes.setdefault(name, {})[key] = sound
                if name not in self.roles.setdefault(role, []):
                    self.roles[role].append(name)
            else:
                _, group, kit, key, *_ = entry
                strokes.setdefault((kit, group, key), []).append(sound)
        for (kit, group, _), layers in strokes.items():
            self.kits.setdefault(kit, {}).setdefault(group, []).append(layers)


if __name__ == "__main__":
    build(Path(sys.argv[1]))
