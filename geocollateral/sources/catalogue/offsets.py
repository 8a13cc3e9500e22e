"""The radiometric offset of Sentinel-2 L2A: decided per scene from metadata, then tested on the scene's own pixels.

From processing baseline 04.00 on, ``reflectance = (DN + BOA_ADD_OFFSET) / 10000`` with -1000 in every band. Catalogues
keep the digital numbers as they are, or subtract the offset and say so, or subtract it and say nothing. Applied not at
all or twice, NDVI of a meadow is 0.46 or 1.00 in place of 0.71, and an archive that changes its way shows clearings
where none are.

1. `candidate_offset` finds what the metadata amount to, and on what evidence.
2. `judge_offset` asks the pixels: vegetation is dark in blue and red. It looks at this one scene only, so that neither
   later scenes nor the order of arrival change a verdict.
3. Metadata and pixels that disagree quarantine the scene. Neither is believed over the other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion

SCALE = 1e-4
"""Reflectance per digital number of every Sentinel-2 L2A product (QUANTIFICATION_VALUE 10000)."""
OFFSET = -0.1
"""Reflectance at digital number 0 from processing baseline 04.00 on (BOA_ADD_OFFSET -1000)."""
OFFSETS = (0.0, OFFSET)
FIRST_BASELINE = (4, 0)
"""The first processing baseline whose products carry the offset, whenever the scene was acquired."""
FOREIGN_BASELINE = (99, 99)
"""Products of CDSE made outside ESA's own processing: the number says nothing of the offset."""

DARK_BANDS = ("blue", "red")
VEGETATION, BARE = 4, 5
"""Classes of the scene classification that are clear land."""
MIN_PIXELS = 200
"""Clear land needed for a verdict [pixels], so that the darkest hundredth is more than one or two of them."""
MAX_NEGATIVE = 0.01
"""Largest share of clear land with reflectance below 0."""
DARKEST = -0.01
"""Smallest first percentile of a dark band over clear land [1]."""
BRIGHTEST_DARK = 0.09
"""Largest first percentile of blue or red over clear land that rules out an offset left in [1].

An offset of -0.1 that was not applied adds 0.1 to all, so the first percentile is at least 0.1 - 0.01 by `DARKEST`. The
darkest hundredth of true vegetation stays far below, in red even under haze; where both bands exceed it over
vegetation, the offset was left in.
"""
BRIGHTEST_GREY, GREY_RATIO = 0.18, 1.3
"""What bare land looks like with an offset left in: a first percentile of blue below the former [1], and of red less
than the latter times that of blue. Soil, gravel and sand are redder (1.3 to 2.2); 0.1 added to both makes them grey.
Brighter grey, such as salt or concrete, says nothing."""

_BASELINE = re.compile(r"(?:N|^)(\d{2})\.?(\d{2})$")
_PRODUCT_BASELINE = re.compile(r"_N(\d{2})(\d{2})_")

Verdict = Literal["agrees", "disagrees", "untested"]


@dataclass(frozen=True, kw_only=True)
class OffsetChoice:
    """What the metadata of one band of one scene amount to."""

    offset: float | None
    """Reflectance at digital number 0; None where the metadata do not decide and the pixels have to."""
    evidence: str
    """What it was taken from."""


@dataclass(frozen=True, kw_only=True)
class OffsetVerdict:
    """What the pixels of one scene say of an offset."""

    verdict: Verdict
    offset: float | None
    """The offset that the pixels bear out; None where they do not tell."""
    detail: str


def parse_baseline(properties: Mapping[str, object]) -> tuple[int, int] | None:
    """Processing baseline as two numbers, from the item's properties or its product's name; None where unknown."""
    for name in ("s2:processing_baseline", "processing:version", "processorVersion"):
        said = properties.get(name)
        text = f"{said:05.2f}" if isinstance(said, float) else str(said or "").strip()
        match = _BASELINE.search(text)
        if match:
            return int(match[1]), int(match[2])
    match = _PRODUCT_BASELINE.search(str(properties.get("s2:product_uri") or properties.get("product:name") or ""))
    return (int(match[1]), int(match[2])) if match else None


def candidate_offset(
    properties: Mapping[str, object], *, product_offset: float | None = None, catalogue_offset: float | None = None
) -> OffsetChoice:
    """Offset of one band of one scene by its metadata alone.

    Parameters
    ----------
    properties
        Of the STAC item.
    product_offset
        ``BOA_ADD_OFFSET`` of the product's own metadata [DN], where the item carries it.
    catalogue_offset
        ``raster:bands`` offset that the catalogue states for the asset [reflectance], where it does.
    """
    baseline = parse_baseline(properties)
    named = "no baseline" if baseline is None else f"baseline {baseline[0]:02d}.{baseline[1]:02d}"
    # 1. The catalogue says that it changed the numbers: then nothing that describes the product holds for them.
    if properties.get("earthsearch:boa_offset_applied") is True:
        return OffsetChoice(offset=0.0, evidence="earthsearch:boa_offset_applied true")
    # 2. The product's own metadata.
    if product_offset is not None:
        return OffsetChoice(offset=product_offset * SCALE, evidence=f"BOA_ADD_OFFSET {product_offset:g}")
    # 3. Products older than the offset have none, whatever a catalogue states for all its items alike.
    if baseline is not None and baseline < FIRST_BASELINE:
        stated = "" if not catalogue_offset else f", against raster:bands offset {catalogue_offset:g}"
        return OffsetChoice(offset=0.0, evidence=f"{named}{stated}")
    # 4. The catalogue's statement of the asset. 5. The baseline, where it is one of ESA's. 6. The pixels.
    if catalogue_offset is not None:
        return OffsetChoice(offset=catalogue_offset, evidence=f"raster:bands offset {catalogue_offset:g}, {named}")
    if baseline is not None and baseline < FOREIGN_BASELINE:
        return OffsetChoice(offset=OFFSET, evidence=named)
    return OffsetChoice(offset=None, evidence=f"{named} without a stated offset")


