"""The model card with its inventory entry: written from what the run left and what people decided, by nobody's hand.

Figures that are bad stand in it like the others; what is not known is said to be so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

TIERS: Mapping[str, str] = {
    "candidate": "none: not in use",
    "approved": "values for lending decisions, under a valuer",
    "rejected": "none: rejected",
    "retired": "none: retired",
}
"""What a model may be used for, by its state."""
LIMITS = (
    "A supporting tool, not a valuation: a valuer stays in charge, and the sole basis of a revaluation it is not.",
    "It values no property unlike any sale it saw; such rows are refused and have no number.",
    "Prices that rise after the last sale are not followed: the level is held.",
    "Names of persons are as trustworthy as the login of who typed them, unless signed with the person's key.",
)
_MEASURES = {"median_ratio": "median ratio", "cod": "COD [%]", "prd": "PRD", "prb": "PRB", "mki": "MKI"}


def model_card(
    shown: Mapping[str, Any], manifest: Mapping[str, Any], study: Mapping[str, Any], tests: Sequence[Mapping[str, Any]]
) -> str:
    """The card in Markdown.

    Parameters
    ----------
    shown
        The model as the registry shows it: state, persons, decisions, review.
    manifest
        Of its folder.
    study
        Content of ``ratio_study.json``.
    tests
        Back-tests that were entered, in order.
    """
    parts = [
        f"# Model {shown['model']}: {shown['asset_class']} in {shown['currency']}",
        _inventory(shown, manifest, study),
        "## Limits\n\n" + "\n".join(f"* {limit}" for limit in LIMITS),
        _held_out(study),
        _beside(study),
        _coverage(study),
        _tests(tests),
        _review(shown),
        _log(shown),
        _files(manifest),
    ]
    return "\n\n".join(parts) + "\n"


def _inventory(shown: Mapping[str, Any], manifest: Mapping[str, Any], study: Mapping[str, Any]) -> str:
    training = manifest["training"]
    validators = [d["person"] for d in shown["decisions"] if d["action"] == "approve"]
    rows = {
        "purpose": f"estimates of {training['target']} of {shown['asset_class']} property, with intervals",
        "state": shown["state"],
        "tier of use": TIERS[shown["state"]],
        "owner and developer": shown["trainer"],
        "validated by": ", ".join(validators) or "nobody yet",
        "signed by": shown["signed_by"] or "nobody: may be judged, not used",
        "learned from": f"{training['n_learned']} sales, {_window(training['window'])}",
        "judged on": f"{training['n_held_out']} sales, {_window(training['held_out'])} ({study['protocol']})",
        "features": ", ".join(recipe["name"] for recipe in training["features"]) or "places only",
        "known as": shown["key"],
    }
    return "\n".join(["| | |", "| --- | --- |", *(f"| {name} | {_cell(value)} |" for name, value in rows.items())])


def _held_out(study: Mapping[str, Any]) -> str:
    whole = study["study"]
    head = "## Held-out sales"
    if whole is None:
        return f"{head}\n\nToo few were valued to study."
    lines = [head, "", "| measure | value | 95 % interval | standard |", "| --- | --- | --- | --- |"]
    for key, name in _MEASURES.items():
        m = whole[key]
        lines.append(f"| {name} | {_figure(m['value'])} | {_figure(m['low'])} to {_figure(m['high'])} | {m['met']} |")
    interval = study["interval"]
    lines.append(
        f"\nn = {whole['n']}. Median error {_share(whole['mdape'])}; {_share(whole['within_10'])} within 10 %, "
        f"{_share(whole['within_20'])} within 20 %. The {_share(interval['level'])} interval held "
        f"{_share(interval['coverage'])} of prices. {study['n_refused']} of {study['n_held_out']} were refused."
    )
    return "\n".join(lines)


def _beside(study: Mapping[str, Any]) -> str:
    lines = ["## Baselines on the same rows", "", "| baseline | n | median error | ours | beaten |"]
    lines.append("| --- | --- | --- | --- | --- |")
    for name, row in study["baselines"].items():
        ours = row["model_on_the_same_rows"]["mdape"]
        beaten = "yes" if row["beaten"] else "**no**"
        lines.append(f"| {_cell(name)} | {row['n']} | {_share(row['study']['mdape'])} | {_share(ours)} | {beaten} |")
    return "\n".join(lines) if study["baselines"] else "## Baselines on the same rows\n\nNone could be made."


def _coverage(study: Mapping[str, Any]) -> str:
    places = study["interval"]["by_place"]
    if not places:
        return "## Coverage by place\n\nNo place has enough held-out sales."
    worst = sorted(places.items(), key=lambda item: float(item[1]["coverage"]))
    lines = ["## Coverage by place, the worst first", "", "| place | n | coverage |", "| --- | --- | --- |"]
    lines += [f"| {_cell(name)} | {row['n']} | {_share(row['coverage'])} |" for name, row in worst]
    return "\n".join(lines)


def _tests(tests: Sequence[Mapping[str, Any]]) -> str:
    if not tests:
        return "## Back-tests on sales that closed later\n\nNone was entered."
    lines = ["## Back-tests on sales that closed later", ""]
    lines += ["| sales | n | refused | median error | bias | coverage | drift |", "| --- " * 7 + "|"]
    for facts in tests:
        for window in (facts["total"], *facts["months"]):
            told = ", ".join(facts["drift"].get(window["name"], ())) or "-"
            lines.append(
                f"| {facts['table']}: {window['name']} | {window['n']} | {window['n_refused']} | "
                f"{_interval(window['mdape'])} | {_interval(window['bias'])} | {_interval(window['coverage'])} | "
                f"{told} |"
            )
    return "\n".join(lines)


def _review(shown: Mapping[str, Any]) -> str:
    review = shown["review"]
    if review is None:
        return "## Review of a random sample\n\nNo sample was drawn."
    said = ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in review["verdicts"].items())
    return (
        f"## Review of a random sample\n\nDrawn with seed {review['seed']}, due {review['due']}: {said}; "
        f"{len(review['open'])} without a verdict."
    )


def _log(shown: Mapping[str, Any]) -> str:
    lines = ["## What was decided", "", "| no. | at | what | who | role | reason | signed |", "| --- " * 7 + "|"]
    for d in shown["decisions"]:
        signed = "yes" if d["signed"] else "no"
        cells = (d["number"], d["at"], d["action"], d["person"], d["role"], d["reason"], signed)
        lines.append("| " + " | ".join(map(_cell, cells)) + " |")
    return "\n".join(lines)


def _files(manifest: Mapping[str, Any]) -> str:
    rows = {**manifest["files"], **manifest["proof"]}
    lines = ["## Files", "", "| file | SHA-256 |", "| --- | --- |"]
    return "\n".join([*lines, *(f"| {name} | {digest} |" for name, digest in rows.items())])


def _window(window: Mapping[str, Any]) -> str:
    return "no dates" if window["first"] is None else f"{window['first']} to {window['last']}"


def _interval(figure: Mapping[str, Any]) -> str:
    return f"{_share(figure['value'])} ({_share(figure['low'])} to {_share(figure['high'])})"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def _cell(value: object) -> str:
    """Text of a cell: a bar or a line break would end it."""
    return " ".join(str(value).split()).replace("|", "\\|")


__all__ = ["model_card"]
