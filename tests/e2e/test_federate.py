"""`geocollateral federate` across real processes: four of them, on loopback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import yaml
from banks import banks, plan

FEDERATE = [sys.executable, "-m", "geocollateral", "federate"]
NAMES = ("bank0", "bank1", "bank2")


@pytest.fixture
def running() -> Iterator[list[subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []
    yield started
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def start(running: list[subprocess.Popen[str]], *words: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [*FEDERATE, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    running.append(process)
    return process


def prepare(folder: Path, **changes: object) -> None:
    """Tables, keys and the plan; keys are made as the command does, without a process for each."""
    from geocollateral.federation import new_key

    keys = {name: new_key(folder / f"{name}.pem") for name in (*NAMES, "coordinator")}
    agreed = plan({name: keys[name] for name in NAMES}, coordinator=keys["coordinator"], **changes)
    (folder / "plan.yaml").write_text(yaml.safe_dump(agreed.model_dump(mode="json")), encoding="utf-8")
    for name, table in banks((250, 300, 500)).items():
        table.to_csv(folder / f"{name}.csv", index=False)


def begin(running: list[subprocess.Popen[str]], timeout: str) -> tuple[subprocess.Popen[str], str]:
    lead = start(
        running, "coordinate", "plan.yaml", "--key", "coordinator.pem", "--listen", "127.0.0.1:0", "--out", "joint",
        "--timeout", timeout,
    )  # fmt: skip
    assert lead.stdout is not None
    first = lead.stdout.readline()
    assert first.startswith("listening"), first + lead.communicate()[1]
    return lead, first.strip().rpartition(" ")[2]


def join(running: list[subprocess.Popen[str]], name: str, address: str) -> subprocess.Popen[str]:
    return start(
        running, "join", f"{name}.csv", "--plan", "plan.yaml", "--party", name, "--key", f"{name}.pem",
        "--connect", address, "--out", f"out/{name}", "--timeout", "30",
    )  # fmt: skip


def test_three_banks_and_a_coordinator(running: list[subprocess.Popen[str]]) -> None:
    prepare(Path(), learning={"trees": 20, "depth": 4})
    lead, address = begin(running, "40")
    parties = {name: join(running, name, address) for name in NAMES}
    for name, process in {**parties, "coordinator": lead}.items():
        out, error = process.communicate(timeout=60)
        assert process.returncode == 0, (name, out, error)

    models = {
        (Path(folder) / "model" / "model.json").read_bytes() for folder in ("joint", *(f"out/{n}" for n in NAMES))
    }
    assert len(models) == 1
    joint = json.loads(Path("joint/ratio_study.json").read_text())
    own = {n: json.loads(Path(f"out/{n}/ratio_study.json").read_text()) for n in NAMES}
    assert joint["all_parties"]["n"] == sum(study["n_held_out"] for study in own.values())
    assert joint["n_learned"] == sum(study["n_own_learned"] for study in own.values())
    assert 0.05 < joint["all_parties"]["mdape"] < 0.14
    assert sorted(p.name for p in Path("joint").iterdir()) == ["card.md", "model", "ratio_study.json"]
    for name in NAMES:
        told = pd.read_parquet(f"out/{name}/predictions.parquet")
        assert (pd.to_datetime(told["sold"]) > "2023-04-30").all()
        assert len(told) == own[name]["n_held_out"]
        log = [json.loads(line) for line in Path(f"out/{name}.sent.jsonl").read_text().splitlines()]
        assert {entry["kind"] for entry in log[1:]} == {"hello", "joined", "sum", "received"}
        assert all(len(entry["sha256"]) == 64 and entry["bytes"] > 0 for entry in log[1:])


def test_a_bank_that_is_killed_ends_the_session_and_nothing_is_saved(running: list[subprocess.Popen[str]]) -> None:
    prepare(Path(), learning={"trees": 2000, "depth": 7, "rate": 0.001, "in_leaf": 10})
    lead, address = begin(running, "40")
    parties = {name: join(running, name, address) for name in NAMES}
    log, end = Path("out/bank1.sent.jsonl"), time.monotonic() + 40
    while not (log.is_file() and '"of": "grow"' in log.read_text()):
        assert time.monotonic() < end
        assert lead.poll() is None, lead.communicate()
        time.sleep(0.05)
    parties["bank1"].kill()
    out, error = lead.communicate(timeout=60)
    assert lead.returncode == 5, (out, error)
    assert "bank1" in error
    assert "Nothing was saved" in error
    for name in ("bank0", "bank2"):
        told = parties[name].communicate(timeout=60)[1]
        assert parties[name].returncode == 5, told
        assert "bank1" in told
        assert Path(f"out/{name}.sent.jsonl").is_file()
    assert not Path("joint").exists()
    assert not [p for p in Path("out").iterdir() if p.is_dir()]
