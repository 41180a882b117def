"""Onsets are answered once, each in its band; smoothing is right at any rate; drive 0 and silence are calm."""

import tomllib
from dataclasses import replace
from importlib.resources import files
from itertools import pairwise

import pytest

from vj.controls import Mapping, SoundTable
from vj.errors import VJError
from vj.signals import AudioFeatures, Controls, Knobs

DEFAULT = tomllib.loads(files("vj").joinpath("table.toml").read_text())
TABLE = SoundTable.parse(DEFAULT)
FULL = Knobs(drive=1.0)
MUSIC = AudioFeatures(loudness=1.0)


ALONE = replace(TABLE, every=dict.fromkeys(TABLE.every, 1e6))  # nothing passes by itself


def settled(fps: float = 15.0) -> Mapping:
    mapping = Mapping(ALONE, fps=15.0)
    for _ in range(int(20 * fps)):
        mapping.turn(MUSIC, FULL, 1 / fps)
    return mapping


@pytest.mark.parametrize(("name", "band"), [("kick", "near"), ("snare", "middle"), ("hat", "far")])
def test_each_class_enters_in_its_band_only(name, band):
    mapping = settled()
    rest = mapping.turn(MUSIC, FULL, 1 / 15)
    hit = AudioFeatures(loudness=1.0, **{f"{name}s": 1, name: 1.0})
    told = mapping.turn(hit, FULL, 1 / 15)
    assert getattr(told, band) == pytest.approx(TABLE.strength[name])
    for other in {"far", "middle", "near"} - {band}:
        assert getattr(told, other) == pytest.approx(getattr(rest, other), abs=1e-3)


def test_a_pulse_holds_two_frames_and_falls_over_three():
    mapping = settled()
    hit = AudioFeatures(loudness=1.0, kicks=1, kick=1.0)
    near = [mapping.turn(hit, FULL, 1 / 15).near for _ in range(8)]
    top = TABLE.strength["kick"]
    assert near[:2] == pytest.approx([top] * 2)
    falling = [top * (1 - (n + 0.5) / 3) for n in range(3)]
    assert near[2:5] == pytest.approx([max(f, TABLE.rest) for f in falling], abs=1e-3)
    assert near[5:] == pytest.approx([TABLE.rest] * 3, abs=1e-3)


def test_at_twice_the_rate_a_pulse_lasts_as_long():
    mapping = settled()
    hit = AudioFeatures(loudness=1.0, kicks=1, kick=1.0)
    near = [mapping.turn(hit, FULL, 1 / 30).near for _ in range(24)]
    assert sum(n == pytest.approx(TABLE.strength["kick"]) for n in near) == 4
    assert sum(n > TABLE.rest + 1e-2 for n in near) in (9, 10)


def test_a_count_is_answered_once_however_late_it_is_read():
    mapping = settled()
    starts = []
    before = 0.0
    for frame in range(200):
        onsets = frame // 50  # counters move at 50, 100, 150 and are read 50 times each
        near = mapping.turn(AudioFeatures(loudness=1.0, kicks=onsets, kick=1.0), FULL, 1 / 15).near
        if near > before + 0.5:
            starts.append(frame)
        before = near
    assert starts == [50, 100, 150]
    assert mapping.turn(AudioFeatures(loudness=1.0, kicks=9, kick=1.0), FULL, 1 / 15).near > 1  # six at once: one pulse


def test_a_new_ear_counts_from_zero_again():
    mapping = settled()
    mapping.turn(AudioFeatures(loudness=1.0, kicks=40, kick=1.0), FULL, 1 / 15)
    for _ in range(20):
        mapping.turn(AudioFeatures(loudness=1.0, kicks=0), FULL, 1 / 15)
    assert mapping.turn(AudioFeatures(loudness=1.0, kicks=1, kick=1.0), FULL, 1 / 15).near > 1


