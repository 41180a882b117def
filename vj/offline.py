"""The same show from a sound file to an MP4, as fast as the machine can. No clock, no device, no thread of ours.

Learning goes by the show's time: every 20 s of it so many training steps, the same number on every machine.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import numpy as np

from vj import opening
from vj.audio.ahead import FUTURE, follow, look_ahead
from vj.audio.features import FeatureExtractor
from vj.audio.files import SoundFile
from vj.cues import Cues
from vj.render.screen import Screen
from vj.render.window import HeadlessWindow
from vj.settings import Settings, packed, table, upscaler_weights
from vj.show import Maker, Show
from vj.signals import Knobs
from vj.trace import Trace
from vj.video import FilmWriter


def render(settings: Settings) -> None:
    """Makes settings.film. Raises VJError, and then leaves what was there before."""
    whole, fps, size = table(settings.table), settings.film_fps, settings.film_size
    with ExitStack() as stack:
        sound = stack.enter_context(SoundFile(opening.sound_file(settings), settings.rate))
        film = stack.enter_context(FilmWriter(settings.film, size, fps, settings.rate))
        seconds = min(sound.seconds, settings.seconds or sound.seconds)
        count = max(round(seconds * fps), 1)
        if seconds <= settings.seconds_per_update:  # too short for an update: no footage need be prepared
            settings = replace(settings, learn=False)
        start = opening.begin(settings)
        generator = opening.generator(settings, start)
        fine = generator.refine(settings.detail)
        trace = stack.enter_context(Trace(settings.trace, generator.size)) if settings.trace else None
        learner = opening.learner(settings, start)
        window = stack.enter_context(HeadlessWindow(size))
        screen = Screen(window.context, packed("shaders"))
        if (layers := opening.upscaler(upscaler_weights(start.path))) is not None:
            screen.teach(layers)
        # A film has the time; but what already has detail gains little by being learnt where the processor draws it for long.
        best = "edge" if layers is None or (fine and screen.is_software) else "learnt"
        screen.use(best if settings.upscaler == "auto" else settings.upscaler)
        model_fps = start.card.fps
        mapping = opening.mapping(whole, start.card)
        maker = Maker(generator, mapping, model_fps, start.card.fps, settings.seed, opening.cuts(whole))
        show = Show(maker, model_fps)
        ear, knobs = FeatureExtractor(settings.rate, settings.hop), Knobs(look=settings.look)
        follow(ear, look_ahead(opening.sound_file(settings), seconds=seconds + FUTURE))
        updates, cued, cues = 0, opening.cued(settings, start), Cues(tuple(cue.at for cue in settings.then))
        with opening.bar(settings.film.name) as tell:
            blocks = sound.stereo_blocks(settings.rate // 10)
            for number, samples in enumerate(spans(blocks, settings.rate, fps, count)):
                picture = show.step(ear.feed(samples.mean(1)), knobs, 1 / fps)
                if trace is not None:
                    for made in show.made:
                        trace.add(made)
                screen.draw(picture, size, knobs, dt=1 / fps)
                film.write(screen.read())
                film.write_sound(samples)
                turn = cues.turn(0, (number + 1) / fps)
                if learner is not None and turn is not None:
                    tell(number / count, f"goes over to {cued[turn][0].name}")
                    learner.switch(*cued[turn])
                due = int((number + 1) / fps / settings.seconds_per_update + 1e-9)
                if learner is not None and due > updates and number + 1 < count:
                    updates = due
                    tell(number / count, f"learning, update {updates}")
                    fresh = learner(settings.steps_per_update)
                    if fresh is not None:
                        generator.adopt(*fresh, round(settings.fade_seconds * model_fps))
                    if (layers := learner.upscaler(settings.upscaling_steps)) is not None:
                        screen.teach(layers)
                tell((number + 1) / count, f"weights {generator.version}")


def spans(blocks: Iterator[np.ndarray], rate: int, fps: float, count: int) -> Iterator[np.ndarray]:
    """Blocks (n, 2) of any length -> exactly `count` spans, one for each picture; silence after the end.

    Span k ends at sample round((k + 1) * rate / fps), so that nothing drifts at odd rates.
    """
    waiting, have, start = [], 0, 0
    for number in range(count):
        want = round((number + 1) * rate / fps) - start
        start += want
        while have < want:
            block = next(blocks, None)
            block = np.zeros((want - have, 2), np.float32) if block is None else block
            waiting.append(block)
            have += len(block)
        whole = np.concatenate(waiting) if len(waiting) > 1 else waiting[0]
        waiting, have = [whole[want:]], have - want
        yield whole[:want]
