"""Runs blocks as Dask tasks: on threads, on processes, or on a cluster by its scheduler's address.

Nothing else is parallel.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import dask
from dask.callbacks import Callback
from pydantic import Field, field_validator

from geocollateral.errors import ServiceUnavailable
from geocollateral.types import Params

Task = TypeVar("Task")
Result = TypeVar("Result")
Progress = Callable[[int, int], None]
"""Called with tasks done and tasks in all."""


CONNECT_SECONDS = 10.0
"""How long a scheduler may take to answer [s]."""


class ComputeParams(Params):
    """Where and how blocks run."""

    scheduler: str = Field(
        "threads",
        description="'threads', 'processes', 'synchronous', or the address of a Dask scheduler (tcp://host:8786).",
    )
    workers: int | None = Field(None, ge=1, le=256, description="Local threads or processes; by default one per core.")
    retries: int = Field(2, ge=0, le=10, description="How often a cluster repeats a block whose worker died.")

    @field_validator("scheduler")
    @classmethod
    def _known(cls, value: str) -> str:
        if value in {"threads", "processes", "synchronous"} or "://" in value:
            return value
        raise ValueError("expected 'threads', 'processes', 'synchronous' or an address such as tcp://host:8786")


def run_blocks(
    function: Callable[[Task], Result], tasks: Sequence[Task], params: ComputeParams, progress: Progress | None = None
) -> list[Result]:
    """Results of ``function`` on each task, in the order of the tasks.

    Parameters
    ----------
    function
        Pure and importable by name: it may run more than once and in another process.

    Raises
    ------
    ServiceUnavailable
        The cluster cannot be reached.
    Whatever the function raises; the first failure ends the run.
    """
    if "://" in params.scheduler:
        return _on_cluster(function, tasks, params, progress)
    keys = [f"block-{number}" for number in range(len(tasks))]
    lazy = [dask.delayed(function, pure=False)(task, dask_key_name=key) for key, task in zip(keys, tasks, strict=True)]
    # One block at a time for each worker: by default a process is given six at once, and others have none to do.
    how = {"scheduler": params.scheduler, "num_workers": params.workers, "chunksize": 1, "optimize_graph": False}
    with _Count(set(keys), progress):
        return list(dask.compute(*lazy, **how))


class _Count(Callback):
    def __init__(self, keys: set[str], progress: Progress | None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._keys, self._progress, self._done = keys, progress, 0

    def _posttask(self, key: Any, result: Any, dsk: Any, state: Any, worker_id: Any) -> None:
        if self._progress is not None and key in self._keys:
            self._done += 1
            self._progress(self._done, len(self._keys))


def _on_cluster(
    function: Callable[[Task], Result], tasks: Sequence[Task], params: ComputeParams, progress: Progress | None
) -> list[Result]:
    from distributed import Client, KilledWorker, as_completed

    try:
        client = Client(params.scheduler, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, TimeoutError) as error:
        raise ServiceUnavailable(f"No Dask scheduler answers at {params.scheduler}: {error}") from error
    with client:
        futures = client.map(function, tasks, pure=False, retries=params.retries)
        for done, _ in enumerate(as_completed(futures, loop=client.loop), start=1):
            if progress is not None:
                progress(done, len(tasks))
        try:
            return list(client.gather(futures))
        except KilledWorker as error:
            raise ServiceUnavailable(
                f"A block killed {params.retries + 1} workers of {params.scheduler}, as when memory runs out: {error}"
            ) from error
