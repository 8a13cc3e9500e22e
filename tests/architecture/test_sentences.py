"""Every sentence of reason that stands in the code has its counterpart in Chinese."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from geocollateral.exports.sentences import CHINESE

ROOMS = (
    "assets",
    "change",
    "risk/rules.py",
    "valuation/approaches.py",
    "valuation/domain.py",
    "approved_models.py",
    "learned_values.py",
    "risk/clocks.py",
    "risk/caps.py",
    "risk/valuations.py",
    "collateral_risk.py",
    "service.py",
    "block.py",
    "pledges.py",
    "lookback.py",
    "orthomosaics.py",
    "datum_check.py",
    "ledger.py",
    "observe/datum_fit.py",
)
"""Where reasons are written; the words of the intake and of faults are for who sends the file."""
NO_REASONS = {"InvalidInput", "ValueError", "Field", "compile", "Registry", "Unavailable", "Missing", "Broken"}
MIN_WORDS = 3
CLASSES = "ground.py"
"""Names of spectra: no reader gets them."""
SPARE = re.compile(
    r"No registry is named|alert rule|asset class with|digital numbers|no reason given|mean of the parcel"
    r"|give one of its variables|build one with a 'time'"
    r"|double cropping rice|early and late rice|broadleaved evergreen trees|evergreen broadleaved trees"
)
"""Sentences that no reader of a report gets, and names of crops that are understood in a claim."""


def pieces(node: ast.AST) -> Iterator[tuple[int, str]]:
    """Stretches of text between gaps, in strings that are no docstrings, messages of errors or descriptions."""
    if isinstance(node, ast.Raise) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
        return
    if isinstance(node, ast.Call):
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called in NO_REASONS:
            return
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.lineno, node.value
    for child in ast.iter_child_nodes(node):
        yield from pieces(child)


def lacks(root: Path) -> list[str]:
    """Places and stretches of English that no entry of the catalogue has."""
    known = " ".join(re.sub(r"\s+", " ", english) for english in CHINESE)
    found = []
    for room in ROOMS:
        path = root / "geocollateral" / room
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            if file.name == CLASSES:
                continue
            for line, text in pieces(ast.parse(file.read_text(encoding="utf-8"))):
                for sentence in re.split(r"(?<=[.!?]) +(?=[A-Z0-9])|\{[^}]*\}", text):
                    plain = sentence.strip(" .,;:()")
                    if len(plain.split()) < MIN_WORDS or SPARE.search(plain) or plain in known:
                        continue
                    found.append(f"{file.relative_to(root)}:{line}: {plain}")
    return found


def test_every_sentence_of_reason_is_in_the_catalogue(root: Path) -> None:
    lacking = lacks(root)
    assert not lacking, "add to geocollateral/exports/sentences.py:\n" + "\n".join(lacking)
