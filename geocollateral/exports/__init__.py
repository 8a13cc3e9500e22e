"""What people and other programs get to see."""

from __future__ import annotations

from geocollateral.exports.chips import chip_files
from geocollateral.exports.geojson import parcels_geojson
from geocollateral.exports.report import report_html
from geocollateral.exports.tables import alerts_json, changes_parquet, rows_parquet, scenes_json, series_parquet
from geocollateral.exports.terminal import summary_rows
from geocollateral.types import Assessment

__all__ = ["render", "summary_rows"]


def render(assessment: Assessment, lang: str = "en") -> dict[str, bytes]:
    """Every file of a result folder but ``run.json``, which the store writes.

    Parameters
    ----------
    assessment
        The result of one run.
    lang
        Language of the report: ``en`` or ``zh``.

    Returns
    -------
    Content by file name. The same assessment gives the same bytes.

    Raises
    ------
    InvalidInput
        The language is not known.
    BrokenData
        The assessment is not as its type says; among others, a parcel that cannot be judged carries a value.
    """
    return {
        "parcels.geojson": parcels_geojson(assessment.parcels),
        "alerts.json": alerts_json(assessment.alerts),
        "series.parquet": series_parquet(assessment.series),
        "changes.parquet": changes_parquet(assessment.changes),
        **{f"tables/{name}.parquet": rows_parquet(rows) for name, rows in assessment.tables.items()},
        "scenes.json": scenes_json(assessment.scenes),
        "report.html": report_html(assessment, lang),
        **chip_files(assessment.chips),
    }
