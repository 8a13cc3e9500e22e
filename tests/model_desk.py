"""A bank's desk: the command line with its settings, the keys of its people and its registry in a folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from geocollateral import cli, model_governance
from geocollateral.errors import GeocollateralError
from geocollateral.store import open_registry
from geocollateral.valuation.model_seal import ModelParams


class Desk:
    """The command line with its settings, keys and registry in a folder."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.settings = home / "settings.yaml"
        self.keys = {}
        for name in ("Li Wei", "Wang"):
            out = self.ok("models", "keygen", "--out", str(home / f"{name}.pem"))
            self.keys[name] = out.split("Public key:")[1].strip()
        self.params: dict[str, Any] = {"trusted_keys": self.keys, "review_rows": 5}
        self.write()

    def write(self) -> None:
        url = f"sqlite:///{self.home / 'registry.sqlite'}"
        self.settings.write_text(json.dumps({"store": {"url": url}, "models": self.params}))

    def run(self, *words: str) -> Result:
        extra = [] if words[:2] == ("models", "keygen") else ["--settings", str(self.settings)]
        return CliRunner().invoke(cli.app, [*words, *extra])

    def ok(self, *words: str) -> str:
        done = self.run(*words)
        assert done.exit_code == 0, (done.output, done.exception)
        return done.output

    def refused(self, match: str, *words: str) -> None:
        done = self.run(*words)
        assert isinstance(done.exception, GeocollateralError), done.output
        assert match in str(done.exception)

    def act(self, *words: str, person: str) -> list[str]:
        key = ["--key", str(self.home / f"{person}.pem")] if person in self.keys else []
        return [*words, "--person", person, "--role", "validation", "--reason", "looked at it", *key]

    def approved(self) -> Any:
        with open_registry(f"sqlite:///{self.home / 'registry.sqlite'}") as registry:
            params = ModelParams(**self.params)
            return model_governance.approved_model(registry, asset_class="agriculture", currency="CNY", params=params)

    def register(
        self, run: Path, *words: str, person: str = "Li Wei", asset_class: str = "agriculture", currency: str = "CNY"
    ) -> None:
        kind = ["--asset-class", asset_class, "--currency", currency]
        self.ok(*self.act("models", "register", str(run), *kind, *words, person=person))

    def release(
        self, run: Path, *words: str, model: str = "M1", asset_class: str = "agriculture", currency: str = "CNY"
    ) -> None:
        """Register, review and approve; ``words``: options of each decision, such as its time."""
        self.register(run, *words, asset_class=asset_class, currency=currency)
        self.approve(*words, model=model)

    def approve(self, *words: str, model: str = "M1") -> None:
        drawn = json.loads(self.ok(*self.act("models", "sample", model, "--json", *words, person="Zhao")))
        for row in drawn["rows"]:
            said = ["--row", str(row), "--verdict", "agree"]
            self.ok(*self.act("models", "verdict", model, *said, *words, person="Zhao"))
        for person in ("Wang", "Zhao"):
            self.ok(*self.act("models", "approve", model, *words, person=person))
