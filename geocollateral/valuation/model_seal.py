"""What was trained, and who vouches for it: the manifest of a model's folder, and an Ed25519 signature over it.

The manifest names every file by its SHA-256. The seal states which manifest is meant and for what (asset class,
currency, target, features, window of training, trainer) and is signed (RFC 8032). Both are canonical JSON: there is one
way to write them, so that any changed byte is seen.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, field_validator

from geocollateral.errors import BrokenData, InvalidInput, MissingInput
from geocollateral.types import MU_M2, Params
from geocollateral.valuation.sales import is_money

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

MANIFEST, SEAL = "manifest.json", "seal.json"
PRICE_PER: Mapping[str, float | None] = {"total": None, "mu": MU_M2, "ha": 1e4, "m2": 1.0}
"""What a price of a model is of: the whole parcel, or a unit of its area, with that unit [m2]."""
_PER_AREA = re.compile(
    r"per[ _.]?(mu|ha|hectare|m2|sqm|sq|acre|area|unit)|/ ?(mu|ha|m2|亩|公顷|㎡|平)|(^|[ _.])unit[ _.]?price|"
    r"单价|每亩|每公顷|每平|亩均",
    re.IGNORECASE,
)
_MAX_JSON = 8_000_000
_KEY_HEX = 64


class ModelParams(Params):
    """Whose signatures count, and how often models are looked at."""

    trusted_keys: dict[str, str] = Field(
        {},
        description="Public keys by the name of the person: 64 hexadecimal digits, as `geocollateral models keygen` "
        "prints. A model is used only if one of them signed it, and who has a key here can act only with it.",
    )
    review_rows: int = Field(
        30, ge=5, le=1000, description="Held-out estimates in the random sample that people look at before a release."
    )
    review_days: int = Field(
        30, ge=1, le=365, description="Days until the verdicts on a sample are due; later, releases are blocked."
    )
    max_age_days: int = Field(
        730, ge=30, le=3650, description="Days from the last sale learned from after which a model values nothing."
    )
    max_bias_frac: float = Field(
        0.10,
        gt=0,
        lt=1,
        description="Median error to one side in the last back-test of a model beyond which it values nothing, if all "
        "of its 95 % interval lies beyond [0-1].",
    )
    leads: bool = Field(
        True, description="The value by an approved model is the value of a parcel; false: it only stands beside."
    )
    columns: dict[str, str] = Field(
        {},
        description="By feature of a model, the column of a run that holds it where their names differ, such as "
        "`kind: obs_use`; never one of claims, loans, values or prices.",
    )
    require_keys: bool = Field(
        False, description="Decisions on models only from persons who have a key above; else a name is taken as given."
    )

    @field_validator("trusted_keys")
    @classmethod
    def _are_keys(cls, given: dict[str, str]) -> dict[str, str]:
        for name, key in given.items():
            if len(key) != _KEY_HEX or not set(key) <= set("0123456789abcdef"):
                raise ValueError(f"the key of {name!r} is not {_KEY_HEX} hexadecimal digits in lower case")
        if len({person_key(name) for name in given}) < len(given):
            raise ValueError("one person is named twice")
        return given

    @field_validator("columns")
    @classmethod
    def _are_no_claims(cls, given: dict[str, str]) -> dict[str, str]:
        for feature, column in given.items():
            if not may_be_feature(column):
                raise ValueError(f"{column!r}, given for {feature!r}, is of claims, loans, values or prices")
        return given


def may_be_feature(column: str) -> bool:
    """Whether a column of a run may be told to a model: what is claimed, lent, valued or asked may not."""
    return not column.startswith(("claim_", "loan_", "val_", "risk_", "meta_")) and not is_money(column)


def person_key(name: str) -> str:
    """A name as it is compared: neither case nor spaces make another person."""
    import unicodedata

    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def canonical(value: Any) -> bytes:
    """The one way to write a JSON value: keys in order, no spaces, UTF-8, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def sha256(data: bytes) -> str:
    """In hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


# ----------------------------------------------------------------------------------------------------------- manifest


def write_manifest(folder: Path, training: Mapping[str, Any], proof: Mapping[str, bytes]) -> None:
    """Write ``manifest.json`` into the folder of a model.

    Parameters
    ----------
    training
        What it was trained on: target, features, window and so on; JSON values.
    proof
        Files that show how well it does, by name; their digests go in, so that they cannot be replaced later.
    """
    files = {path.name: sha256(path.read_bytes()) for path in sorted(folder.iterdir())}
    content = {
        "format": 1,
        "files": files,
        "proof": {name: sha256(data) for name, data in sorted(proof.items())},
        "training": training,
    }
    (folder / MANIFEST).write_bytes(canonical(content))


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a model, after every file of the folder was compared with it.

    Raises
    ------
    MissingInput
        There is none: the model is of an older version.
    BrokenData
        A file differs, is missing, or is one too many; or the manifest is not one.
    """
    home = folder / MANIFEST
    if not home.is_file():
        raise MissingInput(f"{folder} has no {MANIFEST}: expected a folder `model` that `geocollateral train` wrote.")
    content = _read_canonical(home)
    try:
        due = dict(content["files"])
        _require_training(content["training"])
        proof_is_named = all(isinstance(digest, str) for digest in content["proof"].values())
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BrokenData(f"{home} is no manifest: {error!r}.") from error
    if content.get("format") != 1 or not proof_is_named:
        raise BrokenData(f"{home}: expected format 1, found {content.get('format')!r}.")
    there = {path.name for path in folder.iterdir()} - {MANIFEST, SEAL}
    if there != set(due):
        odd = ", ".join(sorted(there ^ set(due)))
        raise BrokenData(f"{folder}: the files are not those of its manifest: {odd}. Nothing was loaded.")
    for name, digest in due.items():
        if sha256((folder / name).read_bytes()) != digest:
            raise BrokenData(f"{folder / name} differs from its SHA-256 in {MANIFEST}; nothing was loaded.")
    return content


