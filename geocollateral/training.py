"""The use case `train`: from a table of sales to a value model whose error is known, and the proof of it."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geocollateral.errors import InvalidInput, MissingInput
from geocollateral.valuation.baselines import baselines_of
from geocollateral.valuation.folds import held_out_blocks, units_of
from geocollateral.valuation.later_sales import plane_of, recipes_of, window_of
from geocollateral.valuation.model_files import save_model
from geocollateral.valuation.model_seal import write_manifest
from geocollateral.valuation.ratio_study import ratio_study
from geocollateral.valuation.sales import SalesTable, moment_of, understand_sales
from geocollateral.valuation.value_model import LEARNERS, ValueModel, ValueModelParams, fit_value_model

Mask = NDArray[np.bool_]
HELD_OUT = 0.2
"""Share of the sales held out where the user names no date."""
MIN_HELD_OUT = 20
MIN_GROUP = 100
"""Fewest held-out sales of a place whose intervals are counted apart."""
DISCLAIMER = "Supporting tool, not a valuation: a valuer stays in charge of every value used for lending."


@dataclass(frozen=True, kw_only=True)
class Training:
    """What a training run found."""

    table: SalesTable
    model: ValueModel
    learned: Mask
    tested: Mask
    protocol: str
    predictions: pd.DataFrame
    study: Mapping[str, Any]
    """Content of ``ratio_study.json``."""
    asked: Mapping[str, Any]
    """What `train` was asked: names of columns, and where the test begins."""


def read_sales(path: Path) -> pd.DataFrame:
    """A table from CSV, Parquet or GeoPackage; of a GeoPackage the middle of each geometry becomes ``x`` and ``y``.

    Raises
    ------
    MissingInput
        There is no such file.
    InvalidInput
        The file is no table, or of another kind.
    """
    if not path.is_file():
        raise MissingInput(f"{path}: no such file.")
    kind = path.suffix.lower()
    try:
        if kind == ".parquet":
            return pd.read_parquet(path)
        if kind == ".gpkg":
            return _from_geopackage(path)
        if kind in (".csv", ".txt", ".tsv"):
            return _from_csv(path, "\t" if kind == ".tsv" else ",")
    except (ValueError, OSError, UnicodeDecodeError, pd.errors.ParserError) as error:
        raise InvalidInput(f"{path.name}: expected a table; it could not be read: {error}") from error
    raise InvalidInput(f"{path.name}: expected a file .csv, .tsv, .parquet or .gpkg.")


def _from_csv(path: Path, separator: str) -> pd.DataFrame:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            head = path.read_bytes()[:20_000].decode(encoding, errors="strict" if encoding == "gb18030" else "ignore")
            first = head.split("\n", 1)[0]
            mark = ";" if first.count(";") > first.count(separator) else separator
            return pd.read_csv(path, encoding=encoding, sep=mark, low_memory=False)
        except UnicodeDecodeError:
            continue
    raise InvalidInput(f"{path.name}: expected UTF-8 or GB18030 text; it is neither.")


def _from_geopackage(path: Path) -> pd.DataFrame:
    import geopandas as gpd

    frame = gpd.read_file(path, engine="pyogrio")
    if "geometry" not in frame:
        return pd.DataFrame(frame)
    shapes = frame.geometry
    if shapes.crs is not None and not shapes.crs.is_geographic:
        shapes = shapes.to_crs("EPSG:4326")
    point = shapes.representative_point()
    table = pd.DataFrame(frame.drop(columns="geometry"))
    return table.assign(**{_free("x", table): point.x.to_numpy(), _free("y", table): point.y.to_numpy()})


def _free(name: str, table: pd.DataFrame) -> str:
    while name in table:
        name = f"geometry_{name}"
    return name


def train(
    rows: pd.DataFrame,
    *,
    target: str,
    date: str | None = None,
    coords: tuple[str, str] | None = None,
    group: str | None = None,
    holdout_from: str | None = None,
    threads: int = 1,
    effort: float = 1.0,
) -> Training:
    """Learn from a part of the sales and judge on the rest, which nothing was learned from or calibrated on.

    Held out are the sales from `holdout_from` on; without it the last fifth by date; without dates, places (blocks of a
    fifth of the sales); without either, a fifth at random. Rows of one group are never on both sides where no date
    parts them.

    Raises
    ------
    InvalidInput
        Too few sales before or after the date.
    """
    params = ValueModelParams(threads=threads, effort=effort)
    table = understand_sales(rows, target=target, date=date, coords=coords, group=group)
    test, protocol = _held_out(table, holdout_from, params.seed)
    learn = table.usable & ~test
    if learn.sum() < 60 or test.sum() < MIN_HELD_OUT:
        raise InvalidInput(
            f"{int(learn.sum())} sales to learn from and {int(test.sum())} to judge on ({protocol}); at least 60 and "
            f"{MIN_HELD_OUT} are needed. Choose another --holdout-from or add sales."
        )
    model = fit_value_model(
        table.features[learn],
        _of(table.xy, learn),
        _of(table.months, learn),
        _of(table.group, learn),
        table.price[learn],
        params,
        where=_of(table.xy, test),
    )
    told = model.predict(table.features[test], _of(table.xy, test), _of(table.months, test))
    predictions = _predictions(table, test, told)
    study = _study(table, model, learn, test, told, protocol)
    return Training(
        table=table,
        model=model,
        learned=learn,
        tested=test,
        protocol=protocol,
        predictions=predictions,
        study=study,
        asked={"target": target, "date": date, "coords": coords, "group": group, "holdout_from": holdout_from},
    )


_OURS = frozenset({"model", "ratio_study.json", "predictions.parquet", "card.md"})


def write_training(training: Training, folder: Path, *, overwrite: bool = False) -> None:
    """Write ``model/``, ``ratio_study.json``, ``predictions.parquet`` and ``card.md`` into a new folder.

    All of it or nothing: the folder has its name only when it is complete.

    Raises
    ------
    InvalidInput
        The folder is there already and may not be overwritten, or holds anything that train did not write.
    """
    there = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    if folder.exists() and not folder.is_dir():
        raise InvalidInput(f"{folder} is a file; --out names a folder.")
    if there and not (overwrite and "ratio_study.json" in there and there <= _OURS):
        held = ", ".join(sorted(there)[:5])
        raise InvalidInput(
            f"{folder} exists and holds {held}. Give another --out, or --overwrite for a folder that holds nothing but "
            "what train wrote."
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.partial-", dir=folder.parent))
    try:
        digest = save_model(training.model, partial / "model")
        training.predictions.to_parquet(partial / "predictions.parquet", index=False)
        study = {**training.study, "model_sha256": digest}
        (partial / "ratio_study.json").write_text(json.dumps(study, indent=1, ensure_ascii=False), encoding="utf-8")
        (partial / "card.md").write_text(card(training, digest), encoding="utf-8")
        proof = {name: (partial / name).read_bytes() for name in sorted(_OURS - {"model"})}
        write_manifest(partial / "model", training_record(training), proof)
        partial.chmod(0o755)
        if folder.exists():
            shutil.rmtree(folder)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def training_record(training: Training) -> dict[str, Any]:
    """What later users of the model must know of its training, as JSON values; see `later_sales`."""
    table, asked = training.table, training.asked
    return {
        **asked,
        "coords": None if asked["coords"] is None else list(asked["coords"]),
        "plane": None if asked["coords"] is None else plane_of(table.rows, asked["coords"]),
        "features": recipes_of(table.rows, training.model.members.encoder.names, training.model.members.encoder.kinds),
        "window": window_of(table, training.learned),
        "held_out": window_of(table, training.tested),
        "n_learned": int(training.learned.sum()),
        "n_held_out": int(training.tested.sum()),
        "protocol": training.protocol,
        "params": training.model.params.model_dump(mode="json"),
    }


def in_brief(training: Training) -> list[str]:
    """What to read first, a line each."""
    study = training.study
    told = f"{study['n_held_out']} others ({study['protocol']}); {study['n_refused']} refused."
    lines = [f"Learned from {study['n_learned']} sales, judged on {told}"]
    whole = study["study"]
    if whole is not None:
        lines.append(
            f"Median error {whole['mdape']:.1%}, COD {whole['cod']['value']:.1f}, PRD {whole['prd']['value']:.3f}, "
            f"median ratio {whole['median_ratio']['value']:.3f}; the {study['interval']['level']:.0%} interval held "
            f"{study['interval']['coverage']:.1%} of prices."
        )
    lost = [name for name, row in study["baselines"].items() if not row["beaten"]]
    lines.append(f"Not beaten: {', '.join(lost)}." if lost else "Every baseline is beaten in median error and COD.")
    return [*lines, DISCLAIMER]


def _held_out(table: SalesTable, holdout_from: str | None, seed: int) -> tuple[Mask, str]:
    usable = table.usable
    if holdout_from is not None:
        if table.months is None:
            raise InvalidInput("--holdout-from needs --date: the column that holds the days of sale.")
        return usable & (table.months >= moment_of(holdout_from, table)), f"sales from {holdout_from} on"
    if table.months is not None:
        known = table.months[usable]
        cut = float(np.quantile(known, 1 - HELD_OUT))
        if np.mean(known >= cut) <= 0.5:
            return usable & (table.months >= cut), f"the last sales ({np.mean(known >= cut):.0%})"
    units = units_of(len(table.price), table.group, table.xy)
    where = "places" if table.xy is not None else "rows" if table.group is None else "groups"
    return usable & held_out_blocks(units, table.xy, HELD_OUT, seed), f"{where} held out (a fifth of the sales)"


def _predictions(table: SalesTable, test: Mask, told: pd.DataFrame) -> pd.DataFrame:
    """Held-out rows; the table's own columns keep their names, ``input_`` before those that ours take."""
    position = np.flatnonzero(test)
    own = pd.DataFrame(
        {
            "row_id": position,
            "date": table.days[test] if table.days is not None else _of(table.months, test),
            "price": table.price[test],
            "p05": told["p05"].to_numpy(),
            "p50": told["p50"].to_numpy(),
            "p95": told["p95"].to_numpy(),
            "refused": told["refused"].to_numpy(bool),
            "reason": told["reason"].to_numpy(object),
        }
    )
    given = table.rows.iloc[position].reset_index(drop=True)
    for name in (name for name in given.columns if pd.api.types.is_object_dtype(given[name])):
        if pd.api.types.infer_dtype(given[name], skipna=True).startswith("mixed"):  # Parquet has one type per column
            given[name] = given[name].map(str, na_action="ignore")
    given.columns = [f"input_{name}" if str(name) in own else str(name) for name in given.columns]
    return pd.concat([own, given], axis=1)


