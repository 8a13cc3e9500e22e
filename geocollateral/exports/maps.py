"""The map picture and the outlines on it and on the chips, as places in percent of a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Geod, Transformer
from shapely.geometry.base import BaseGeometry

from geocollateral.types import MapPicture

YEAR_COLOURS = ("#ffe680", "#ffc233", "#ff9500", "#f2600c", "#d4243d", "#b0156f", "#7a1fa2")
"""From older to newer: light to dark, so that the order is seen without telling hues apart."""

LONGEST_SIDE = 700
"""Of the picture in the report [pixels]; a larger one is reduced, to keep the file small."""

_BADGE_GAP = 6.4
"""Least distance of two badges [% of the width]: a badge's size on a phone."""
_MOST_BADGES = 80
"""More of them cannot be told apart, and placing them would take for ever."""

_Transform = tuple[float, float, float, float, float, float]


@dataclass(frozen=True, kw_only=True)
class Badge:
    """A parcel's number on the map [% of width and height]."""

    row: int
    """Place of the parcel in the table."""
    x: float
    y: float


@dataclass(frozen=True, kw_only=True)
class ScaleBar:
    """A round length on the ground."""

    metres: int
    width: float
    """[% of the picture's width]"""


@dataclass(frozen=True, kw_only=True)
class Map:
    """The map picture with what is drawn on it."""

    image: NDArray[np.uint8]
    """Shape (height, width, 3), disturbed pixels coloured."""
    width: int
    height: int
    outlines: tuple[str, ...]
    """SVG path per parcel in pixels of the picture; empty where the parcel is outside."""
    badges: tuple[Badge, ...]
    years: tuple[tuple[int, str], ...]
    """Years of disturbance shown and their colours."""
    scale_bar: ScaleBar
    north: float
    """Direction of true north [degrees clockwise from up]."""


def draw_map(picture: MapPicture, parcels: gpd.GeoDataFrame) -> Map:
    """Place parcels, badges, scale bar and north on the picture."""
    rgb, years, transform = _reduce(picture)
    height, width = rgb.shape[:2]
    shapes = to_pixels(parcels.geometry, picture.crs, transform)
    frame = shapely.box(0, 0, width, height)
    colours = year_colours(years)
    return Map(
        image=_colour_years(rgb, years, colours),
        width=width,
        height=height,
        outlines=tuple(outline_path(s) if s.intersects(frame) else "" for s in shapes),
        badges=_badges(shapes, width, height),
        years=tuple(colours.items()),
        scale_bar=_scale_bar(picture.crs, transform, width, height),
        north=_north(picture.crs, transform, width, height),
    )


def to_pixels(shapes: gpd.GeoSeries, crs: str, transform: _Transform) -> list[BaseGeometry]:
    """Geometries in columns and rows of a picture, (0, 0) its upper left corner."""
    a, b, c, d, e, f = _inverse(transform)
    return list(shapes.to_crs(crs).affine_transform([a, b, d, e, c, f]))


def outline_path(shape: BaseGeometry) -> str:
    """SVG path of all rings of a geometry, to a hundredth of a pixel."""
    rings = [r for polygon in shapely.get_parts(shape) for r in (polygon.exterior, *polygon.interiors)]
    return "".join("M" + "L".join(f"{x:.2f} {y:.2f}" for x, y in list(ring.coords)[:-1]) + "Z" for ring in rings)


def ground_width(crs: str, transform: _Transform, width: int, height: int) -> float:
    """Width of a picture on the ground [m], through its middle."""
    to_degrees = Transformer.from_crs(crs, 4326, always_xy=True)
    left, right = _apply(transform, 0, height / 2), _apply(transform, width, height / 2)
    return float(Geod(ellps="WGS84").inv(*to_degrees.transform(*left), *to_degrees.transform(*right))[2])


def year_colours(years: NDArray[np.int16]) -> dict[int, str]:
    """A colour for each year present, spread over the palette so that two years are as far apart as can be."""
    present = [int(y) for y in np.unique(years) if y > 0]
    stops = np.array([_rgb(colour) for colour in YEAR_COLOURS])
    places = np.linspace(0, len(stops) - 1, max(len(present), 2))
    mixed = np.column_stack([np.interp(places, range(len(stops)), channel) for channel in stops.T]).round().astype(int)
    return {year: "#{:02x}{:02x}{:02x}".format(*colour) for year, colour in zip(present, mixed, strict=False)}