def require_proof(run: Path, manifest: Mapping[str, Any]) -> None:
    """Compare the files that show how well a model does, beside its folder, with the manifest.

    Raises
    ------
    BrokenData
        One differs or is missing.
    """
    for name, digest in manifest["proof"].items():
        path = run / name
        if name != Path(name).name or not path.is_file() or sha256(path.read_bytes()) != digest:
            raise BrokenData(f"{path} is not what training wrote: its SHA-256 differs from the manifest.")


def _require_training(training: Mapping[str, Any]) -> None:
    lacking = {"target", "features", "window"} - set(training)
    if lacking:
        raise ValueError(f"training lacks {', '.join(sorted(lacking))}")


def _read_canonical(path: Path) -> dict[str, Any]:
    if path.stat().st_size > _MAX_JSON:
        raise BrokenData(f"{path} has {path.stat().st_size} bytes, at most {_MAX_JSON} are read.")
    data = path.read_bytes()
    try:
        content = json.loads(data)
        if not isinstance(content, dict) or canonical(content) != data:
            raise BrokenData(f"{path} is not written as this program writes it; it was changed.")
    except (ValueError, RecursionError) as error:
        raise BrokenData(f"{path} is not JSON: {error}") from error
    return content


# --------------------------------------------------------------------------------------------------------------- keys


def new_key() -> Ed25519PrivateKey:
    """A new private key from the operating system's randomness."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey as Private

    return Private.generate()


def write_key(key: Ed25519PrivateKey, path: Path) -> None:
    """Write a private key, readable by its owner alone; PEM without a password.

    Raises
    ------
    InvalidInput
        There is a file already: a key is never overwritten.
    """
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    try:
        path.touch(mode=0o600, exist_ok=False)
    except FileExistsError as error:
        raise InvalidInput(f"{path} exists; a key is not overwritten. Give another --out.") from error
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def read_key(path: Path) -> Ed25519PrivateKey:
    """A private key as `write_key` wrote it.

    Raises
    ------
    MissingInput
        There is no such file.
    InvalidInput
        It holds no Ed25519 private key.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey as Private
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    if not path.is_file():
        raise MissingInput(f"{path}: no such key; `geocollateral models keygen` makes one.")
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InvalidInput(f"{path} holds no private key in PEM without a password.") from error
    if not isinstance(key, Private):
        raise InvalidInput(f"{path} holds a key of another kind; expected Ed25519.")
    return key


def public_hex(key: Ed25519PrivateKey) -> str:
    """Its public half, as settings hold it."""
    return key.public_key().public_bytes_raw().hex()


def sign(key: Ed25519PrivateKey, purpose: str, content: Mapping[str, Any]) -> str:
    """Signature over a purpose and the digest of a JSON value, in hexadecimal digits."""
    return key.sign(_signed_bytes(purpose, content)).hex()


