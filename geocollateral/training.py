"""The use case `train`: from a table of sales to a value model whose error is known, and the proof of it."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geocollateral.errors import InvalidInput, MissingInput
from geocollateral.types import NOT_A_VALUATION
from geocollateral.valuation.baselines import baselines_of, region_of
from geocollateral.valuation.cells import numbers_in
from geocollateral.valuation.comparables import SALES, Sold, comparables, sales_table
from geocollateral.valuation.csv_tables import table_from_csv
from geocollateral.valuation.explanations import explanation_table, sensitive_features
from geocollateral.valuation.folds import held_out_blocks, units_of
from geocollateral.valuation.increasing import increasing_of
from geocollateral.valuation.judgement import (
    deciles_judged,
    doubts_judged,
    groups_judged,
    interval_judged,
    strata_judged,
)
from geocollateral.valuation.later_sales import plane_of, recipes_of, window_of
from geocollateral.valuation.model_files import save_model
from geocollateral.valuation.model_seal import write_manifest
from geocollateral.valuation.placebo import placebo_test
from geocollateral.valuation.ratio_study import ratio_study
from geocollateral.valuation.sales import SalesTable, column_named, moment_of, understand_sales
from geocollateral.valuation.screening import DROPPED, doubts_of, same_rows
from geocollateral.valuation.value_model import LEARNERS, ValueModel, ValueModelParams, fit_value_model

Mask = NDArray[np.bool_]
HELD_OUT = 0.2
"""Share of the sales held out where the user names no date."""
MIN_LEARNED = 40
MIN_HELD_OUT = 10
_FEW = 20
"""Sales held out of a small table, where a fifth of it would be fewer."""
MOST_EXPLAINED = 5_000
"""Held-out rows that are explained, spread evenly over all of them where they are more."""


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
    explanations: pd.DataFrame
    """Content of ``explanations.parquet``: held-out rows that have a value."""
    comparables: pd.DataFrame
    """Content of ``comparables.parquet``."""
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
            return table_from_csv(path.read_bytes(), path.name)
    except (ValueError, OSError, UnicodeDecodeError, pd.errors.ParserError) as error:
        raise InvalidInput(f"{path.name}: expected a table; it could not be read: {error}") from error
    raise InvalidInput(f"{path.name}: expected a file .csv, .tsv, .parquet or .gpkg.")


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
    baseline: str | None = None,
    increasing: Sequence[str] = (),
    threads: int = 1,
    effort: float = 1.0,
) -> Training:
    """Learn from a part of the sales and judge on the rest, which nothing was learned from or calibrated on.

    Held out are the sales from `holdout_from` on; without it the last fifth by date; without dates, places (blocks of a
    fifth of the sales); without either, a fifth at random. Rows of one group are never on both sides where no date
    parts them.

    Parameters
    ----------
    baseline
        Column of given values, such as an index's: what is learned is the correction, and only where it helps.
    increasing
        Numbers with which the value never falls; those of the asset class in the table are added.

    Raises
    ------
    InvalidInput
        Too few sales before or after the date; `increasing` names what is no number of the table.
    """
    table = understand_sales(rows, target=target, date=date, coords=coords, group=group, baseline=baseline)
    rising = increasing_of(table, increasing)
    params = ValueModelParams(threads=threads, effort=effort, increasing=rising)
    given = None if baseline is None else _given(table, column_named(table.rows, baseline))
    test, protocol = _held_out(table, holdout_from, params.seed)
    learn = table.usable & ~test & (True if given is None else np.isfinite(given))
    doubts = doubts_of(table, learn)
    for name in DROPPED:
        if (learn & ~doubts[name]).sum() >= MIN_LEARNED:
            learn &= ~doubts[name]
    if learn.sum() < MIN_LEARNED or test.sum() < MIN_HELD_OUT:
        raise InvalidInput(
            f"{int(learn.sum())} sales to learn from and {int(test.sum())} to judge on ({protocol}); at least "
            f"{MIN_LEARNED} and {MIN_HELD_OUT} are needed. Choose another --holdout-from or add sales."
        )
    model = fit_value_model(
        table.features[learn],
        _of(table.xy, learn),
        _of(table.months, learn),
        _of(table.group, learn),
        table.price[learn],
        params,
        where=_of(table.xy, test),
        baseline=_of(given, learn),
        region=region_of(table, learn),
        alike=same_rows(table)[learn],
    )
    told = model.predict(table.features[test], _of(table.xy, test), _of(table.months, test), _of(given, test))
    predictions = _predictions(table, test, told)
    study = _study(table, model, learn, test, told, protocol, given, doubts)
    explained, compared = _explained(table, model, learn, test, told, given)
    study["explained"] = {"rows": len(explained), "of": int((~told["refused"]).sum())}
    return Training(
        table=table,
        model=model,
        learned=learn,
        tested=test,
        protocol=protocol,
        predictions=predictions,
        study=study,
        explanations=explained,
        comparables=compared,
        asked={
            "target": target,
            "date": date,
            "coords": coords,
            "group": group,
            "holdout_from": holdout_from,
            "baseline": baseline,
        },
    )


def _given(table: SalesTable, column: str) -> NDArray[np.float64]:
    values = numbers_in(table.rows[column])
    return np.where(values > 0, values, np.nan)


def _explained(
    table: SalesTable, model: ValueModel, learn: Mask, test: Mask, told: pd.DataFrame, given: Any
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Explanations and comparables of held-out rows that have a value."""
    position = np.flatnonzero(test)[~told["refused"].to_numpy(bool)]
    if len(position) > MOST_EXPLAINED:
        position = position[np.linspace(0, len(position) - 1, MOST_EXPLAINED).astype(np.int64)]
    if not len(position):
        return pd.DataFrame({"row_id": position}), pd.DataFrame({"row_id": position})
    own = table.features.iloc[position], _of(table.xy, position), _of(table.months, position)
    places = [use.name for use in table.columns if use.is_place]
    reasons = explanation_table(model, *own, places, _of(given, position)).reset_index(drop=True)
    deviation = told["fsd"].to_numpy()[np.searchsorted(np.flatnonzero(test), position)]
    reasons.insert(0, "row_id", position)
    reasons.insert(1, "fsd", deviation)
    sold = Sold(
        row_id=np.flatnonzero(learn),
        features=table.features[learn],
        xy=_of(table.xy, learn),
        months=_of(table.months, learn),
        price=table.price[learn],
        baseline=_of(given, learn),
    )
    found = comparables(model, sold, *own, _of(given, position))
    found.insert(0, "row_id", position[found.pop("subject").to_numpy(np.int64)])
    which = found["comparable_row_id"].to_numpy(np.int64)
    found.insert(4, "date", table.days[which] if table.days is not None else _of(table.months, which))
    return reasons, found


