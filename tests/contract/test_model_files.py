"""Hostile model files: 500 mutants of a signed model, with and without the digests that would tell at once."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pytest
from market import sales

from geocollateral import training
from geocollateral.errors import BrokenData
from geocollateral.valuation.booster_text import check_booster_text
from geocollateral.valuation.model_files import load_model
from geocollateral.valuation.model_seal import (
    MANIFEST,
    SEAL,
    canonical,
    new_key,
    public_hex,
    read_manifest,
    read_seal,
    require_sealed,
    seal,
    sha256,
    statement_of,
)
from geocollateral.valuation.model_trial import require_loadable

N_MUTANTS = 500
KINDS = ("bit", "cut", "trees", "leaf", "length", "name", "other", "digit", "line", "insert")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two runs of training, on two markets."""
    home = tmp_path_factory.mktemp("runs")
    for seed, name in enumerate(("one", "other")):
        table = sales(600, seed=seed).drop(columns="value")
        found = training.train(table, target="price", date="sold", coords=("lon_m", "lat_m"), effort=0.05)
        training.write_training(found, home / name)
    return home / "one", home / "other"


def mutant(kind: str, text: bytes, other: bytes, rng: np.random.Generator) -> bytes:
    """A changed model text."""
    lines = text.decode().split("\n")

    def changed(prefix: str, value: str) -> bytes:
        places = [n for n, line in enumerate(lines) if line.startswith(prefix)]
        n = int(rng.choice(places))
        parts = lines[n].partition("=")[2].split(" ")
        parts[int(rng.integers(len(parts)))] = value
        return "\n".join([*lines[:n], prefix + " ".join(parts), *lines[n + 1 :]]).encode()

    if kind == "bit":
        bad = bytearray(text)
        bad[int(rng.integers(len(bad)))] ^= 1 << int(rng.integers(8))
        return bytes(bad)
    if kind == "cut":
        return text[: int(rng.integers(len(text)))]
    if kind == "trees":
        blocks = text.split(b"\n\nTree=")
        i, j = rng.choice(np.arange(1, len(blocks) - 1), 2, replace=False)
        blocks[i], blocks[j] = blocks[j], blocks[i]
        return b"\n\nTree=".join(blocks)
    if kind == "leaf":  # one digit of one leaf, so that no length tells
        places = [n for n, line in enumerate(lines) if line.startswith("leaf_value=")]
        n = int(rng.choice(places))
        where = [i for i, c in enumerate(lines[n]) if c.isdigit() and lines[n][i - 1 : i] == "."]
        i = int(rng.choice(where))
        line = lines[n][:i] + str((int(lines[n][i]) + 3) % 10) + lines[n][i + 1 :]
        return "\n".join([*lines[:n], line, *lines[n + 1 :]]).encode()
    if kind == "length":
        key = str(
            rng.choice(["num_leaves=", "num_cat=", "tree_sizes=", "max_feature_idx=", "leaf_count=", "left_child="])
        )
        return changed(key, str(int(rng.choice([-1, 0, 1, 2, 7, 255, 2**31 - 1, 2**31, 10**12]))))
    if kind == "name":
        return changed("feature_names=", str(rng.choice(["Column_1", "Column_99", "price", "x" * 5000])))
    if kind == "other":
        return other
    if kind == "digit":
        places = [n for n, c in enumerate(text) if 48 <= c <= 57]
        n = int(rng.choice(places))
        return text[:n] + str(rng.integers(10)).encode() + text[n + 1 :]
    if kind == "line":
        n = int(rng.integers(len(lines)))
        return "\n".join([*lines[:n], *lines[n + 1 :]]).encode()
    n = int(rng.integers(len(text)))
    return text[:n] + bytes(rng.integers(0, 256, int(rng.integers(1, 9)), np.uint8)) + text[n:]


def mutants(runs: tuple[Path, Path]) -> list[tuple[str, str, bytes]]:
    """Kind, file and text; never a text that is what it was."""
    rng = np.random.default_rng(20261127)
    names = ("absolute.txt", "squared.txt", "corrected.txt", "spread.txt")
    found: list[tuple[str, str, bytes]] = []
    while len(found) < N_MUTANTS:
        kind = KINDS[len(found) % len(KINDS)]
        name = str(rng.choice(names))
        text, other = ((run / "model" / name).read_bytes() for run in runs)
        bad = mutant(kind, text, other, rng)
        if bad != text:
            found.append((kind, name, bad))
    return found


