"""The demo's footage: the same by seed, moving as perspective wants, entered band by band."""

import cv2
import numpy as np
import pytest

from vj.signals import BANDS
from vj.train import scenery
from vj.train.measure import edge_strength
from vj.train.props import Props
from vj.video import read_frames

SIZE = (320, 192)


@pytest.fixture(scope="module")
def journey():
    return scenery.Journey("fields", 700, seed=4, size=SIZE)


def small(frame):
    return cv2.resize(frame, (160, 96), interpolation=cv2.INTER_AREA)


def test_the_same_seed_gives_the_same_frames_and_another_does_not(journey):
    again = scenery.Journey("fields", 700, seed=4, size=SIZE)
    other = scenery.Journey("fields", 700, seed=5, size=SIZE)
    assert np.array_equal(journey.frame(300), again.frame(300))
    assert np.abs(journey.frame(300).astype(int) - other.frame(300)).mean() > 5


def test_frames_are_full_pictures(journey):
    frame = journey.frame(0)
    assert frame.shape == (192, 320, 3) and frame.dtype == np.uint8
    assert frame.std() > 15 and 40 < frame.mean() < 220


def test_the_ground_moves_left_the_nearer_the_faster(journey):
    i = next(i for i in range(100, 600) if journey.speed[i] > 0.8)
    a, b = (cv2.cvtColor(small(journey.frame(k)), cv2.COLOR_RGB2GRAY) for k in (i - 1, i))
    d = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(b, a, None)[:, 20:140, 0] / journey.speed[i]
    for row in (50, 60, 72, 84):
        assert np.median(d[row]) == pytest.approx(np.interp(row + 0.5, journey.rows, journey.rate), rel=0.15)


def test_each_band_is_entered_on_its_own_and_calm_in_between(journey):
    groups = (
        journey.far,
        [t for t in journey.rest if t.rate < 4],
        [t for t in journey.rest if 4 < t.rate < 6.5],
    )
    poles = [t for t in journey.rest if t.rate > 6.5]
    frames = range(0, 700, 4)
    strength = np.array([edge_strength(small(journey.frame(i))) for i in frames])

    def entering(things):
        marks = np.zeros(len(strength), bool)
        for thing in things:
            left = 160 - thing.rate * (journey.d[list(frames)] - thing.d)
            marks |= (left < 160) & (left + thing.picture.shape[1] / journey.px > 151)
        return marks

    busy = [entering(things) for things in groups]
    free = ~entering(poles)
    for band in range(3):
        entry, calm = strength[busy[band] & free, band], strength[~busy[band] & free, band]
        assert len(entry) > 5 and len(calm) > 50
        assert entry.mean() > 5 * calm.mean()
    assert abs(np.corrcoef(busy[0], busy[2])[0, 1]) < 0.3  # one says nothing of the other


def test_middle_and_near_things_stay_in_their_bands(journey):
    for thing in journey.rest:
        if thing.rate > 6.5:
            continue  # a pole crosses all of them, on purpose
        top = thing.top / journey.h
        band = 2 if thing.rate > 4 else 1
        assert top > BANDS[band][0] - 0.02
        if band == 1:
            assert (thing.top + thing.picture.shape[0]) / journey.h < BANDS[1][1] + 0.04


def test_the_train_stops_now_and_then_and_light_changes():
    journey = scenery.Journey("dusk", 1800, seed=2, size=(160, 96))
    still = journey.speed < 0.02
    assert still.any() and not still[:400].all() and journey.speed.max() <= 1.8
    assert np.abs(np.diff(journey.speed)).max() < 0.06  # smoothly
    luma, warm = journey.light.mean((1, 2, 3)), journey.light[:, 0, 0, 0] / journey.light[:, 0, 0, 2]
    assert np.percentile(luma, 95) / np.percentile(luma, 5) > 1.3
    assert np.percentile(warm, 95) / np.percentile(warm, 5) > 1.25
    assert np.abs(np.diff(luma)).max() < 0.03


def test_every_name_of_every_place_can_be_made():
    props = Props(scenery._art_folder(), np.random.default_rng(0))
    names = {n for place in scenery.SUMMER + scenery.WINTER for n in place.far + place.middle + place.near}
    for name in sorted(names | {"pole"}):
        for night in (False, True):
            prop = props.make(name, 24, night=night)
            assert abs(prop.shape[0] - 24) <= 1 and prop[..., 3].max() > 0.5
            assert (prop[..., :3] <= prop[..., 3:] + 0.35).all() and prop.min() >= 0  # premultiplied; a lamp may glow


@pytest.mark.parametrize("kind", ["forward", "club"])
def test_other_kinds_move(kind):
    a, b = scenery.frames(kind, 2, size=(160, 96))
    assert a.shape == (96, 160, 3) and np.abs(a.astype(int) - b).mean() > 0.1


def test_the_command_writes_a_film(tmp_path):
    scenery.main(["dusk", "--seconds", "0.5", "--seed", "3", "-o", str(tmp_path / "film.mp4")])
    pictures = list(read_frames(tmp_path / "film.mp4"))
    assert len(pictures) == 12 and pictures[0].shape == (288, 480, 3)
    first = next(scenery.frames("dusk", 12, seed=3))
    assert np.abs(pictures[0].astype(int) - first).mean() < 4


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="desert"):
        next(scenery.frames("desert", 3))
