"""Stages of a building site, look by look: a hidden Markov model of each pixel, over looks of both sensors.

Each pixel is in one state: land as it was, cleared, footings, structure, roof, paving, water. Works go from state to state
at rates of years; a look says how like each state it is. The forward pass gives what was known on the day (filter), the
backward pass what is known of the past at ``as_of`` (smoother). Rabiner 1989, doi:10.1109/5.18626; for land cover, Abercrombie
& Friedl 2016, doi:10.1109/TGRS.2015.2463689.

Land as it was has no library: it is the parcel's own looks of the same season in the years before. So bare fields in their season are
no clearing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.linalg import expm

from geocollateral.assets import ground
from geocollateral.types import ParcelEvidence, Params
from pydantic import Field

Floats = NDArray[np.float64]

LAND, CLEARED, FOOTING, STRUCTURE, ROOF, PAVED, WATER = range(7)
STAGES: Mapping[str, tuple[int, ...]] = {
    "vegetated": (LAND,),
    "water": (WATER,),
    "cleared": (CLEARED,),
    "building": (FOOTING, STRUCTURE),
    "built": (ROOF, PAVED),
}
START = np.array([0.70, 0.03, 0.02, 0.02, 0.08, 0.12, 0.03])
"""Share of each state before the first look."""
RATES = {
    (LAND, CLEARED): 0.25, (LAND, PAVED): 0.01, (LAND, WATER): 0.03,
    (CLEARED, FOOTING): 0.7, (CLEARED, PAVED): 0.3, (CLEARED, LAND): 0.15, (CLEARED, WATER): 0.03, (CLEARED, ROOF): 0.05,
    (FOOTING, STRUCTURE): 1.2, (FOOTING, PAVED): 0.1, (FOOTING, CLEARED): 0.2, (FOOTING, ROOF): 0.3,
    (STRUCTURE, ROOF): 0.8, (STRUCTURE, PAVED): 0.1, (STRUCTURE, CLEARED): 0.1,
    (ROOF, CLEARED): 0.02, (ROOF, PAVED): 0.02, (PAVED, CLEARED): 0.02, (PAVED, LAND): 0.01, (PAVED, FOOTING): 0.02,
    (WATER, LAND): 0.05, (WATER, CLEARED): 0.05,
}
"""Changes of state a year."""
CLOSING = {
    **RATES,
    (CLEARED, FOOTING): 0.2, (CLEARED, PAVED): 3.0, (FOOTING, PAVED): 3.0, (FOOTING, ROOF): 1.0, (STRUCTURE, ROOF): 6.0,
    (STRUCTURE, PAVED): 1.0,
}
"""The same where hardly any open ground is left: works that are being finished."""


class StageParams(Params):
    green_weight: float = Field(0.6)
    colour_weight: float = Field(0.3)
    radar_weight: float = Field(0.15)
    most: float = Field(4.0)
    colour_most: float = Field(2.5)
    season_days: float = Field(20.0)
    kernel_age: int = Field(150)
    history_doubt: float = Field(0.05)
    few_looks: float = Field(2.0)
    max_kernels: int = Field(16)
    peer_weight: float = Field(1.0)
    peer_spread: float = Field(0.12)
    own_ground: bool = True
    own_cleared: bool = True
    tight: float = 0.8
    open_share: float = 0.25
    green_within: int = 400
    dead_weight: float = 1.0
    own_spread: float = Field(1.0)


# dB of gamma0 under each state and its spread from site to site.
RADAR_DB = {
    "vv": ((-11.5, -12.0, -12.0, -7.0, -7.0, -12.0, -20.0), (3.0, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0)),
    "vh": ((-18.0, -19.0, -19.0, -15.0, -15.0, -19.0, -26.0), (3.0, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0)),
}
SPECKLE_DB = 2.1


@dataclass(frozen=True, kw_only=True)
class Stages:
    days: NDArray[np.datetime64]
    optical: NDArray[np.bool_]
    known: Floats
    """(step, pixel, state)"""
    later: Floats


def follow(evidence: ParcelEvidence, params: StageParams) -> Stages:
    seen = ground.features(evidence.optical)
    n_pix = len(evidence.area_m2)
    by_ground = ground.likeness(seen)
    T = len(evidence.look_days)
    clear = np.isfinite(by_ground["bare"]) & np.isfinite(seen.ndvi)
    colour = np.zeros((T, n_pix, 7), np.float32)
    for state, name in ((CLEARED, "bare"), (FOOTING, "grey"), (STRUCTURE, "grey"), (ROOF, "roof"), (PAVED, "grey")):
        colour[:, :, state] = by_ground[name]
    colour[:, :, ROOF] = np.maximum(colour[:, :, ROOF], colour[:, :, FOOTING])
    M = colour[:, :, CLEARED:PAVED + 1].max(-1)
    mineral_ndvi = t_log(seen.ndvi, 0.15, 0.07)
    water = ground.colour_density(vars(seen), WATER_MID, WATER_SD)
    water_ndvi = t_log(seen.ndvi, 0.0, 0.25)
    # own looks
    names = tuple(ground.SPREAD)
    days = [evidence.look_days.astype("M8[D]")]
    kinds = [np.zeros(T, int)]
    rads = []
    for o, r in evidence.radar.items():
        d = r.power.time.values.astype("M8[D]")
        rads.append(radar_log(r.power))
        days.append(d); kinds.append(np.full(len(d), len(rads)))
    alld = np.concatenate(days); kind = np.concatenate(kinds); pos = np.concatenate([np.arange(len(d)) for d in days])
    order = np.lexsort((kind, alld)); alld, kind, pos = alld[order], kind[order], pos[order]
    table, closing = transitions(RATES), transitions(CLOSING)
    g_at = np.zeros(len(alld))
    last_green = np.full(n_pix, -10**6); seen_since = np.zeros(n_pix); top = np.full(n_pix, -1.0)
    area = evidence.area_m2
    S = len(alld)
    alpha = np.empty((S, n_pix, 7)); like = np.ones((S, n_pix, 7), np.float32)
    prob = np.tile(START, (n_pix, 1))
    last = alld[0] if S else None
    steps = np.zeros(S, int)
    t_day = evidence.look_days.astype("M8[D]").astype(int)
    doy = (evidence.look_days.astype("M8[D]") - evidence.look_days.astype("M8[Y]").astype("M8[D]")).astype(int)
    own = Own(t_day, doy, evidence, params)
    X = np.stack([getattr(seen, n) for n in names], -1)
    for s in range(S):
        dt = min(int((alld[s] - last).astype(int)), 400); steps[s] = dt; last = alld[s]
        open_share = float((prob[:, CLEARED] * area).sum() / area.sum()); works = float((prob[:, CLEARED:PAVED + 1].sum(1) * area).sum() / area.sum())
        g = g_at[s] = float(np.clip(1 - open_share / params.open_share, 0, 1)) if works > 0.5 else 0.0
        prob = prob @ ((1 - g) * table[dt] + g * closing[dt])
        if kind[s] == 0:
            t = pos[s]; c = clear[t]
            if c.any():
                nd = seen.ndvi[t, c]
                l = np.empty((c.sum(), 7))
                own.cleared_into(colour[t], X[t], c)
                m = M[t, c] = colour[t, c, CLEARED:PAVED + 1].max(1)
                l[:, CLEARED:PAVED + 1] = np.maximum(colour[t, c, CLEARED:PAVED + 1] - m[:, None], -params.colour_most) * params.colour_weight
                l[:, CLEARED:PAVED + 1] += params.green_weight * mineral_ndvi[t, c][:, None]
                land_colour = np.where(nd < 0.35, own.colour(X[t, c]) - m, 0.0)
                l[:, LAND] = params.colour_weight * np.clip(land_colour, -params.colour_most, params.colour_most)
                l[:, LAND] += params.green_weight * own.ndvi(t, nd)
                top[c] = np.fmax(top[c], nd)
                green = nd >= np.minimum(0.4, 0.6 * top[c])
                seen_since[c] = np.where(green, 0, seen_since[c] + 1)
                last_green[c] = np.where(green, t_day[t], last_green[c])
                dead = (t_day[t] - last_green[c] > params.green_within) & (seen_since[c] >= 5)
                l[:, LAND] -= params.dead_weight * dead
                l[:, WATER] = params.green_weight * (np.clip(water[t, c] - m, -6, 6) + water_ndvi[t, c])
                l -= l.max(1, keepdims=True)
                like[s, c] = np.exp(np.maximum(l, -params.most))
        else:
            l = rads[kind[s] - 1][pos[s]]
            l = params.radar_weight * (l - l.max(1, keepdims=True))
            like[s] = np.exp(np.maximum(np.nan_to_num(l), -params.most))
        prob = prob * like[s]
        prob /= prob.sum(1, keepdims=True)
        alpha[s] = prob
        if kind[s] == 0 and c.any():
            own.learn(t, nd, X[t, c], prob[c, LAND] * area[c] / area.sum(), prob[c, CLEARED] * area[c] / area.sum())
    beta = np.ones((n_pix, 7)); later = np.empty_like(alpha)
    for s in range(S - 1, -1, -1):
        post = alpha[s] * beta
        later[s] = post / post.sum(1, keepdims=True)
        if s:
            beta = (beta * like[s]) @ ((1 - g_at[s]) * table[steps[s]] + g_at[s] * closing[steps[s]]).T
            beta /= beta.max(1, keepdims=True)
    return Stages(days=alld, optical=kind == 0, known=alpha, later=later)


WATER_MID = {"slope": -0.5, "bare": -0.4, "level": -3.3}
WATER_SD = {"slope": 0.25, "bare": 0.25, "level": 0.6}
SOIL_MID = np.array([0.25, 0.05, 0.40, 0.09, -1.8], np.float32)
SOIL_SD = np.array([0.09, 0.10, 0.10, 0.05, 0.5], np.float32)


def t_log(x, mid, sd):
    return -2.5 * np.log1p(np.square((x - mid) / sd) / 4) - np.log(sd)


def transitions(RATES):
    Q = np.zeros((7, 7))
    for (a, b), v in RATES.items():
        Q[a, b] = v / 365.25
    Q[np.arange(7), np.arange(7)] = -Q.sum(1)
    P1 = expm(Q)
    table = [np.eye(7)]
    for _ in range(400):
        table.append(table[-1] @ P1)
    return np.array(table)


class Own:
    """The parcel's own looks as land."""

    def __init__(self, t_day, doy, evidence, params):
        self.p = params; self.t_day = t_day; self.doy = doy
        T = len(t_day)
        self.n = 0
        self.at = np.zeros(T, int); self.mid = np.zeros(T); self.var = np.zeros(T); self.w = np.zeros(T); self.d = np.zeros(T, int)
        self.bw = 0.0; self.bm = np.zeros(5); self.bs = np.zeros(5)
        self.cw = 0.0; self.cm = np.zeros(5)
        self.peer = np.full((T, 0), np.nan)
        if evidence.peers is not None and "ndvi" in evidence.peers.index.values and evidence.peers.sizes["peer"]:
            pe = evidence.peers.sel(index="ndvi")
            pd_ = pe.time.values.astype("M8[D]").astype(int)
            i = np.searchsorted(pd_, t_day)
            i = np.clip(i, 0, len(pd_) - 1); hit = pd_[i] == t_day
            v = np.where(pe.valid_fraction.values > 0.5, pe["mean"].values, np.nan)[i][:, :20]
            v[~hit] = np.nan
            self.peer = v
        self.pgreen = np.full(self.peer.shape[1], -10**6)
        self.sq = np.zeros(self.peer.shape[1]); self.cnt = np.zeros(self.peer.shape[1])

    def ndvi(self, t, x):
        p = self.p
        n = int(np.searchsorted(self.at[: self.n], self.t_day[t] - p.kernel_age, side="right"))
        d = np.abs(self.d[:n] - self.doy[t]); d = np.minimum(d, 365 - d)
        w = self.w[:n] * np.exp(-0.5 * (d / p.season_days) ** 2)
        k = np.argsort(-w)[: p.max_kernels]; k = k[w[k] > 0.05]
        w = w[k]; mid = self.mid[k]; sd = np.sqrt(0.06**2 + self.var[k])
        if self.peer.shape[1] and p.peer_weight:
            now = self.peer[t]
            with np.errstate(invalid="ignore", divide="ignore"):
                alike = np.where((self.cnt >= 5) & np.isfinite(now), np.exp(-self.sq / self.cnt / 0.1**2), 0.0)
            alike[alike < 0.05] = 0
            if alike.any():
                use = np.flatnonzero(alike)
                w = np.concatenate([w, p.peer_weight * alike[use] / max(alike.sum(), 1.0) * min(1.0, alike.sum())])
                mid = np.concatenate([mid, now[use]]); sd = np.concatenate([sd, np.full(len(use), p.peer_spread)])
        total = w.sum()
        broad = np.log(1.1)
        if total < 0.05:
            return np.full(len(x), broad)
        z = (x[:, None] - mid) / sd
        dens = (w / total / sd * np.exp(-2.5 * np.log1p(z * z / 4))).sum(1)
        eps = (p.history_doubt * total + p.few_looks) / (total + p.few_looks)
        return np.log((1 - eps) * dens + eps * 1.1)

    def colour(self, x):
        x = np.where(np.isnan(x), SOIL_MID, x)
        z = (x - SOIL_MID) / SOIL_SD
        broad = -0.5 * 9 * np.log1p((z * z).sum(1) / 4) - np.log(SOIL_SD).sum()
        if self.bw < 1.0:
            return broad
        m = self.bm / self.bw
        sd = np.sqrt(np.maximum(self.bs / self.bw - m * m, 0) + (self.p.own_spread * np.array(list(ground.SPREAD.values())) * 0.7) ** 2)
        z = (x - m) / sd
        own = -0.5 * 9 * np.log1p((z * z).sum(1) / 4) - np.log(sd).sum()
        eps = 2.0 / (2.0 + self.bw)
        return np.logaddexp(own + np.log1p(-eps), broad + np.log(eps))

    def cleared_into(self, colour, X, c):
        """Cleared ground has the colour of the library, of the parcel's own bare fields, or of itself lately."""
        cand = []
        if self.bw >= 1:
            cand.append((self.bm / self.bw, self.bw, 1.0))
        if self.cw >= 0.5 and self.p.own_cleared:
            cand.append((self.cm / self.cw, self.cw, 1.0))
        if not cand or not self.p.own_ground:
            return
        x = X[c]
        keep = [0, 1, 2]
        out = colour[c, CLEARED]
        nul = np.full(len(x), np.log(0.3))
        total = out + np.log(0.3)
        for m, n, _ in cand:
            mid = m.copy(); mid[3] = 0.06; mid[4] = max(m[4], -1.7)
            sd = np.array(list(ground.SPREAD.values()))
            sd = sd * np.array([self.p.tight, self.p.tight, self.p.tight, 1.0, 1.0])
            z = (x - mid) / sd
            d = -0.5 * 9 * np.log1p((z * z).sum(1) / 4) - np.log(sd).sum()
            total = np.logaddexp(total, d + np.log(0.7 / len(cand)))
        colour[c, CLEARED] = total

    def learn(self, t, nd, x, w, wc):
        C = wc.sum()
        if C > 0.2 and self.cw < 5:
            self.cw += C; self.cm += (x * wc[:, None]).sum(0)
        W = w.sum()
        if W > 0.1:
            n = self.n
            self.at[n] = self.t_day[t]; self.d[n] = self.doy[t]; self.w[n] = W
            self.mid[n] = m = (nd * w).sum() / W; self.var[n] = max((nd * nd * w).sum() / W - m * m, 0); self.n += 1
            if self.peer.shape[1]:
                now = self.peer[t]; self.pgreen[now >= 0.4] = self.t_day[t]; ok = np.isfinite(now)
                self.sq[ok] += W * (now[ok] - m) ** 2; self.cnt[ok] += W
            b = w * (nd < 0.3)
            B = b.sum()
            if B > 0.1:
                mm = (x * b[:, None]).sum(0)
                self.bm += mm; self.bs += (x * x * b[:, None]).sum(0); self.bw += B


def radar_log(power):
    out = 0.0
    for pol, (mean, sd) in RADAR_DB.items():
        db = 10 * np.log10(np.maximum(power[pol].values, 1e-5))[..., None]
        s = np.sqrt(np.square(np.array(sd)) + SPECKLE_DB**2)
        out = out - 0.5 * np.square((db + 1.0 - np.array(mean)) / s) - np.log(s)
    return out
