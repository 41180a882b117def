"""The detail of a world's pixels (vj.model.finer): made where they come in, and carried wherever they go.

The world itself knows nothing of it and stays as it would be without.
"""

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from vj.model import mender, planes, transport
from vj.model.finer import REACH, TIMES, Added
from vj.model.world import Carried, World, relight

OTHER = 1e-3  # difference of colour by which a pixel did not come from where its motion says
MENDED = 0.02  # and by which it was mended
EDGE = 2  # fine px that the detail goes on beyond the picture, repeated


class Detail:
    """The detail of one world's pixels."""

    def __init__(self, net: Added):
        self.net = net
        self._added: torch.Tensor | None = None  # (1, PARTS, H, W)

    @torch.inference_mode()
    def begin(self, frame: torch.Tensor) -> None:
        """Of the first picture (1, 3, H, W) 0..1."""
        self._added = self.net(frame)

    @torch.inference_mode()
    def go_on(self, before: World, carried: Carried, strip: torch.Tensor, after: World) -> None:
        """A step further: where its pixels went, and what has entered, strip (1, 3, H, S). What did not come from where its
        motion says has none: it was hidden, or put in its place."""
        whole = (before.phase + carried.shift - carried.phase).round().long()
        light = carried.light.repeat_interleave(TIMES * TIMES, 1)
        every = torch.cat([relight(before.lattice, carried.light), self._added * light[..., None, None]], 1)
        went, _ = transport.move(every, carried.classes, whole)
        came, added = went[:, :3], went[:, 3:].contiguous()
        stays = (came - carried.moved).abs().amax(1, keepdim=True) < OTHER
        if before.age % mender.EVERY == mender.EVERY - 1:
            put = torch.cat([carried.moved[..., : -strip.shape[3]], strip], 3)
            change = after.lattice - put
            stays &= (change - planes.median(change[..., ::4])).abs().amax(1, keepdim=True) < MENDED
        added *= stays
        wide = min(int(carried.opened.sum(3).max()) + REACH, added.shape[3])
        around = after.lattice[..., -(wide + REACH) :].clamp(max=1)
        added[..., -wide:] = self.net(around)[..., -wide:]
        self._added = added

    @torch.inference_mode()
    def over(self, world: World) -> np.ndarray:
        """The world as it is shown, twice as large, (3, 2 H, 2 W) about 0..1."""
        shown = world.shown[0][0].permute(1, 2, 0).cpu().numpy()
        high, wide = TIMES * shown.shape[0], TIMES * shown.shape[1]
        picture = torch.from_numpy(cv2.resize(shown, (wide, high), interpolation=cv2.INTER_CUBIC)).permute(2, 0, 1)
        added = F.pixel_shuffle(self._added, TIMES)
        if world.classes is None:
            return (picture + added[0].cpu()).numpy()
        added = torch.stack([F.pad(each, (EDGE, EDGE, 0, 0), mode="replicate") for each in (added, transport.halfway(added))], 2)
        halves = (world.phase[0, :, 0] * 2 * TIMES).round().long()  # (K,) of a fine px
        first = torch.div(halves, 2, rounding_mode="floor")
        rows = (world.phase[0, :, 1] * TIMES).round().long()
        wider = wide + 2 * EDGE
        steps = (halves - 2 * first) * (high * wider) + rows * wider + first
        steps = steps[world.classes[0]].repeat_interleave(TIMES, 0).repeat_interleave(TIMES, 1)
        here = torch.arange(high, device=added.device)[:, None] * wider + torch.arange(wide, device=added.device) + EDGE
        index = (here + steps).clamp_(0, 2 * high * wider - 1)
        found = added[0].flatten(1).index_select(1, index.flatten()).view(3, high, wide)
        return (picture + found.cpu()).numpy()
