"""What the variables of a cube say of themselves: their band, and how digital numbers become physical values.

Nothing is guessed. A variable that does not say how to reach reflectance or backscatter power is refused with the name
of the attribute or option that would say it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from geocollateral.errors import InvalidInput
from geocollateral.types import BANDS, RADAR_BANDS, SENTINEL1_BANDS, SENTINEL2_BANDS

BackscatterUnits = Literal["linear", "dB"]

BAND_OF_NAME: Mapping[str, str] = {
    **{band: band for band in BANDS},
    **{name.lower(): band for name, band in SENTINEL2_BANDS.items()},
    **{name.lower().replace("b0", "b"): band for name, band in SENTINEL2_BANDS.items()},
    **{name.lower(): band for name, band in SENTINEL1_BANDS.items()},
}
"""Lower-case variable name to band: common names, ``B04``, ``B4``, ``B8A``, ``SCL``, ``VV``, ``VH``."""

UNITLESS = frozenset({"1", "reflectance"})
LINEAR_UNITS = frozenset({"1", "linear", "linear power", "power", "m2 m-2", "m2/m2"})
DECIBEL_UNITS = frozenset({"db", "decibel", "decibels"})


@dataclass(frozen=True, kw_only=True)
class BandVariable:
    """A variable of a cube that holds a band, and how to read it: ``value = DN * scale + offset``."""

    band: str
    variable: str
    dtype: np.dtype[np.generic]
    """Type handed out: the file's own, in native byte order, unsigned where ``_Unsigned`` says so."""
    scale: float
    offset: float
    nodata: float
    """Digital number that means "no data"; NaN where floats declare none."""
    units: Literal["1", "dB"]
    """Units of ``value``: unitless reflectance, linear power or class; or dB, to be turned into power by the reader."""


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """What the user says of the digital numbers where the file does not."""

    scale: float | None = None
    offset: float | None = None
    backscatter: BackscatterUnits | None = None

    def __post_init__(self) -> None:
        if self.scale is None and self.offset is not None:
            raise InvalidInput(f"offset={self.offset:g} was given without scale: reflectance = DN * scale + offset.")
        if self.scale is not None:
            _require_plausible(self.scale, self.offset or 0.0, "options")


def _band_of(name: str) -> str | None:
    """Band a variable's name stands for: the name itself, or a Sentinel name after the product's (``S2-L2A-B04``)."""
    whole = BAND_OF_NAME.get(name.lower())
    if whole is not None:
        return whole
    product, _, last = name.lower().rpartition("-")
    return BAND_OF_NAME.get(last) if product.startswith(("s1", "s2")) else None


def find_bands(names: Iterable[str]) -> dict[str, str]:
    """Variable of each band, in the order of `BANDS`.

    Raises
    ------
    InvalidInput
        Two variables are the same band (such as ``B04`` and ``red``).
    """
    found: dict[str, str] = {}
    for name in names:
        band = _band_of(name)
        if band is None:
            continue
        if band in found:
            raise InvalidInput(
                f"Variables {found[band]!r} and {name!r} are both band {band!r}; keep one of them in the cube."
            )
        found[band] = name
    return {band: found[band] for band in BANDS if band in found}


def describe_variable(
    band: str,
    variable: str,
    dtype: np.dtype[np.generic],
    attrs: Mapping[str, object],
    declaration: Declaration,
) -> BandVariable:
    """How to read one variable, from its CF attributes and what the user declared.

    Raises
    ------
    InvalidInput
        The variable does not say enough, or what it says and what the user says differ.
    """
    if str(attrs.get("_Unsigned", "")).lower() == "true" and dtype.kind == "i":
        dtype = np.dtype(f"u{dtype.itemsize}")
    dtype = dtype.newbyteorder("=")
    if dtype.kind not in "iuf":
        raise InvalidInput(f"Variable {variable!r} must hold numbers, got {dtype}.")
    units: Literal["1", "dB"] = "1"
    if band == "scl":
        scale, offset = _scl_scale(variable, dtype, attrs)
    elif band in RADAR_BANDS:
        units = _backscatter_units(variable, attrs, declaration.backscatter)
        scale, offset = _backscatter_scale(variable, dtype, attrs)
    else:
        scale, offset = _reflectance_scale(variable, dtype, attrs, declaration)
    return BandVariable(
        band=band,
        variable=variable,
        dtype=dtype,
        scale=scale,
        offset=offset,
        nodata=_nodata(band, variable, dtype, attrs),
        units=units,
    )


def _reflectance_scale(
    variable: str, dtype: np.dtype[np.generic], attrs: Mapping[str, object], declaration: Declaration
) -> tuple[float, float]:
    # 1. CF attributes, 2. the user's options where the file is silent, 3. floats whose units are "1", 4. refuse.
    # Attributes and options that differ are refused: one of them is wrong, and we cannot know which.
    stated = _cf_scale(variable, attrs)
    given = None if declaration.scale is None else (declaration.scale, declaration.offset or 0.0)
    if stated and given and not np.allclose(stated, given, rtol=1e-6, atol=1e-12):
        raise InvalidInput(
            f"Variable {variable!r} declares scale_factor={stated[0]:g}, add_offset={stated[1]:g}, but the options say "
            f"scale={given[0]:g}, offset={given[1]:g}. Drop the options, or mend the attributes of the file."
        )
    if stated:
        _require_plausible(*stated, f"variable {variable!r}")
        return stated
    if given:
        return given
    if dtype.kind == "f" and _units(attrs) in UNITLESS:
        return 1.0, 0.0
    raise InvalidInput(
        f"Variable {variable!r} ({dtype}) does not say how to reach reflectance, and it is never guessed. Expected CF "
        f"attributes scale_factor and add_offset, or the options --scale and --offset (Sentinel-2 L2A: 0.0001 and 0, "
        f"or 0.0001 and -0.1 from processing baseline 04.00 on), or for floating-point reflectance units='1' or "
        f"--scale 1; got attributes {sorted(attrs) or 'none'}."
    )


