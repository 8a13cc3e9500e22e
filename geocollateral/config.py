"""Settings: the parameter objects of the stages, nested. From YAML, then from the environment; unknown keys refused."""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from geocollateral.assets.agriculture import AgricultureParams
from geocollateral.assets.aquaculture import AquacultureParams
from geocollateral.assets.construction import ConstructionParams
from geocollateral.assets.damage import DamageParams
from geocollateral.assets.decision import DecisionParams, DecisionTable
from geocollateral.assets.forestry import ForestryParams
from geocollateral.assets.mixture import MixtureParams
from geocollateral.assets.solar import SolarParams
from geocollateral.assets.wind import WindParams
from geocollateral.change.evidence import SequentialParams
from geocollateral.compute import ComputeParams
from geocollateral.errors import InvalidInput, MissingInput
from geocollateral.intake import IntakeParams, PledgeParams
from geocollateral.observe.datum_fit import DatumFitParams
from geocollateral.observe.indices import bands_of
from geocollateral.observe.masks import MaskParams
from geocollateral.observe.plan import PlanParams
from geocollateral.observe.shift import ShiftParams
from geocollateral.risk.clocks import ClockParams
from geocollateral.risk.rules import LimitParams
from geocollateral.risk.scenarios import StressParams
from geocollateral.risk.score import ScoreParams
from geocollateral.sources.raster.access import AccessParams
from geocollateral.store.database import StoreParams
from geocollateral.types import Params
from geocollateral.valuation import ApproachParams
from geocollateral.valuation.model_seal import ModelParams

PREFIX = "GEOCOLLATERAL_"


