"""Our evalscripts (V3): JavaScript that the service runs on every pixel.

They hold names of bands, formulas and classes, nothing of a parcel, a loan or a borrower.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from geocollateral.errors import InvalidInput

CHECK_MODULUS = 65521
"""The largest prime below 2 ** 16."""
OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow, ast.USub, ast.UAdd)


def bands_script(bands: Sequence[str], *, sample_type: str, units: str | None) -> str:
    """Raw numbers of bands, then ``dataMask``, then a check sum of the pixel; one output.

    The check sum lets the reader see a picture that was damaged on its way or decoded in a wrong way, whatever the
    service's compression. It costs no processing units, which count what goes in.

    Parameters
    ----------
    bands
        Names of the service, such as ``B04``.
    sample_type
        ``UINT16`` or ``FLOAT32``.
    units
        Of all bands, such as ``DN``; None for the service's own choice (linear power for radar).
    """
    names = [*bands, "dataMask"]
    source: dict[str, object] = {"bands": names} | ({"units": units} if units else {})
    setup = {
        "input": [source],
        "output": {"id": "default", "bands": len(names) + 1, "sampleType": sample_type},
        "mosaicking": "SIMPLE",
    }
    # What the output's type will make of a number, made here already, so that the sum is of what is sent.
    sent = "Math.fround(v)" if sample_type == "FLOAT32" else "Math.min(Math.max(Math.round(v), 0), 65535)"
    total = "c" if sample_type == "FLOAT32" else f"c % {CHECK_MODULUS}"
    evaluate = f"""function evaluatePixel(s) {{
  const out = [{", ".join(f"s.{name}" for name in names)}].map(v => s.dataMask === 1 && isFinite(v) ? {sent} : 0);
  let c = 1;
  for (let i = 0; i < out.length; i++) c += (i + 1) * out[i];
  return out.concat([{total}]);
}}"""
    return _script(setup, evaluate)


def check_sums(planes: NDArray[np.generic]) -> NDArray[np.generic]:
    """What the script's check sum must be.

    Parameters
    ----------
    planes
        Shape (band, y, x): the bands and ``dataMask`` in order, uint16 or float32.
    """
    total = np.ones(planes.shape[1:], np.float64)
    for n, plane in enumerate(planes):
        total += (n + 1) * plane.astype(np.float64)
    return np.asarray((total if planes.dtype.kind == "f" else total % CHECK_MODULUS).astype(planes.dtype))


def statistics_script(
    formulas: Mapping[str, str], names: Mapping[str, str], clear_classes: Sequence[int] | None
) -> str:
    """Indices of each pixel seen clearly, one output each, and the mask that says which pixels count.

    Parameters
    ----------
    formulas
        Arithmetic in our band names, by the name of its index.
    names
        Our band name to that of the service.
    clear_classes
        Scene classes that count as a clear look; None leaves the classification out.

    Raises
    ------
    InvalidInput
        A formula is more than arithmetic in known bands.
    """
    used = sorted({band for formula in formulas.values() for band in bands_of_formula(formula)})
    unknown = sorted(set(used) - set(names))
    if unknown:
        raise InvalidInput(f"Statistics know no band {', '.join(unknown)}; known: {', '.join(sorted(names))}.")
    bands = [names[band] for band in used]
    units = ["REFLECTANCE"] * len(bands)
    if clear_classes is not None:
        bands, units = [*bands, "SCL"], [*units, "DN"]
    outputs = [{"id": index, "bands": 1, "sampleType": "FLOAT32"} for index in formulas]
    setup = {
        "input": [{"bands": [*bands, "dataMask"], "units": [*units, "DN"]}],
        "output": [*outputs, {"id": "dataMask", "bands": 1}],
        "mosaicking": "SIMPLE",
    }
    lines = [f"  const {band} = s.{names[band]};" for band in used]
    lines += [f"  const i{n} = {_javascript(formula)};" for n, formula in enumerate(formulas.values())]
    seen = ["s.dataMask === 1", *(f"isFinite(i{n})" for n in range(len(formulas)))]
    if clear_classes is not None:
        seen.append(f"{json.dumps(sorted(clear_classes))}.indexOf(s.SCL) >= 0")
    lines.append(f"  const seen = {' && '.join(seen)};")
    given = [f"{json.dumps(index)}: [seen ? i{n} : 0]" for n, index in enumerate(formulas)]
    lines.append(f"  return {{{', '.join(given)}, dataMask: [seen ? 1 : 0]}};")
    return _script(setup, "function evaluatePixel(s) {\n" + "\n".join(lines) + "\n}")


def bands_of_formula(formula: str) -> tuple[str, ...]:
    """Band names in a formula, sorted."""
    return tuple(sorted({node.id for node in ast.walk(_parse(formula)) if isinstance(node, ast.Name)}))


def _javascript(formula: str) -> str:
    # JavaScript refuses -a ** b, so every operation gets its brackets.
    def text(node: ast.expr) -> str:
        match node:
            case ast.Constant():
                return repr(float(node.value))  # type: ignore[arg-type]
            case ast.Name():
                return node.id
            case ast.UnaryOp():
                return f"({'-' if isinstance(node.op, ast.USub) else '+'}{text(node.operand)})"
            case ast.BinOp(op=ast.Pow()):
                return f"Math.pow({text(node.left)}, {text(node.right)})"
            case ast.BinOp():
                sign = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}[type(node.op)]
                return f"({text(node.left)} {sign} {text(node.right)})"
        raise InvalidInput(f"Formula {formula!r} holds more than arithmetic.")

    return text(_parse(formula).body)


def _parse(formula: str) -> ast.Expression:
    try:
        tree = ast.parse(formula, mode="eval")
    except SyntaxError as error:
        raise InvalidInput(f"Formula {formula!r} is no arithmetic: {error.msg}.") from error
    for node in ast.walk(tree):
        number = isinstance(node, ast.Constant) and type(node.value) in (int, float)
        shape = isinstance(node, ast.Expression | ast.BinOp | ast.UnaryOp | ast.Name | ast.Load)
        if not (number or shape or isinstance(node, OPERATORS)):
            raise InvalidInput(f"Formula {formula!r} holds more than arithmetic in bands: {type(node).__name__}.")
    return tree


def _script(setup: Mapping[str, object], evaluate: str) -> str:
    return f"//VERSION=3\nfunction setup() {{\n  return {json.dumps(setup, sort_keys=True)};\n}}\n{evaluate}\n"