def test_a_weak_onset_is_still_seen_and_a_faint_one_is_not():
    mapping = settled()
    near = mapping.turn(AudioFeatures(loudness=1.0, kicks=1, kick=TABLE.faint), FULL, 1 / 15).near
    assert near == pytest.approx(TABLE.strength["kick"] * TABLE.least)
    near = settled().turn(AudioFeatures(loudness=1.0, kicks=1, kick=TABLE.faint - 0.01), FULL, 1 / 15).near
    assert near == TABLE.rest


def test_drive_zero_music_does_nothing():
    mapping, still = Mapping(TABLE), Mapping(TABLE)
    told = []
    knobs = Knobs(drive=0.0, speed=1.5, warmth=0.25)
    loud = AudioFeatures(loudness=3.0, intensity=1.0, kick=1.0, snare=1.0, hat=1.0)
    for frame in range(100):
        counts = {"kicks": frame, "snares": frame, "hats": frame}
        told.append(mapping.turn(replace(loud, **counts), knobs, 1 / 15))
        assert told[-1] == still.turn(AudioFeatures(), knobs, 1 / 15)
    assert told[0] == Controls(1.5, TABLE.rest, TABLE.rest, TABLE.rest, 0.0, 0.25)
    assert mapping.turn(loud, FULL, 1 / 15) != told[-1]


def test_without_drums_things_pass_on_the_beat():
    mapping, fps, begun, before = Mapping(TABLE), 24.0, [], 0.0
    for n in range(round(60 * fps)):
        beats = int(n / fps / 0.5)
        heard = AudioFeatures(loudness=1.0, tempo=120.0, beats=beats)
        far = mapping.turn(heard, FULL, 1 / fps).far
        if far > 0.5 and before < 0.5:
            begun.append(n / fps % 0.5)
        before = far
    assert len(begun) == pytest.approx(60 / TABLE.every["far"], abs=2)
    assert max(begun) <= 1.01 / fps


def test_what_passes_by_itself_takes_its_time():
    mapping = Mapping(TABLE)
    far = [mapping.turn(AudioFeatures(), FULL, 1 / 15).far for _ in range(round(15 * 1.5 * TABLE.every["far"]))]
    assert sum(value == pytest.approx(TABLE.passing) for value in far) == 3
    assert sum(value > TABLE.rest + 1e-2 for value in far) in (8, 9)


def test_a_lost_beat_is_not_waited_for():
    seen = passing(Mapping(TABLE), lambda _: AudioFeatures(loudness=1.0, tempo=120.0), FULL, 60, "far")
    assert seen >= 60 / (TABLE.every["far"] + 1.6) - 1


def test_silence_is_a_calm_cruise():
    mapping = settled()
    for _ in range(300):
        told = mapping.turn(AudioFeatures(), FULL, 1 / 15)
    assert told.speed == pytest.approx(TABLE.speed.silence, abs=1e-3)
    assert (told.far, told.middle, told.near) == pytest.approx([TABLE.rest] * 3, abs=1e-3)
    assert told.brightness == pytest.approx(TABLE.light.silence, abs=1e-3)
    assert 0 < told.speed < 1


def passing(mapping: Mapping, features, knobs: Knobs, seconds: float, band: str, fps: float = 15.0) -> int:
    """How many things enter in a band."""
    values = [getattr(mapping.turn(features(n), knobs, 1 / fps), band) for n in range(round(seconds * fps))]
    return sum(a < 0.5 <= b for a, b in pairwise(values))


def test_in_silence_and_without_drive_things_pass_by_themselves():
    for features, knobs in ((AudioFeatures(), FULL), (AudioFeatures(loudness=2.0), Knobs(drive=0.0))):
        for band, every in TABLE.every.items():
            for fps in (15, 30):
                seen = passing(Mapping(TABLE), lambda _, f=features: f, knobs, 60, band, fps)
                assert seen == pytest.approx(60 / every, abs=1)