def test_of_500_mutants_of_a_signed_model_none_is_accepted(runs: tuple[Path, Path], tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(runs[0] / "model", folder)
    key = new_key()
    trusted = {"Li": public_hex(key)}
    made = seal(statement_of(read_manifest(folder), asset_class="agriculture", currency="CNY", trainer="Li"), key)
    (folder / SEAL).write_bytes(made.as_bytes())
    load_model(folder, require_sealed(folder, made, trusted)["files"]["model.json"])
    for _, name, bad in mutants(runs):
        good = (folder / name).read_bytes()
        (folder / name).write_bytes(bad)
        with pytest.raises(BrokenData):
            require_sealed(folder, made, trusted)
        (folder / name).write_bytes(good)
    require_sealed(folder, made, trusted)


@pytest.mark.parametrize("name", [MANIFEST, SEAL, "model.json", "arrays.npz"])
def test_any_changed_byte_of_the_other_files_is_seen(runs: tuple[Path, Path], tmp_path: Path, name: str) -> None:
    folder = tmp_path / "model"
    shutil.copytree(runs[0] / "model", folder)
    key = new_key()
    made = seal(statement_of(read_manifest(folder), asset_class="agriculture", currency="CNY", trainer="Li"), key)
    (folder / SEAL).write_bytes(made.as_bytes())
    good = (folder / name).read_bytes()
    rng = np.random.default_rng(3)
    for place in rng.choice(len(good), min(len(good), 60), replace=False):
        bad = bytearray(good)
        bad[int(place)] ^= 1 << int(rng.integers(8))
        (folder / name).write_bytes(bad)
        with pytest.raises(BrokenData):
            require_sealed(folder, made, {"Li": public_hex(key)})
        if name == SEAL:  # as it would be read from the table of the registry
            with pytest.raises(BrokenData):
                require_sealed(folder, read_seal(bytes(bad)), {"Li": public_hex(key)})


def test_the_structural_check_alone_never_lets_a_mutant_end_the_process(runs: tuple[Path, Path]) -> None:
    """What it lets through LightGBM loads and predicts with; it predicts something else, which only a digest tells."""
    refused: Counter[str] = Counter()
    passed: list[tuple[str, str, bytes]] = []
    for kind, name, bad in mutants(runs):
        try:
            check_booster_text(bad)
            passed.append((kind, name, bad))
        except BrokenData:
            refused[kind] += 1
    left = Counter(kind for kind, _, _ in passed)
    assert set(left) <= {"other", "leaf", "digit", "bit", "line"}, left  # a line of training's parameters, unused
    assert refused["cut"] == refused["length"] == refused["name"] == refused["trees"] == N_MUTANTS // len(KINDS)
    assert sum(refused.values()) >= 0.72 * N_MUTANTS, (refused, left)
    for start in range(0, len(passed), 50):  # 50 in each child: one that crashed would fail the test
        require_loadable({f"{n}": bad for n, (_, _, bad) in enumerate(passed[start : start + 50])})


def test_without_a_digest_lightgbm_meets_a_text_in_a_process_of_its_own(
    runs: tuple[Path, Path], tmp_path: Path
) -> None:
    """A cut text crashes LightGBM; the child is what ends."""
    text = (runs[0] / "model" / "absolute.txt").read_bytes()
    with pytest.raises(BrokenData, match="could not use"):
        require_loadable({"absolute.txt": text[: len(text) // 3]})
    with pytest.raises(BrokenData, match="within"):
        require_loadable({"absolute.txt": text}, seconds=0.01)


def test_files_with_matching_digests_but_another_content_are_refused(runs: tuple[Path, Path], tmp_path: Path) -> None:
    """Who writes the text can write its digest, too: then the structure and the schema must tell."""
    folder = tmp_path / "model"
    shutil.copytree(runs[0] / "model", folder)

    def put(name: str, data: bytes) -> None:
        (folder / name).write_bytes(data)
        said = json.loads((folder / "model.json").read_bytes())
        said["files"][name] = sha256(data)
        (folder / "model.json").write_text(json.dumps(said))

    good = (folder / "absolute.txt").read_bytes()
    for bad in (b"", b"tree\n", good[:5000], good.replace(b"num_leaves=", b"num_leaves=9", 1), b"\xff" * 100):
        put("absolute.txt", bad)
        with pytest.raises(BrokenData):
            load_model(folder)
    put("absolute.txt", (folder / "corrected.txt").read_bytes())
    with pytest.raises(BrokenData, match="numbers of features"):
        load_model(folder)
    put("absolute.txt", good)
    whole = (folder / "model.json").read_text()
    for part, name, value in (
        ("sizes", "name", "no such number"),
        ("kriging", "nugget", 0.0),
        ("kriging", "reach", -1.0),
    ):
        said = json.loads(whole)
        said["nearby"][part][name] = value
        (folder / "model.json").write_text(json.dumps(said))
        with pytest.raises(BrokenData, match=r"no number among|do not fit together"):
            load_model(folder)
    (folder / "model.json").write_text(whole)
    for bad in (b"", b"PK\x03\x04", (folder / "arrays.npz").read_bytes()[:2000]):
        put("arrays.npz", bad)
        with pytest.raises(BrokenData):
            load_model(folder)


@pytest.mark.parametrize("seed", range(4))
def test_what_lightgbm_writes_is_never_refused(seed: int) -> None:
    """Constant and empty columns, kinds, missing values, weights of zero gain, trees of one leaf."""
    rng = np.random.default_rng(seed)
    n = 300
    matrix = np.column_stack(
        [
            rng.normal(size=n) * 10.0 ** rng.integers(-12, 12),
            np.where(rng.random(n) < 0.3, np.nan, rng.integers(0, 3, n)),
            np.full(n, np.nan),
            np.ones(n),
            np.where(rng.random(n) < 0.2, np.nan, rng.integers(0, 70, n)),
            np.abs(rng.normal(size=n)) * (rng.random(n) < 0.5),
            -np.abs(rng.normal(size=n)) * (rng.random(n) < 0.5),
        ]
    )
    target = np.nan_to_num(matrix[:, 1]) + (np.nan_to_num(matrix[:, 4]) % 7) + rng.normal(0, 0.1, n)
    for objective in ("l1", "l2"):
        for rows, goal in ((n, target), (n, np.zeros(n)), (12, target)):
            params = {
                "objective": objective,
                "verbosity": -1,
                "num_threads": 1,
                "num_leaves": 63,
                "min_data_in_leaf": 3,
            }
            data = lgb.Dataset(matrix[:rows], goal[:rows], categorical_feature=[1, 4])
            text = lgb.train(params, data, 15).model_to_string()
            shape = check_booster_text(text.encode())
            assert shape.n_features == 7
            assert set(shape.categorical) <= {1, 4}


def test_a_seal_binds_to_its_key_its_manifest_and_its_purpose(runs: tuple[Path, Path], tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(runs[0] / "model", folder)
    manifest = read_manifest(folder)
    key, stranger = new_key(), new_key()
    statement = statement_of(manifest, asset_class="agriculture", currency="CNY", trainer="Li")
    made = seal(statement, key)
    (folder / SEAL).write_bytes(made.as_bytes())
    assert made.signer({"Li": public_hex(key)}) == "Li"
    assert made.signer({"Li": public_hex(stranger)}) is None
    assert seal(statement, None).signer({"Li": public_hex(key)}) is None
    for name in ("asset_class", "currency", "target", "features_sha256", "window", "trainer", "manifest_sha256"):
        forged = json.loads(made.as_bytes())
        forged["statement"][name] = "x"
        assert read_seal(canonical(forged)).signer({"Li": public_hex(key)}) is None, name
    with pytest.raises(BrokenData, match="not signed"):
        require_sealed(folder, made, {"Li": public_hex(stranger)})
    (folder / "more.txt").write_text("x")
    with pytest.raises(BrokenData, match=r"more\.txt"):
        require_sealed(folder, made, {"Li": public_hex(key)})
