"""The registry of loan projects, pledges and legal overlays: one object over one database."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import Self

import numpy as np
import shapely
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine

from geocollateral.store import overlays, projects
from geocollateral.store.database import open_database, reading, writing
from geocollateral.store.models import ModelRegistry


class LoanRegistry:
    """Loan projects, pledges and overlays of one database. A context manager; each method is one transaction.

    Times are arguments: the registry asks no clock.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give up the connections."""
        self._engine.dispose()

    @property
    def title(self) -> str:
        """Where the registry is, without a password."""
        return self._engine.url.render_as_string(hide_password=True)

    @property
    def models(self) -> ModelRegistry:
        """Value models of the same database."""
        return ModelRegistry(self._engine)

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for several questions; see `database.reading`."""
        with reading(self._engine) as connection:
            yield connection

    def add_project(self, given: projects.Submission, at: dt.datetime) -> projects.Added:
        """See `projects.add_project`."""
        with writing(self._engine) as connection:
            return projects.add_project(connection, given, at)

    def release(self, project_id: int, parcel: str, *, loan: str | None, on: dt.date, at: dt.datetime) -> int:
        """See `projects.release`."""
        with writing(self._engine) as connection:
            projects.require_project(connection, project_id)
            return projects.release(connection, project_id, parcel, loan=loan, on=on, at=at)

    def name_borrowers(self, names: Mapping[str, str], at: dt.datetime) -> int:
        """See `projects.name_borrowers`."""
        with writing(self._engine) as connection:
            return projects.name_borrowers(connection, names, at)

    def link_run(self, project_id: int, run: projects.RunRow, at: dt.datetime) -> None:
        """See `projects.link_run`."""
        with writing(self._engine) as connection:
            projects.require_project(connection, project_id)
            projects.link_run(connection, project_id, run, at)

    def list_projects(self, day: dt.date, branch: str | None = None) -> list[projects.ProjectRow]:
        """See `projects.list_projects`."""
        with reading(self._engine) as connection:
            return projects.list_projects(connection, day, branch)

    def require_project(self, project_id: int) -> projects.ProjectRow:
        """See `projects.require_project`."""
        with reading(self._engine) as connection:
            return projects.require_project(connection, project_id)

    def pledges(self, asked: projects.LiveQuery) -> list[projects.PledgedParcel]:
        """See `projects.find_pledges`."""
        with reading(self._engine) as connection:
            return projects.find_pledges(connection, asked)

    def loans_of(self, project_id: int) -> list[projects.LoanRow]:
        """See `projects.loans_of`."""
        with reading(self._engine) as connection:
            return projects.loans_of(connection, project_id)

    def runs_of(self, project_id: int) -> list[projects.RunRow]:
        """See `projects.runs_of`."""
        with reading(self._engine) as connection:
            return projects.runs_of(connection, project_id)

    def borrower_names(self, keys: Sequence[str]) -> dict[str, str]:
        """See `projects.borrower_names`."""
        with reading(self._engine) as connection:
            return projects.borrower_names(connection, keys)

    def add_layer(self, given: overlays.LayerEntry, at: dt.datetime) -> tuple[int, bool]:
        """See `overlays.add_layer`."""
        with writing(self._engine) as connection:
            return overlays.add_layer(connection, given, at)

    def list_layers(self) -> list[overlays.LayerRow]:
        """See `overlays.list_layers`."""
        with reading(self._engine) as connection:
            return overlays.list_layers(connection)

    def layers_near(
        self, month: str, boxes: NDArray[np.float64]
    ) -> list[tuple[overlays.LayerRow, list[shapely.Geometry]]]:
        """Layers in force in a month, each with its outlines near some boxes (shape (box, 4) [degrees])."""
        with reading(self._engine) as connection:
            layers = overlays.layers_in_force(connection, month)
            found = overlays.features_near(connection, [layer.layer_id for layer in layers], boxes)
        return [(layer, found.get(layer.layer_id, [])) for layer in layers]


def open_registry(url: str, *, create: bool = False) -> LoanRegistry:
    """The registry at a URL; see `database.open_database`."""
    return LoanRegistry(open_database(url, create=create))