def _scl_scale(variable: str, dtype: np.dtype[np.generic], attrs: Mapping[str, object]) -> tuple[float, float]:
    if dtype.kind == "f":
        raise InvalidInput(
            f"Variable {variable!r} holds scene classes and must be an integer, got {dtype}. Write it as uint8 with "
            f"0 where there is no data."
        )
    stated = _cf_scale(variable, attrs)
    if stated and stated != (1.0, 0.0):
        raise InvalidInput(
            f"Variable {variable!r} holds scene classes and cannot be scaled, got scale_factor={stated[0]}."
        )
    return 1.0, 0.0


def _backscatter_units(
    variable: str, attrs: Mapping[str, object], given: BackscatterUnits | None
) -> Literal["1", "dB"]:
    said = _units(attrs)
    stated: Literal["1", "dB"] | None = "1" if said in LINEAR_UNITS else "dB" if said in DECIBEL_UNITS else None
    option: Literal["1", "dB"] | None = None if given is None else "dB" if given == "dB" else "1"
    if stated and option and stated != option:
        raise InvalidInput(f"Variable {variable!r} has units={said!r}, but the option says backscatter={given}.")
    units = stated or option
    if units is None:
        raise InvalidInput(
            f"Variable {variable!r} does not say whether backscatter is linear power or dB. Expected units='1' or "
            f"units='dB', or the option --backscatter linear / dB; got units={attrs.get('units')!r}."
        )
    return units


def _backscatter_scale(variable: str, dtype: np.dtype[np.generic], attrs: Mapping[str, object]) -> tuple[float, float]:
    stated = _cf_scale(variable, attrs)
    if stated:
        return stated
    if dtype.kind == "f":
        return 1.0, 0.0
    raise InvalidInput(
        f"Variable {variable!r} ({dtype}) holds integers without scale_factor. Expected CF attributes scale_factor and "
        f"add_offset that lead to linear power or dB, or floats."
    )


def _cf_scale(variable: str, attrs: Mapping[str, object]) -> tuple[float, float] | None:
    if "scale_factor" not in attrs:
        if "add_offset" in attrs:
            raise InvalidInput(f"Variable {variable!r} declares add_offset without scale_factor; declare both.")
        return None
    scale, offset = _number(variable, attrs, "scale_factor"), _number(variable, attrs, "add_offset", 0.0)
    if not (math.isfinite(scale) and math.isfinite(offset) and scale != 0):
        raise InvalidInput(f"Variable {variable!r} declares scale_factor={scale}, add_offset={offset}: not usable.")
    return scale, offset


def _require_plausible(scale: float, offset: float, where: str) -> None:
    if not 0 < scale <= 1 or not -1 <= offset <= 1:
        raise InvalidInput(
            f"The {where} say scale={scale:g}, offset={offset:g}; expected 0 < scale <= 1 and -1 <= offset <= 1, since "
            f"reflectance = DN * scale + offset (a Sentinel-2 BOA_ADD_OFFSET of -1000 is an offset of -0.1)."
        )


def _nodata(band: str, variable: str, dtype: np.dtype[np.generic], attrs: Mapping[str, object]) -> float:
    """Digital number of "no data": declared; else NaN for floats, 0 for optical integers, which Sentinel-2 reserves."""
    for name in ("_FillValue", "missing_value"):
        if name in attrs:
            value = _number(variable, attrs, name)
            if dtype.kind == "f":
                return value
            if not float(value).is_integer():
                raise InvalidInput(f"Variable {variable!r} ({dtype}) declares {name}={value}, not a value of its type.")
            bits = 8 * dtype.itemsize
            return float(int(value) % 2**bits) if dtype.kind == "u" and value < 0 else float(value)
    if dtype.kind == "f":
        return math.nan
    if band in RADAR_BANDS:
        raise InvalidInput(f"Variable {variable!r} ({dtype}) must declare _FillValue: 0 can be a true value of it.")
    return 0.0


def _units(attrs: Mapping[str, object]) -> str:
    return str(attrs.get("units", "")).strip().lower()


def _number(variable: str, attrs: Mapping[str, object], name: str, default: float | None = None) -> float:
    value = attrs.get(name, default)
    try:
        numbers = np.ravel(np.asarray(value, dtype=np.float64))
    except (TypeError, ValueError) as exc:
        raise InvalidInput(f"Variable {variable!r} declares {name}={value!r}; expected one number.") from exc
    if numbers.size != 1:
        raise InvalidInput(f"Variable {variable!r} declares {name}={value!r}; expected one number.")
    return float(numbers[0])