def _study(
    table: SalesTable, model: ValueModel, learn: Mask, test: Mask, told: pd.DataFrame, protocol: str
) -> dict[str, Any]:
    price, valued = table.price[test], ~told["refused"].to_numpy(bool)
    p50 = told["p50"].to_numpy()
    found = _studies(p50, price, valued)
    baselines = {}
    for name, values in baselines_of(table, learn, test).items():
        both = valued & np.isfinite(values) & (values > 0)
        if both.sum() >= MIN_HELD_OUT:
            # On the very same rows: those that the model values and the baseline can.
            theirs, ours = ratio_study(values[both], price[both]), ratio_study(p50[both], price[both])
            baselines[name] = {
                "n": int(both.sum()),
                "study": theirs.as_dict(),
                "model_on_the_same_rows": {"mdape": ours.mdape, "cod": ours.cod.value},
                "beaten": bool(ours.mdape < theirs.mdape and ours.cod.value < theirs.cod.value),
            }
    inside = (price >= told["p05"].to_numpy()) & (price <= told["p95"].to_numpy())
    return {
        "disclaimer": DISCLAIMER,
        "protocol": protocol,
        "n_learned": int(learn.sum()),
        "n_held_out": int(test.sum()),
        "n_unusable": int((~table.usable).sum()),
        "n_refused": int((~valued).sum()),
        "refusals": told["reason"][~valued].value_counts().to_dict(),
        **found,
        "baselines": baselines,
        "interval": {
            "level": model.params.level,
            "coverage": float(inside[valued].mean()) if valued.any() else None,
            "median_width": float(np.median(told["p95"][valued] / told["p05"][valued])) if valued.any() else None,
            "by_place": _coverage_by_place(table, test, valued, inside),
        },
        "confidence_deciles": _deciles(told, price, valued),
        "learners": dict(zip(LEARNERS, np.round(model.weights, 4).tolist(), strict=True)),
        "folds": {"kind": model.folds.kind, "wasserstein": model.folds.wasserstein},
        "widened_forward_in_time": model.interval.forward,
        "importance": dict(sorted(model.importance.items(), key=lambda item: -item[1])),
        "columns": [{"name": use.name, "role": use.role, "reason": use.reason} for use in table.columns],
    }


