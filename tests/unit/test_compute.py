"""Blocks on threads, processes or a cluster: order of results, progress, faults."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from pydantic import ValidationError

from geocollateral.compute import ComputeParams, run_blocks
from geocollateral.errors import BrokenData, ServiceUnavailable

LOCAL = [
    ComputeParams(scheduler="synchronous"),
    ComputeParams(scheduler="threads"),
    ComputeParams(scheduler="threads", workers=1),
    ComputeParams(scheduler="threads", workers=7),
]


def square(number: int) -> int:
    return number * number


def slow_first(number: int) -> int:
    time.sleep(0.02 if number == 0 else 0)
    return number


def fail_at_three(number: int) -> int:
    if number == 3:
        raise BrokenData("the third block is corrupt")
    return number


@pytest.mark.parametrize("params", LOCAL, ids=lambda p: f"{p.scheduler}-{p.workers}")
def test_results_come_in_the_order_of_the_tasks(params: ComputeParams) -> None:
    assert run_blocks(square, list(range(20)), params) == [n * n for n in range(20)]
    assert run_blocks(slow_first, list(range(5)), params) == list(range(5))


@pytest.mark.parametrize("params", LOCAL, ids=lambda p: f"{p.scheduler}-{p.workers}")
def test_progress_counts_every_task_once(params: ComputeParams) -> None:
    seen: list[tuple[int, int]] = []
    run_blocks(square, list(range(6)), params, lambda done, of: seen.append((done, of)))
    assert seen == [(n, 6) for n in range(1, 7)]


def wait_for_the_other(given: tuple[Path, int]) -> bool:
    """Whether the other block had begun before this one ended."""
    home, number = given
    (home / str(number)).touch()
    until = time.monotonic() + 60
    while not (home / str(1 - number)).exists():
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


def test_blocks_are_shared_out_among_processes(tmp_path: Path) -> None:
    params = ComputeParams(scheduler="processes", workers=2)
    assert run_blocks(wait_for_the_other, [(tmp_path, 0), (tmp_path, 1)], params) == [True, True]


@pytest.mark.parametrize("params", LOCAL, ids=lambda p: f"{p.scheduler}-{p.workers}")
def test_nothing_to_do_is_no_fault(params: ComputeParams) -> None:
    assert run_blocks(square, [], params, lambda *_: pytest.fail("no progress without a task")) == []


@pytest.mark.parametrize("params", LOCAL, ids=lambda p: f"{p.scheduler}-{p.workers}")
def test_a_failure_comes_out_as_it_is(params: ComputeParams) -> None:
    with pytest.raises(BrokenData, match="the third block is corrupt"):
        run_blocks(fail_at_three, list(range(5)), params)


def test_equal_tasks_are_run_each() -> None:
    """Tasks are told apart by their place, never by their content."""
    ran: list[int] = []
    assert run_blocks(lambda n: ran.append(n) or n, [1, 1, 1], ComputeParams(scheduler="synchronous")) == [1, 1, 1]
    assert ran == [1, 1, 1]


def test_workers_bound_how_many_run_at_once() -> None:
    lock, running, most = threading.Lock(), 0, 0

    def work(_: int) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.005)
        with lock:
            running -= 1

    run_blocks(work, list(range(12)), ComputeParams(scheduler="threads", workers=2))
    assert most == 2


def test_no_scheduler_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("geocollateral.compute.CONNECT_SECONDS", 0.3)
    with pytest.raises(ServiceUnavailable, match=r"tcp://127\.0\.0\.1:1\b"):
        run_blocks(square, [1], ComputeParams(scheduler="tcp://127.0.0.1:1"))


@pytest.mark.parametrize(
    ("field", "value"),
    [("scheduler", "slurm"), ("scheduler", ""), ("workers", 0), ("workers", 257), ("retries", -1), ("threads", 2)],
)
def test_bounds(field: str, value: object) -> None:
    with pytest.raises(ValidationError):
        ComputeParams.model_validate({field: value})
