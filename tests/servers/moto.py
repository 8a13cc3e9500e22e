"""An S3 server on loopback: moto's, from the environment of its own beside that of the tests."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Self

START_SECONDS = 60
REGION = "us-east-1"


class Moto:
    """``with Moto(folder) as s3: s3.put_folder("bucket", folder)``; objects at ``s3.endpoint/bucket/key``.

    moto checks no signature unless told to; that ours are right is tested against AWS's published examples elsewhere.
    """

    def __init__(self, log: Path) -> None:
        self._log = log
        self.port = _free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        program = Path(sys.prefix) / "moto" / "bin" / "python"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [program, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)], stdout=log, stderr=log
            )
        deadline = time.monotonic() + START_SECONDS
        while not _answers(self.endpoint):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self._process.kill()
                raise RuntimeError(f"moto did not start: {self._log.read_text()[-2000:]}")
            time.sleep(0.1)
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def put_folder(self, bucket: str, folder: Path) -> None:
        """Make a bucket and put every file below the folder into it, under its relative path."""
        _put(f"{self.endpoint}/{bucket}", b"")
        for file in sorted(p for p in folder.rglob("*") if p.is_file()):
            _put(f"{self.endpoint}/{bucket}/{file.relative_to(folder).as_posix()}", file.read_bytes())


def _put(url: str, body: bytes) -> None:
    # moto tells services apart by the credential scope of the header; it does not check the signature.
    scope = f"AKIDEXAMPLE/20240101/{REGION}/s3/aws4_request"
    headers = {
        "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
        "x-amz-content-sha256": "UNSIGNED-PAYLOAD",
        "Content-Type": "application/octet-stream",  # what looks like a form is taken for one, and its body lost
    }
    request = urllib.request.Request(url, data=body, method="PUT", headers=headers)  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        answer.read()


def _answers(endpoint: str) -> bool:
    try:
        with urllib.request.urlopen(f"{endpoint}/moto-api/", timeout=5):  # noqa: S310
            return True
    except (urllib.error.URLError, OSError):
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