def judge_offset(
    stated: Mapping[str, float | None],
    numbers: Mapping[str, NDArray[np.generic]],
    valid: Mapping[str, NDArray[np.bool_]],
    classes: NDArray[np.generic] | None,
) -> OffsetVerdict:
    """What the pixels of one scene say of its offset.

    Parameters
    ----------
    stated
        Offset by band that the metadata amount to; None where they do not decide, and the pixels have to.
    numbers
        Digital numbers of blue and red, shape (y, x) each; one of the two may be absent.
    valid
        Where each of them is data.
    classes
        Scene classification on the same pixels; None where there is none.

    Returns
    -------
    ``agrees`` or ``disagrees`` with what was stated (or ``agrees`` with the one offset that fits, where nothing was);
    ``untested`` where there is too little clear land to tell, or where what is stated is neither refuted nor borne out.
    """
    bands = [band for band in DARK_BANDS if band in numbers and band in stated]
    if classes is None or not bands:
        return OffsetVerdict(verdict="untested", offset=None, detail="no scene classification, blue or red")
    land = {band: _clear_land(classes, valid[band], VEGETATION, BARE) for band in bands}
    green = {band: _clear_land(classes, valid[band], VEGETATION) for band in bands}
    n_land = min(int(mask.sum()) for mask in land.values())
    if n_land < MIN_PIXELS:
        return OffsetVerdict(verdict="untested", offset=None, detail=f"only {n_land} pixels of clear land")
    on_land = {band: numbers[band][land[band]].astype(np.float64) * SCALE for band in bands}
    on_green = {band: numbers[band][green[band]].astype(np.float64) * SCALE for band in bands}
    fits = {offset: _fits(dict.fromkeys(bands, offset), on_land, on_green) for offset in OFFSETS}
    p01 = ", ".join(f"{band} {np.percentile(on_land[band], 1):.3f}" for band in bands)
    detail = f"{n_land} pixels of clear land, first percentiles before any offset: {p01}"
    borne_out = [offset for offset, fit in fits.items() if fit]
    only = borne_out[0] if len(borne_out) == 1 else None
    told = {band: offset for band in bands if (offset := stated[band]) is not None}
    if len(told) < len(bands):
        return OffsetVerdict(verdict="untested" if only is None else "agrees", offset=only, detail=detail)
    fit = _fits(told, on_land, on_green)
    verdict: Verdict = "untested" if fit is None else "agrees" if fit else "disagrees"
    if fit is False and only is None and not _too_dark(told, on_land):
        # Too bright for every offset there is: a haze that the classification took for land, which says nothing of it.
        verdict = "untested"
    return OffsetVerdict(verdict=verdict, offset=only, detail=detail)


def _fits(
    offsets: Mapping[str, float], land: Mapping[str, NDArray[np.float64]], green: Mapping[str, NDArray[np.float64]]
) -> bool | None:
    """Whether offsets may be true; None where the pixels cannot tell that they correct too little."""
    if _too_dark(offsets, land):
        return False
    bright = [np.percentile(values + offsets[band], 1) for band, values in land.items()]
    if min(bright) <= BRIGHTEST_DARK:
        return True
    if min(values.size for values in green.values()) >= MIN_PIXELS:
        return any(np.percentile(values + offsets[band], 1) <= BRIGHTEST_DARK for band, values in green.items())
    if len(bright) == len(DARK_BANDS) and bright[0] <= BRIGHTEST_GREY and bright[1] < GREY_RATIO * bright[0]:
        return False
    return None


def _too_dark(offsets: Mapping[str, float], land: Mapping[str, NDArray[np.float64]]) -> bool:
    """Whether offsets leave reflectance that no land has."""
    shifted = [values + offsets[band] for band, values in land.items()]
    return any(bool(np.mean(v < 0) > MAX_NEGATIVE or np.percentile(v, 1) < DARKEST) for v in shifted)


def _clear_land(classes: NDArray[np.generic], valid: NDArray[np.bool_], *wanted: int) -> NDArray[np.bool_]:
    """Pixels of the classes, a pixel of the classification (two of the grid) inside their edges."""
    inside = np.isin(classes, wanted) & valid
    return np.asarray(binary_erosion(inside, structure=np.ones((3, 3)), iterations=2, border_value=1))