def _studies(p50: NDArray[np.float64], price: NDArray[np.float64], valued: Mask) -> dict[str, Any]:
    if valued.sum() < 2:
        return {"study": None, "trimmed": None}
    return {
        "study": ratio_study(p50[valued], price[valued]).as_dict(),
        "trimmed": ratio_study(p50[valued], price[valued], trim=True).as_dict(),
    }


def _coverage_by_place(table: SalesTable, test: Mask, valued: Mask, inside: Mask) -> dict[str, Any]:
    """Share of prices inside the interval, by each kind of a place with enough held-out sales."""
    found: dict[str, Any] = {}
    for use in table.columns:
        if use.role != "category" or not use.is_place:
            continue
        kind = table.features[use.name][test].to_numpy(object)
        for name in sorted({k for k in kind[valued] if k is not None}):
            own = valued & (kind == name)
            if own.sum() >= MIN_GROUP:
                found[f"{use.name}={name}"] = {"n": int(own.sum()), "coverage": float(inside[own].mean())}
    return found


def _deciles(told: pd.DataFrame, price: NDArray[np.float64], valued: Mask) -> list[dict[str, float]]:
    """Error by how sure the model says it is, the surest tenth first."""
    if valued.sum() < 100:
        return []
    width = np.log(told["p95"].to_numpy()[valued] / told["p05"].to_numpy()[valued])
    error = np.abs(told["p50"].to_numpy()[valued] / price[valued] - 1)
    return [
        {"n": len(rows), "width": float(np.median(width[rows])), "mdape": float(np.median(error[rows]))}
        for rows in np.array_split(np.argsort(width, kind="stable"), 10)
    ]