def test_where_music_speaks_only_music_is_answered():
    """A kick a second: near has these sixty; far, where nothing is heard, cruises."""

    def kicks(n):
        return AudioFeatures(loudness=1.0, kick=1.0, kicks=n // 15)

    mapping = settled()
    for n in range(45):
        mapping.turn(kicks(n), FULL, 1 / 15)
    mapping._table, mapping._way = TABLE, dict.fromkeys(TABLE.every, 0.0)
    assert passing(mapping, lambda n: kicks(n + 45), FULL, 60, "near") == pytest.approx(60, abs=1)
    assert passing(Mapping(TABLE), kicks, FULL, 60, "far") == pytest.approx(60 / TABLE.every["far"], abs=1)


def test_what_is_near_waits_for_the_drum_that_is_known_to_come():
    comes, still = TABLE.waits["near"] + 30.0, replace(TABLE, waits=dict.fromkeys(TABLE.waits, 0.0))

    def begins(table):
        mapping, begun, before = Mapping(table), [], 0.0
        for n in range(round(comes * 15)):
            heard = AudioFeatures(time=n / 15, loudness=1.0, next_kick=comes, next_hat=comes)
            told = mapping.turn(heard, FULL, 1 / 15)
            begun += [n / 15] if told.near >= 0.5 > before else []
            before = told.near
        return begun

    waiting, never = begins(TABLE), begins(still)
    assert len(waiting) >= 3 and max(waiting) <= 30 < max(never) and len(never) > len(waiting) + 1
    faint, mapping = TABLE.faint - 0.01, Mapping(TABLE)  # drums that come all the time and let nothing in are not waited for

    def comes_to_nothing(n):
        return AudioFeatures(time=n / 15, loudness=1.0, next_kick=n / 15 + 2, kicks=n // 15, kick=faint)

    waits = TABLE.waits["near"]
    first = passing(mapping, comes_to_nothing, FULL, waits, "near")
    then = passing(mapping, lambda n: comes_to_nothing(n + round(15 * waits)), FULL, waits, "near")
    assert first == 0 and then >= 1
    known = AudioFeatures(loudness=1.0, next_hat=20.0, next_snare=0.0)
    for band in ("far", "middle"):  # what is far passes even so; and no snare is known to come
        assert passing(Mapping(TABLE), lambda _: known, FULL, 15, band) >= 3


def test_smoothing_agrees_at_24_60_and_144_fps():
    results = []
    for fps in (24, 60, 144):
        mapping = Mapping(TABLE)
        for _ in range(fps):  # one second after the music has begun
            told = mapping.turn(AudioFeatures(loudness=2.0, intensity=0.5), FULL, 1 / fps)
        results.append((told.speed, told.brightness, told.far))
    assert results[1] == pytest.approx(results[0], abs=1e-9)
    assert results[2] == pytest.approx(results[0], abs=1e-9)


def test_louder_is_faster_and_lighter_and_never_out_of_range():
    told = []
    for loudness in (0.0, 0.5, 1.0, 2.0, 3.0):
        mapping = Mapping(TABLE)
        for _ in range(300):
            controls = mapping.turn(AudioFeatures(loudness=loudness, intensity=loudness / 3), FULL, 1 / 15)
        told.append((controls.speed, controls.brightness))
    assert told == sorted(told) and len(set(told)) == 5
    wild = Mapping(TABLE).turn(AudioFeatures(loudness=3.0, kicks=1, kick=1.0), Knobs(speed=4, drive=5, warmth=9), 60)
    assert wild.speed <= 4 and wild.warmth <= 1 and wild.near <= 1.5 and wild.brightness <= 1


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("entries", "kick", "behind"),
        ("strength", "hat", "loud"),
        ("strength", "hat", float("nan")),
        ("pulse", "hold", -1),
        ("speed", "seconds", 0),
        ("cruise", "rest", True),
        ("waits", "near", -1),
    ],
)
def test_a_wrong_line_is_named(section, key, value):
    table = {name: dict(part) for name, part in DEFAULT.items()}
    table[section][key] = value
    with pytest.raises(VJError, match=rf"\[{section}\] {key}"):
        SoundTable.parse(table)
    del table[section]
    with pytest.raises(VJError, match=section):
        SoundTable.parse(table)