def is_signed(public: str, signature: str, purpose: str, content: Mapping[str, Any]) -> bool:
    """Whether a signature is that of a key; whatever is no signature is not."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        if bytes.fromhex(signature).hex() != signature:
            return False
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public))
        key.verify(bytes.fromhex(signature), _signed_bytes(purpose, content))
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def _signed_bytes(purpose: str, content: Mapping[str, Any]) -> bytes:
    # The purpose keeps a signature for one thing from passing as one for another.
    return b"geocollateral " + purpose.encode() + b" v1\n" + hashlib.sha256(canonical(content)).digest()


# --------------------------------------------------------------------------------------------------------------- seal


@dataclass(frozen=True, kw_only=True)
class Seal:
    """What a model is for, and the signature under it."""

    statement: Mapping[str, Any]
    public_key: str | None
    """None: not signed."""
    signature: str | None

    @property
    def key(self) -> str:
        """SHA-256 of the statement, by which the model is known."""
        return sha256(canonical(self.statement))

    def signer(self, trusted: Mapping[str, str]) -> str | None:
        """Name of the trusted person who signed; None: nobody did."""
        for name, public in trusted.items():
            if public == self.public_key and self.signature is not None:
                return name if is_signed(public, self.signature, "model", self.statement) else None
        return None

    def as_bytes(self) -> bytes:
        """As the file ``seal.json`` holds it."""
        return canonical({"statement": self.statement, "public_key": self.public_key, "signature": self.signature})


def statement_of(
    manifest: Mapping[str, Any], *, asset_class: str, currency: str, trainer: str, price_per: str = "total"
) -> dict[str, Any]:
    """What is signed: the digest of the manifest, and the identity of the model; `price_per` is one of `PRICE_PER`.

    Raises
    ------
    InvalidInput
        The target's name says that its prices are of a unit of area, and `price_per` that they are of the whole.
    """
    training = manifest["training"]
    if price_per not in PRICE_PER:
        raise InvalidInput(f"Expected prices of {', '.join(PRICE_PER)}; got {price_per!r}.")
    if price_per == "total" and _PER_AREA.search(str(training["target"])):
        raise InvalidInput(
            f"The prices of this model, {training['target']!r}, look like prices of a unit of area: say which with "
            "--price-per mu, ha or m2."
        )
    return {
        "format": 1,
        "manifest_sha256": sha256(canonical(manifest)),
        "asset_class": asset_class,
        "currency": currency,
        "price_per": price_per,
        "target": training["target"],
        "features_sha256": sha256(canonical(training["features"])),
        "window": training["window"],
        "trainer": trainer,
    }


def seal(statement: Mapping[str, Any], key: Ed25519PrivateKey | None) -> Seal:
    """A seal, signed where there is a key."""
    if key is None:
        return Seal(statement=statement, public_key=None, signature=None)
    return Seal(statement=statement, public_key=public_hex(key), signature=sign(key, "model", statement))


def read_seal(data: bytes) -> Seal:
    """A seal from its bytes.

    Raises
    ------
    BrokenData
        It is none, or is not written as `Seal.as_bytes` does.
    """
    try:
        content = json.loads(data)
        found = Seal(**content)
        well_formed = isinstance(found.statement, dict) and found.as_bytes() == data
    except (ValueError, TypeError, RecursionError) as error:
        raise BrokenData(f"The seal of the model is none: {error}") from error
    if not well_formed:
        raise BrokenData("The seal of the model is not written as this program writes it; it was changed.")
    return found


def require_sealed(folder: Path, known: Seal, trusted: Mapping[str, str]) -> dict[str, Any]:
    """The manifest of a folder, if it is the one that was sealed and a trusted person signed.

    Raises
    ------
    BrokenData
        Any byte differs from what was signed, or nobody trusted signed it.
    MissingInput
        The folder holds no model.
    """
    if known.signer(trusted) is None:
        raise BrokenData(
            f"The model in {folder} is not signed by a key in the settings (models.trusted_keys); it was not loaded."
        )
    manifest = read_manifest(folder)
    if sha256(canonical(manifest)) != known.statement.get("manifest_sha256"):
        raise BrokenData(f"{folder / MANIFEST} is not the one that was signed; nothing was loaded.")
    if not (folder / SEAL).is_file() or (folder / SEAL).read_bytes() != known.as_bytes():
        raise BrokenData(f"{folder / SEAL} is not the one that was registered; nothing was loaded.")
    return manifest


def day_of(text: str | None) -> dt.date | None:
    """A day as the manifest writes it."""
    return None if text is None else dt.date.fromisoformat(text)


__all__ = [
    "MANIFEST",
    "PRICE_PER",
    "SEAL",
    "ModelParams",
    "Seal",
    "canonical",
    "day_of",
    "is_signed",
    "may_be_feature",
    "new_key",
    "person_key",
    "public_hex",
    "read_key",
    "read_manifest",
    "read_seal",
    "require_proof",
    "require_sealed",
    "seal",
    "sha256",
    "sign",
    "statement_of",
    "write_key",
    "write_manifest",
]