def _rgb(colour: str) -> list[int]:
    return [int(colour[i : i + 2], 16) for i in (1, 3, 5)]


def _reduce(picture: MapPicture) -> tuple[NDArray[np.uint8], NDArray[np.int16], _Transform]:
    """The picture, made smaller by a whole factor where it is large; a disturbed pixel is kept."""
    height, width = picture.rgb.shape[:2]
    factor = math.ceil(max(height, width) / LONGEST_SIDE)
    if factor == 1:
        return picture.rgb, picture.disturbed_year, picture.transform
    rows, columns = max(height // factor, 1), max(width // factor, 1)
    used = np.s_[: rows * factor, : columns * factor]
    rgb = picture.rgb[used].reshape(rows, factor, columns, factor, 3).mean(axis=(1, 3)).round().astype(np.uint8)
    years = picture.disturbed_year[used].reshape(rows, factor, columns, factor).max(axis=(1, 3))
    a, b, c, d, e, f = picture.transform
    return rgb, years, (a * factor, b * factor, c, d * factor, e * factor, f)


def _apply(transform: _Transform, x: float, y: float) -> tuple[float, float]:
    a, b, c, d, e, f = transform
    return a * x + b * y + c, d * x + e * y + f


def _inverse(transform: _Transform) -> _Transform:
    a, b, c, d, e, f = transform
    determinant = a * e - b * d
    ai, bi, di, ei = e / determinant, -b / determinant, -d / determinant, a / determinant
    return ai, bi, -(ai * c + bi * f), di, ei, -(di * c + ei * f)


def _colour_years(rgb: NDArray[np.uint8], years: NDArray[np.int16], colours: dict[int, str]) -> NDArray[np.uint8]:
    image = rgb.copy()
    for year, colour in colours.items():
        image[years == year] = _rgb(colour)
    return image


def _badges(shapes: Sequence[BaseGeometry], width: int, height: int) -> tuple[Badge, ...]:
    """A badge inside each parcel that is on the picture, moved apart where two would touch; none if they cannot fit."""
    frame = shapely.box(0, 0, width, height)
    rows = [row for row, shape in enumerate(shapes) if shape.intersects(frame)]
    if not 0 < len(rows) <= _MOST_BADGES:
        return ()
    points = [shapes[row].intersection(frame).representative_point() for row in rows]
    places = np.array([[p.x, p.y] for p in points]) * 100 / width
    top = 100 * height / width
    margin = _BADGE_GAP / 2
    for _ in range(200):
        moved = _push_apart(places)
        places = np.clip(places, margin, [100 - margin, max(top - margin, margin)])
        if not moved:
            break
    return tuple(
        Badge(row=row, x=round(float(x), 2), y=round(float(y) * 100 / top, 2))
        for row, (x, y) in zip(rows, places, strict=True)
    )


def _push_apart(places: NDArray[np.float64]) -> bool:
    """Move each pair that touches apart by half of what is lacking; whether any did."""
    moved = False
    for i in range(len(places)):
        for j in range(i + 1, len(places)):
            apart = places[j] - places[i]
            distance = float(np.hypot(*apart))
            if distance >= _BADGE_GAP:
                continue
            # Two on one spot part in a direction of their own, so that many do not line up.
            turn = 2.4 * j
            direction = apart / distance if distance > 1e-9 else np.array([math.cos(turn), math.sin(turn)])
            step = direction * (_BADGE_GAP - distance + 0.01) / 2
            places[i] -= step
            places[j] += step
            moved = True
    return moved


def _scale_bar(crs: str, transform: _Transform, width: int, height: int) -> ScaleBar:
    """The longest round length that takes at most a quarter of the width."""
    metres = ground_width(crs, transform, width, height)
    exponent = math.floor(math.log10(metres / 4))
    round_length = max(f * 10**exponent for f in (1, 2, 5) if f * 10**exponent <= metres / 4)
    return ScaleBar(metres=max(int(round_length), 1), width=round(100 * round_length / metres, 2))


def _north(crs: str, transform: _Transform, width: int, height: int) -> float:
    to_degrees = Transformer.from_crs(crs, 4326, always_xy=True)
    from_degrees = Transformer.from_crs(4326, CRS(crs), always_xy=True)
    middle = (width / 2, height / 2)
    longitude, latitude = to_degrees.transform(*_apply(transform, *middle))
    column, row = _apply(_inverse(transform), *from_degrees.transform(longitude, latitude + 1e-4))
    return round(math.degrees(math.atan2(column - middle[0], middle[1] - row)), 1)