class Settings(BaseSettings):
    """All knobs of a run. Environment variables are named ``GEOCOLLATERAL_MASKS__DILATE_M`` and win over the file."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        nested_model_default_partial_update=True,
    )

    intake: IntakeParams = Field(IntakeParams(), description="The check of files of parcels.")
    plan: PlanParams = Field(PlanParams(), description="How parcels are gathered into blocks.")
    masks: MaskParams = Field(MaskParams(), description="The clear mask.")
    change: dict[str, dict[str, Any]] = Field(
        {}, description="Per index, fields of the change monitor's parameters that replace the asset class's choice."
    )
    forestry: ForestryParams = Field(ForestryParams(), description="The judgement of a forest.")
    agriculture: AgricultureParams = Field(AgricultureParams(), description="The judgement of farmland.")
    solar: SolarParams = Field(SolarParams(), description="The judgement of a solar plant.")
    wind: WindParams = Field(WindParams(), description="The judgement of a wind plant.")
    construction: ConstructionParams = Field(ConstructionParams(), description="The judgement of a building site.")
    aquaculture: AquacultureParams = Field(AquacultureParams(), description="The judgement of ponds.")
    damage: DamageParams = Field(DamageParams(), description="Damage of a fire or a flood, reported or found.")
    mixture: MixtureParams = Field(MixtureParams(), description="Whether a polygon holds one use.")
    decision: DecisionParams = Field(
        default_factory=lambda: DecisionParams(table=load_decision_table()),
        description="Operating points and probabilities of alerts.",
    )
    shift: ShiftParams = Field(ShiftParams(), description="The place of orthomosaics against Sentinel-2.")
    datum_fit: DatumFitParams = Field(DatumFitParams(), description="The datum stated against the imagery's edges.")
    valuation: ApproachParams = Field(ApproachParams(), description="Values by income, cost and market.")
    pledges: PledgeParams = Field(PledgeParams(), description="When two pledges cover the same ground.")
    limits: LimitParams = Field(LimitParams(), description="Limits of the bank that the risk rules hold to.")
    clocks: ClockParams = Field(ClockParams(), description="When values and looks are overdue.")
    risk_score: ScoreParams = Field(ScoreParams(), description="The risk score.")
    stress: StressParams = Field(StressParams(), description="Scenarios of the portfolio.")
    store: StoreParams = Field(StoreParams(), description="Where the registry of loan projects is.")
    models: ModelParams = Field(ModelParams(), description="Whose signatures count on value models.")
    access: AccessParams = Field(AccessParams(), description="How services and files of imagery are reached.")
    compute: ComputeParams = Field(ComputeParams(), description="Where and how blocks run.")

    @field_validator("decision", mode="before")
    @classmethod
    def _table_of_file(cls, given: Any) -> Any:
        """The table may be named by its file; without one it is the table shipped."""
        if not isinstance(given, dict):
            return given
        named = given.get("table")
        try:
            if named is None or isinstance(named, str):
                return {**given, "table": load_decision_table(None if named is None else Path(named))}
        except (InvalidInput, MissingInput) as error:
            raise ValueError(str(error)) from error
        return given

    @field_validator("change")
    @classmethod
    def _known_knobs(cls, given: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        """Each index exists and each knob is one of the monitor's, within its bounds: told now, not in a block."""
        for index, knobs in given.items():
            try:
                bands_of(index)
                SequentialParams.model_validate(knobs)
            except InvalidInput as error:
                raise ValueError(str(error)) from error
            except ValidationError as error:
                raise ValueError(_faults(error, "change", index)) from error
        return given

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the file, so that one deployment can differ from the shared file."""
        return env_settings, init_settings


def load_decision_table(path: Path | None = None) -> DecisionTable:
    """Thresholds and probabilities from a file that `--calibrate` wrote; None: those shipped with the package.

    Raises
    ------
    MissingInput
        The file does not exist.
    InvalidInput
        It is not YAML, or no such table; the message names each fault.
    """
    if path is not None and not path.is_file():
        raise MissingInput(f"Decision table {path} does not exist.")
    source = resources.files("geocollateral.assets") / "decision.yaml" if path is None else path
    try:
        return DecisionTable.model_validate(yaml.safe_load(source.read_text(encoding="utf-8")))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidInput(f"Decision table {source} is not YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        raise InvalidInput(f"Decision table {source}: {_faults(error)}") from error


def load_settings(path: Path | None = None) -> Settings:
    """Settings from a YAML file and the environment.

    Raises
    ------
    MissingInput
        The file does not exist.
    InvalidInput
        Not YAML, an unknown key or a value out of bounds; the message names each.
    """
    given: dict[str, Any] = {}
    if path is not None:
        if not path.is_file():
            raise MissingInput(f"Settings file {path} does not exist.")
        try:
            loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise InvalidInput(f"Settings file {path} is not YAML: {' '.join(str(error).split())}") from error
        if loaded is not None and not isinstance(loaded, dict):
            raise InvalidInput(
                f"Settings file {path} must hold a mapping of names to values, got {type(loaded).__name__}."
            )
        given = {str(name): value for name, value in (loaded or {}).items()}
    _require_known_variables()
    where = f"Settings in {path}" if path else "Settings"
    try:
        return Settings(**given)
    except ValidationError as error:
        raise InvalidInput(f"{where}: {_faults(error)}") from error
    except SettingsError as error:
        raise InvalidInput(f"Settings in the environment: {error}: expected JSON, or one variable per knob.") from error


def _require_known_variables() -> None:
    """A variable under our prefix that names no part of the settings is a slip of the pen, and would be passed over."""
    for variable in os.environ:
        name = variable.upper()
        if (
            name.startswith(PREFIX)
            and name.removeprefix(PREFIX).partition("__")[0].lower() not in Settings.model_fields
        ):
            raise InvalidInput(
                f"Environment variable {variable} names no part of the settings. Expected {PREFIX} and one of "
                f"{', '.join(Settings.model_fields).upper()}."
            )


def _faults(error: ValidationError, *above: str) -> str:
    """One clause per fault: where, what was expected, what was received."""
    return "; ".join(
        f"{'.'.join(map(str, (*above, *e['loc'])))}: {e['msg']}, got {e['input']!r}" for e in error.errors()
    )


def settings_tables() -> str:
    """Every knob with its default, bounds and meaning, as the Markdown of ``docs/settings.md``."""
    parts = [
        _section("intake", IntakeParams),
        _section("plan", PlanParams),
        _section("masks", MaskParams),
        _section("change.ndvi, change.ndmi, ...", SequentialParams),
        _section("forestry", ForestryParams),
        _section("agriculture", AgricultureParams),
        _section("construction", ConstructionParams),
        _section("solar", SolarParams),
        _section("wind", WindParams),
        _section("aquaculture", AquacultureParams),
        _section("damage", DamageParams),
        _section("mixture", MixtureParams),
        _section("decision", DecisionParams),
        _section("shift", ShiftParams),
        _section("datum_fit", DatumFitParams),
        _section("pledges", PledgeParams),
        _section("limits", LimitParams),
        _section("clocks", ClockParams),
        _section("risk_score", ScoreParams),
        _section("stress", StressParams),
        _section("store", StoreParams),
        _section("models", ModelParams),
        _section("access", AccessParams),
        _section("compute", ComputeParams),
    ]
    return "\n".join(parts)


def _section(title: str, params: type[Params]) -> str:
    lines = [f"## `{title}`", "", "| name | default | bounds | meaning |", "|---|---|---|---|"]
    inner: list[str] = []
    for name, field in params.model_fields.items():
        if isinstance(field.default, Params):
            inner += ["", _section(f"{title}.{name}", type(field.default))]
            continue
        default = "null" if field.default is None else field.default
        of_records = isinstance(default, dict) and any(isinstance(item, (Params, dict)) for item in default.values())
        shown = list(default) if isinstance(default, tuple) or of_records else default
        lines.append(f"| `{name}` | `{shown}` | {_bounds(field.metadata)} | {field.description} |")
    return "\n".join([*lines, *inner, ""])


def _bounds(metadata: list[Any]) -> str:
    signs = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
    found = [
        f"{sign} {getattr(rule, name):g}" for rule in metadata for name, sign in signs.items() if hasattr(rule, name)
    ]
    return ", ".join(found)
