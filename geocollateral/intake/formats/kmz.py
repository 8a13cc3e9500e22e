"""KMZ: a ZIP archive with one KML document. Pictures and models beside it are not read."""

from __future__ import annotations

from dataclasses import replace

from geocollateral.errors import InvalidInput
from geocollateral.intake.features import Note, Reading
from geocollateral.intake.formats import kml
from geocollateral.intake.formats.archive import Archive, by_ending, skip_clutter


def parse(content: bytes, name: str) -> Reading:
    """Features of the KML in the archive.

    Raises
    ------
    InvalidInput
        The archive breaks a limit, holds no KML or more than one, or its KML has faults.
    """
    archive = Archive(content, name)
    kept, _ = skip_clutter(archive.names)
    documents = by_ending(kept).get(".kml", [])
    if len(documents) != 1:
        raise InvalidInput(
            f"{name}: expected one KML in the archive, got "
            f"{len(documents)}{': ' + ', '.join(documents)[:120] if documents else ''}. Send each as a file of its own."
        )
    reading = kml.parse(archive.read(documents[0]), f"{name} ({documents[0]})")
    others = [each for each in kept if each != documents[0]]
    notes: list[Note] = []
    if others:
        notes.append(("warning", f"the archive also holds {', '.join(others)[:200]}, which is not read"))
    return replace(reading, format="kmz", notes=(*reading.notes, *notes))
