"""How well a crop does: against peers of the same rhythm, and against the parcel's own earlier years."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geocollateral.assets.field_events import FieldView
from geocollateral.assets.field_record import Record
from geocollateral.assets.neighbours import YEAR

FEWEST_PEERS = 5
FEWEST_LOOKS = 3
SPREAD_FLOOR = 0.02
"""Peers that agree better than this [NDVI] agree by chance."""


@dataclass(frozen=True, kw_only=True)
class Vigour:
    """Of the present or last crop; None = cannot be told."""

    z: float | None
    """Mean NDVI of the season less that of peers on the same looks, in robust standard deviations of the peers."""
    own: float | None
    """Season's integral of NDVI over bare ground, relative to the same days of the parcel's earlier years [1]."""
    n_peers: int

    def in_words(self) -> str:
        """A sentence where the crop does clearly worse or better than its peers, else nothing."""
        if self.z is None or abs(self.z) < 1.5:
            return ""
        side = "worse" if self.z < 0 else "better"
        return f" The latest crop does {side} than {self.n_peers} alike around it (z = {self.z:+.1f})."


def vigour_of(record: Record, view: FieldView) -> Vigour:
    """Vigour of the latest crop of a field."""
    if not record.crops:
        return Vigour(z=None, own=None, n_peers=0)
    season = record.crops[-1]
    last = record.curve.start + len(record.curve.value) - 1
    begin, end = season.emerged, season.ended if season.ended is not None else last
    channel, choice = view.optical, view.choice
    inside = (channel.days >= begin) & (channel.days <= end) & np.isfinite(channel.own)
    z, n_peers = None, 0
    at = int(np.searchsorted(choice.steps, end, side="right")) - 1
    if at >= 0 and inside.sum() >= FEWEST_LOOKS:
        peers = channel.peers[inside][:, choice.member[at, : channel.peers.shape[1]]]
        difference = peers - channel.own[inside][:, None]
        count = np.isfinite(difference).sum(axis=0)
        means = np.where(np.isfinite(difference), difference, 0).sum(axis=0) / np.maximum(count, 1)
        means = means[count >= max(FEWEST_LOOKS, 0.6 * inside.sum())]
        n_peers = len(means)
        if n_peers >= FEWEST_PEERS:
            middle = float(np.median(means))
            spread = max(1.4826 * float(np.median(np.abs(means - middle))), SPREAD_FLOOR)
            z = round(-middle / spread, 2)
    return Vigour(z=z, own=_against_own(record, begin, end), n_peers=n_peers)


def _against_own(record: Record, begin: int, end: int, bare: float = 0.15) -> float | None:
    """Integral of the curve over bare ground, relative to the median of the same days in earlier years."""
    days = np.arange(begin, end + 1)
    now = float(np.sum(np.maximum(record.curve.at(days) - bare, 0)))
    before = []
    for back in range(1, 10):
        then = record.curve.at(days - back * YEAR)
        if not np.isfinite(then).all():
            break
        before.append(float(np.sum(np.maximum(then - bare, 0))))
    usual = float(np.median(before)) if before else 0.0
    return round(now / usual, 2) if usual > 1 else None