_OURS = frozenset(
    {
        "model",
        "ratio_study.json",
        "predictions.parquet",
        "card.md",
        "explanations.parquet",
        "comparables.parquet",
        SALES,
    }
)


def write_training(training: Training, folder: Path, *, overwrite: bool = False) -> None:
    """Write the model, its study, predictions, explanations, comparables and card into a new folder.

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
        tables = {f"{name}.parquet": getattr(training, name) for name in ("predictions", "explanations", "comparables")}
        for name, table in {**tables, SALES: _sales(training)}.items():
            table.attrs["disclaimer"] = NOT_A_VALUATION  # pandas writes it into the file's metadata
            table.to_parquet(partial / name, index=False)
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


def _sales(training: Training) -> pd.DataFrame:
    """What was sold, as the model saw it: comparables of later valuations. See `comparables.sold_of`."""
    table, rows = training.table, np.asarray(training.learned | training.tested, bool)
    return sales_table(
        Sold(
            row_id=np.flatnonzero(rows),
            features=table.features[rows],
            xy=_of(table.xy, rows),
            months=_of(table.months, rows),
            price=table.price[rows],
        ),
        _of(table.days, rows),
    )


def training_record(training: Training) -> dict[str, Any]:
    """What later users of the model must know of its training, as JSON values; see `later_sales`."""
    table, asked = training.table, training.asked
    return {
        **asked,
        "coords": None if table.xy is None else list(asked["coords"]),
        "plane": None if table.xy is None else plane_of(table.rows, asked["coords"]),
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
    return [*lines, NOT_A_VALUATION]


def _held_out(table: SalesTable, holdout_from: str | None, seed: int) -> tuple[Mask, str]:
    usable = table.usable
    if holdout_from is not None:
        if table.months is None:
            raise InvalidInput("--holdout-from needs --date: the column that holds the days of sale.")
        return usable & (table.months >= moment_of(holdout_from, table)), f"sales from {holdout_from} on"
    share = max(HELD_OUT, min(_FEW / max(int(usable.sum()), 1), 0.3))
    if table.months is not None:
        known = table.months[usable]
        cut = float(np.quantile(known, 1 - share))
        if np.mean(known >= cut) <= 0.5:
            return usable & (table.months >= cut), f"the last sales ({np.mean(known >= cut):.0%})"
    alike = same_rows(table)
    told = "a fifth of the sales" if share == HELD_OUT else f"{share:.0%} of the sales"
    tries = [(table.group, table.xy), (table.group, None), (None, None)]
    for group, xy in tries:
        test = usable & held_out_blocks(units_of(len(table.price), group, xy, alike=alike), xy, share, seed)
        if 0.5 * share < test.sum() / max(int(usable.sum()), 1) < 0.5:
            return test, f"{'places' if xy is not None else 'rows' if group is None else 'groups'} held out ({told})"
    return usable & held_out_blocks(np.arange(len(table.price)), None, share, seed), f"rows held out ({told})"


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
    table: SalesTable,
    model: ValueModel,
    learn: Mask,
    test: Mask,
    told: pd.DataFrame,
    protocol: str,
    given: NDArray[np.float64] | None,
    doubts: Mapping[str, Mask],
) -> dict[str, Any]:
    price, valued = table.price[test], ~told["refused"].to_numpy(bool)
    p50, features = told["p50"].to_numpy(), table.features[test]
    groups = groups_judged(table.columns, features, p50)
    interval = interval_judged(told, price, valued, model.params.level, groups)
    places = tuple(f"{use.name}=" for use in table.columns if use.is_place)
    interval["by_place"] = {name: row for name, row in interval["by_group"].items() if name.startswith(places)}
    tenths, rank = deciles_judged(told, price, valued)
    rivals = baselines_of(table, learn, test)
    if given is not None:
        rivals["the baseline given"] = given[test]
    placebo = placebo_test(
        table.features[learn], _of(table.xy, learn), _of(table.months, learn), table.price[learn], rounds=50
    )
    return {
        "disclaimer": NOT_A_VALUATION,
        "protocol": protocol,
        "n_learned": int(learn.sum()),
        "n_held_out": int(test.sum()),
        "n_unusable": int((~table.usable).sum()),
        "n_nominal": table.n_nominal,
        "n_refused": int((~valued).sum()),
        "refusals": told["reason"][~valued].value_counts().to_dict(),
        **_studies(p50, price, valued),
        "strata": strata_judged(table.columns, features, p50, price, valued),
        "baselines": _beaten(rivals, p50, price, valued),
        "interval": interval,
        "confidence_deciles": tenths,
        "confidence_rank_correlation": rank,
        "labels": doubts_judged(doubts, test, p50, price, valued),
        "placebo": placebo.as_dict(),
        "correction": None if model.correction is None else _correction(model),
        "learners": dict(zip(LEARNERS, np.round(model.weights, 4).tolist(), strict=True)),
        "stretch": model.stretch,
        "increasing": list(model.params.increasing),
        "folds": {"kind": model.folds.kind, "wasserstein": model.folds.wasserstein},
        "widened_forward_in_time": model.interval.forward,
        "widened_for_groups": model.interval.margin,
        "importance": dict(sorted(model.importance.items(), key=lambda item: -item[1])),
        "sensitive_features": sensitive_features(list(map(str, table.features.columns))),
        "columns": [{"name": use.name, "role": use.role, "reason": use.reason} for use in table.columns],
    }


def _correction(model: ValueModel) -> dict[str, Any]:
    assert model.correction is not None  # noqa: S101 - asked for where there is one
    return {"used": model.correction.kind, "error_out_of_fold": dict(model.correction.errors)}


def _beaten(
    rivals: Mapping[str, NDArray[np.float64]], p50: NDArray[np.float64], price: NDArray[np.float64], valued: Mask
) -> dict[str, Any]:
    """Each baseline on the very rows that the model values and the baseline can."""
    found = {}
    for name, values in rivals.items():
        both = valued & np.isfinite(values) & (values > 0)
        if both.sum() >= MIN_HELD_OUT:
            theirs, ours = ratio_study(values[both], price[both]), ratio_study(p50[both], price[both])
            found[name] = {
                "n": int(both.sum()),
                "study": theirs.as_dict(),
                "model_on_the_same_rows": {"mdape": ours.mdape, "cod": ours.cod.value},
                "beaten": bool(ours.mdape < theirs.mdape and ours.cod.value < theirs.cod.value),
            }
    return found


def _studies(p50: NDArray[np.float64], price: NDArray[np.float64], valued: Mask) -> dict[str, Any]:
    if valued.sum() < 2:
        return {"study": None, "trimmed": None}
    return {
        "study": ratio_study(p50[valued], price[valued]).as_dict(),
        "trimmed": ratio_study(p50[valued], price[valued], trim=True).as_dict(),
    }


_MEASURES = {"median_ratio": "median ratio", "cod": "COD [%]", "prd": "PRD", "prb": "PRB", "mki": "MKI"}


def card(training: Training, digest: str) -> str:
    """The model card: what it was made of, how well it does, where it fails, in Markdown."""
    study = training.study
    parts = [f"# Model card\n\n> {NOT_A_VALUATION}", _made_of(study, digest), _accuracy(study), _beside(study)]
    learners = ", ".join(f"{name} {weight:.2f}" for name, weight in study["learners"].items())
    parts.append(f"Mix of learners: {learners}.")
    left = [f"* `{use.name}`: {use.reason}" for use in training.table.columns if use.role == "left out"]
    parts.append("\n".join(["Columns left out:", "", *left]) if left else "No column was left out.")
    parts.append(_further(study))
    wide = training.model.interval.forward
    parts.append(
        f"After the last sale the level of prices is held and intervals are {wide:.2f} times as wide, as replays "
        "within the sales asked for. Rows unlike any sale are refused and have no number."
    )
    return "\n\n".join(part for part in parts if part) + "\n"


def _made_of(study: Mapping[str, Any], digest: str) -> str:
    nominal = study["n_nominal"]
    return (
        f"Model `{digest[:16]}`. Learned from {study['n_learned']} sales, judged on {study['n_held_out']} others: "
        f"{study['protocol']}. {study['n_refused']} of these were refused; {study['n_unusable']} rows of the table had "
        "no usable price or date"
        + (f", {nominal} of them a price below a thousandth of the median." if nominal else ".")
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


def _further(study: Mapping[str, Any]) -> str:
    """Placebos, labels, groups, the given baseline and sensitive features, a line each."""
    placebo, labels, interval = study["placebo"], study["labels"], study["interval"]
    lines = [
        (
            f"* Placebo tests {'passed' if placebo['passed'] else '**not passed**'}: prices dealt out anew explain "
            f"{placebo['shuffled_prices_r2']:.3f} of the variance, smooth fields without meaning "
            f"{_figure(placebo['smooth_fields_blocked_r2'])} (bound {placebo['bound']})."
        )
    ]
    short = interval.get("groups_short", [])
    lines.append(
        f"* Groups of 100 held-out sales or more whose interval holds less than the level less five points: "
        f"{len(short)} of {len(interval['by_group'])}" + (f" ({', '.join(short[:5])})." if short else ".")
    )
    if "fsd" in interval:
        lines.append(
            f"* {interval['fsd']['within_one']:.1%} of prices within one forecast standard deviation (68.3 %)."
        )
    doubted = ", ".join(f"{name}: {n['learned_from']} / {n['held_out']}" for name, n in labels["doubted"].items())
    lines.append(f"* Labels doubted (learned from / held out): {doubted}. None of the held-out ones is dropped.")
    if labels["with_them"] and labels["without_them"]:
        error, clean = labels["with_them"]["mdape"], labels["without_them"]["mdape"]
        lines.append(f"* Median error with them {error:.1%}, without them {clean:.1%}.")
    if study["correction"] is not None:
        used = {"none": "kept as it is", "region": "corrected by region", "learned": "corrected by what was learned"}
        lines.append(f"* The given baseline is {used[study['correction']['used']]}: the nearest out of fold.")
    named = [name for names in study["sensitive_features"].values() for name in names]
    lines.append(f"* Features on protected grounds or possible stand-ins: {', '.join(named) if named else 'none'}.")
    return "\n".join(lines)


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}" if abs(value) < 10 else f"{value:.1f}"


def _of(values: Any, rows: Mask) -> Any:
    return None if values is None else values[rows]


__all__ = ["Training", "in_brief", "read_sales", "train", "write_training"]