_MEASURES = {"median_ratio": "median ratio", "cod": "COD [%]", "prd": "PRD", "prb": "PRB", "mki": "MKI"}


def card(training: Training, digest: str) -> str:
    """The model card: what it was made of, how well it does, where it fails, in Markdown."""
    study = training.study
    parts = [f"# Model card\n\n> {DISCLAIMER}", _made_of(study, digest), _accuracy(study), _beside(study)]
    learners = ", ".join(f"{name} {weight:.2f}" for name, weight in study["learners"].items())
    parts.append(f"Mix of learners: {learners}.")
    left = [f"* `{use.name}`: {use.reason}" for use in training.table.columns if use.role == "left out"]
    parts.append("\n".join(["Columns left out:", "", *left]) if left else "No column was left out.")
    wide = training.model.interval.forward
    parts.append(
        f"After the last sale the level of prices is held and intervals are {wide:.2f} times as wide, as replays "
        "within the sales asked for. Rows unlike any sale are refused and have no number."
    )
    return "\n\n".join(part for part in parts if part) + "\n"


def _made_of(study: Mapping[str, Any], digest: str) -> str:
    return (
        f"Model `{digest[:16]}`. Learned from {study['n_learned']} sales, judged on {study['n_held_out']} others: "
        f"{study['protocol']}. {study['n_refused']} of these were refused; {study['n_unusable']} rows of the table had "
        "no usable price or date."
    )


def _accuracy(study: Mapping[str, Any]) -> str:
    whole = study["study"]
    if whole is None:
        return ""
    lines = ["| measure | value | 95 % interval | standard |", "| --- | --- | --- | --- |"]
    for key, name in _MEASURES.items():
        m = whole[key]
        low, high = _figure(m["low"]), _figure(m["high"])
        lines.append(f"| {name} | {_figure(m['value'])} | {low} to {high} | {m['met']} |")
    interval = study["interval"]
    return "\n".join(lines) + (
        f"\n\nMedian error {whole['mdape']:.1%}; {whole['within_10']:.0%} of prices within 10 %, "
        f"{whole['within_20']:.0%} within 20 %. "
        f"The {interval['level']:.0%} interval held {interval['coverage']:.1%} of prices."
    )


def _beside(study: Mapping[str, Any]) -> str:
    head = "| baseline | n | median error | COD [%] | ours on the same rows | beaten |"
    lines = [head, "| --- | --- | --- | --- | --- | --- |"]
    for name, row in study["baselines"].items():
        ours, theirs = row["model_on_the_same_rows"], row["study"]
        lines.append(
            f"| {name} | {row['n']} | {theirs['mdape']:.1%} | {_figure(theirs['cod']['value'])} | {ours['mdape']:.1%}, "
            f"COD {_figure(ours['cod'])} | {'yes' if row['beaten'] else '**no**'} |"
        )
    return "\n".join(lines)


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}" if abs(value) < 10 else f"{value:.1f}"


def _of(values: Any, rows: Mask) -> Any:
    return None if values is None else values[rows]


__all__ = ["Training", "in_brief", "read_sales", "train", "write_training"]
