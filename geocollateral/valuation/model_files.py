"""A fitted value model as files that any text editor can read and no program can run.

``model.json`` holds numbers, names and the SHA-256 of every other file; boosters are LightGBM's own text; arrays are
NPZ without objects. Whatever differs from its SHA-256 is not loaded, nor what is not a model text as LightGBM writes it
(`booster_text`); and LightGBM meets a text that nobody vouched for in a process of its own first (`model_trial`).
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from geocollateral.errors import BrokenData, MissingInput
from geocollateral.valuation.booster_text import check_booster_text
from geocollateral.valuation.domain import Domain, NumberScale
from geocollateral.valuation.expected_numbers import Expectation
from geocollateral.valuation.folds import Folds
from geocollateral.valuation.hedonic import Design, Hedonic, KindTerm, NumberTerm
from geocollateral.valuation.intervals import Interval
from geocollateral.valuation.market_time import PriceLevel
from geocollateral.valuation.model_trial import require_loadable
from geocollateral.valuation.nearby import Kriging, Nearby, Sizes
from geocollateral.valuation.value_model import Correction, Encoder, Members, ValueModel, ValueModelParams

FORMAT = 4
_INTERVAL = ("constant", "low", "high", "deviation", "margin", "forward", "last_month", "drift")
_NEARBY = ("xy", "residual", "paid")
_BOOSTERS = ("absolute", "squared", "corrected")


def save_model(model: ValueModel, folder: Path) -> str:
    """Write a model into a new folder and return the SHA-256 of its ``model.json``, by which it is known."""
    folder.mkdir(parents=True)
    files = {f"{name}.txt": _text(booster) for name, booster in zip(_BOOSTERS, model.members.boosters, strict=True)}
    for n, one in enumerate(model.domain.expected):
        files |= {f"expected_{n}.txt": _text(one.middle), f"expected_{n}_spread.txt": _text(one.spread)}
    if model.interval.spread is not None:
        files["spread.txt"] = _text(model.interval.spread)
    files["arrays.npz"] = _pack(_arrays(model))
    for name, data in files.items():
        (folder / name).write_bytes(data)
    text = json.dumps(
        {**_numbers(model), "files": {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}},
        indent=1,
        sort_keys=True,
        ensure_ascii=False,
    )
    (folder / "model.json").write_text(text, encoding="utf-8")
    return hashlib.sha256(text.encode()).hexdigest()


def _text(booster: lgb.Booster) -> bytes:
    return booster.model_to_string().encode()


def load_model(folder: Path, expected: str | None = None) -> ValueModel:
    """Read a model.

    Parameters
    ----------
    expected
        SHA-256 of ``model.json`` that was approved; None: not checked, and LightGBM tries the model in a process of its
        own first.

    Raises
    ------
    MissingInput
        There is no model in the folder.
    BrokenData
        A file differs from its SHA-256, is missing, or is of another format.
    """
    home = folder / "model.json"
    if not home.is_file():
        raise MissingInput(f"{folder} holds no model: expected a file model.json, as `geocollateral train` writes.")
    text = home.read_bytes()
    if expected is not None and hashlib.sha256(text).hexdigest() != expected:
        raise BrokenData(f"{home} is not the model that was approved: its SHA-256 differs.")
    try:
        said = json.loads(text)
        if said["format"] != FORMAT:
            raise BrokenData(f"{home}: expected format {FORMAT}, found {said['format']}.")
        files = {name: (folder / name).read_bytes() for name in said["files"] if name == Path(name).name}
        for name, digest in said["files"].items():
            if hashlib.sha256(files[name]).hexdigest() != digest:
                raise BrokenData(f"{folder / name} differs from the SHA-256 in model.json; it was not loaded.")
        texts = {name: data for name, data in files.items() if name.endswith(".txt")}
        _require_schema(said, texts)
        if expected is None:
            require_loadable(texts)
        return _built(said, files)
    except _UNUSABLE as error:
        raise BrokenData(f"{folder} holds no usable model: {error}") from error


_UNUSABLE = (
    *(
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        OSError,
        EOFError,
        MemoryError,
        RecursionError,
        OverflowError,
    ),
    *(zipfile.BadZipFile, zlib.error, lgb.basic.LightGBMError),
)
"""What files that are no model make the readers of JSON, NPZ and text raise."""


def _require_schema(said: Mapping[str, Any], texts: Mapping[str, bytes]) -> None:
    """The texts are model texts, and have the columns and kinds that ``model.json`` names."""
    shapes = {name: check_booster_text(text, name=name) for name, text in texts.items()}
    names, kinds = list(said["encoder"]["names"]), said["encoder"]["kinds"]
    known = len(names)
    for name, shape in shapes.items():
        # Behind the features come the place and its diagonals, and what other learners told: numbers all of them.
        codes = {n for n in range(known) if names[n] in kinds and n not in shape.unused}
        if shape.n_features < known or set(shape.categorical) != codes:
            raise BrokenData(f"{name}: its features are not those of model.json.")
    if len({shapes[f"{name}.txt"].n_features for name in _BOOSTERS[:2]}) > 1:
        raise BrokenData("absolute.txt and squared.txt have different numbers of features.")


def _numbers(model: ValueModel) -> dict[str, Any]:
    domain, interval, nearby = model.domain, model.interval, model.members.nearby
    return {
        "format": FORMAT,
        "params": model.params.model_dump(mode="json"),
        "encoder": {"names": model.members.encoder.names, "kinds": dict(model.members.encoder.kinds)},
        "design": asdict(model.members.linear.design),
        "middle": model.members.linear.middle,
        "correction": None if model.correction is None else asdict(model.correction),
        "mix": {"middle": model.middle, "stretch": model.stretch},
        "interval": {n: getattr(interval, n) for n in _INTERVAL},
        "domain": {
            "numbers": [asdict(number) for number in domain.numbers],
            "kinds": {name: sorted(kinds) for name, kinds in domain.kinds.items()},
            "weight": dict(domain.weight),
            **{n: getattr(domain, n) for n in ("least_known", "alike_bound", "reach", "place_bound", "first", "last")},
            "expected": [{n: getattr(one, n) for n in ("column", "constant", "bound")} for one in domain.expected],
        },
        "nearby": None if nearby is None else {"sizes": asdict(nearby.sizes), "kriging": asdict(nearby.kriging)},
        "folds": {"kind": model.folds.kind, "wasserstein": model.folds.wasserstein},
        "importance": dict(model.importance),
    }


def _arrays(model: ValueModel) -> dict[str, NDArray[Any]]:
    domain, members = model.domain, model.members
    named = {
        "weights": model.weights,
        "slopes": members.linear.slopes,
        "means": members.linear.means,
        "level_months": model.level.months,
        "level": model.level.level,
        "fold": model.folds.fold,
        "out_of_fold": model.out_of_fold,
        **{n: getattr(domain, n) for n in ("precision", "fit_bound", "reference", "dimensions", "dimension_weight")},
    }
    if domain.places is not None:
        named["places"] = domain.places
    if members.nearby is not None:
        named |= {f"nearby_{n}": getattr(members.nearby, n) for n in _NEARBY}
    return named


def _pack(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, allow_pickle=False, **dict(sorted(arrays.items())))
    return stream.getvalue()


def _built(said: Mapping[str, Any], files: Mapping[str, bytes]) -> ValueModel:
    with zipfile.ZipFile(io.BytesIO(files["arrays.npz"])) as packed:
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in packed.infolist()):
            raise BrokenData("arrays.npz is packed; arrays of a model are stored as they are.")
    with np.load(io.BytesIO(files["arrays.npz"]), allow_pickle=False) as packed:
        arrays = {name: packed[name] for name in packed.files}
    design, domain = said["design"], said["domain"]
    nearby = None if said["nearby"] is None else _nearby(said, arrays)
    linear = Design(
        numbers=tuple(NumberTerm(**term) for term in design["numbers"]),
        kinds=tuple(KindTerm(name=term["name"], kinds=tuple(term["kinds"])) for term in design["kinds"]),
        place=None if design["place"] is None else tuple(design["place"]),
    )
    boosters = [lgb.Booster(model_str=files[f"{name}.txt"].decode()) for name in _BOOSTERS]
    spread = lgb.Booster(model_str=files["spread.txt"].decode()) if "spread.txt" in files else None
    return ValueModel(
        members=Members(
            encoder=Encoder(
                names=tuple(said["encoder"]["names"]),
                kinds={name: tuple(kinds) for name, kinds in said["encoder"]["kinds"].items()},
            ),
            linear=Hedonic(design=linear, middle=said["middle"], slopes=arrays["slopes"], means=arrays["means"]),
            nearby=nearby,
            boosters=tuple(boosters),
        ),
        weights=arrays["weights"],
        **said["mix"],
        level=PriceLevel(months=arrays["level_months"], level=arrays["level"], drift=said["interval"]["drift"]),
        interval=Interval(spread=spread, **said["interval"]),
        domain=Domain(
            numbers=tuple(NumberScale(**number) for number in domain["numbers"]),
            kinds={name: frozenset(kinds) for name, kinds in domain["kinds"].items()},
            weight=domain["weight"],
            places=arrays.get("places"),
            **{n: domain[n] for n in ("least_known", "alike_bound", "reach", "place_bound", "first", "last")},
            expected=tuple(
                Expectation(
                    **numbers,
                    middle=lgb.Booster(model_str=files[f"expected_{n}.txt"].decode()),
                    spread=lgb.Booster(model_str=files[f"expected_{n}_spread.txt"].decode()),
                )
                for n, numbers in enumerate(domain["expected"])
            ),
            **{n: arrays[n] for n in ("precision", "fit_bound", "reference", "dimensions", "dimension_weight")},
        ),
        folds=Folds(fold=arrays["fold"], **said["folds"]),
        out_of_fold=arrays["out_of_fold"],
        importance=said["importance"],
        params=ValueModelParams(**said["params"]),
        correction=None if said["correction"] is None else Correction(**said["correction"]),
    )


def _nearby(said: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Nearby:
    sizes, kriging = Sizes(**said["nearby"]["sizes"]), Kriging(**said["nearby"]["kriging"])
    xy, residual, paid = (arrays[f"nearby_{n}"] for n in _NEARBY)
    numbers = [name for name in said["encoder"]["names"] if name not in said["encoder"]["kinds"]]
    if sizes.name is not None and sizes.name not in numbers:
        raise BrokenData(f"model.json: the area {sizes.name!r} is no number among its features.")
    if not (
        0 < kriging.nugget <= 1 and kriging.reach > 0 and xy.shape == (len(paid), 2) and len(residual) == len(paid)
    ):
        raise BrokenData("the sales nearby in model.json and arrays.npz do not fit together.")
    return Nearby(xy=xy, residual=residual, paid=paid, sizes=sizes, kriging=kriging)


__all__ = ["load_model", "save_model"]
