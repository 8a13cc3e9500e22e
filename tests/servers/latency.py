"""A proxy that delays what a client sends: each request of a connection, and the connection itself, takes that much
longer.

It runs as a process of its own, so that it does not share an interpreter with the program it slows:
``python latency.py UPSTREAM_PORT MILLISECONDS`` prints the port it listens on.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self


@dataclass
class Latency:
    """A proxy before a server of this machine, for as long as the ``with`` block lasts."""

    upstream_port: int
    milliseconds: float
    port: int = field(init=False, default=0)
    _process: subprocess.Popen[str] | None = field(init=False, default=None, repr=False)

    @property
    def url(self) -> str:
        """Origin of the proxy."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        command = [sys.executable, __file__, str(self.upstream_port), str(self.milliseconds)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        self._process.terminate()
        self._process.wait(10)
        self._process.stdout.close()


async def relay(upstream_port: int, seconds: float) -> None:
    """Serve until killed."""

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float) -> None:
        try:
            while data := await reader.read(1 << 18):
                if delay:
                    await asyncio.sleep(delay)
                writer.write(data)
                await writer.drain()
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(seconds)
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", upstream_port, limit=1 << 20)
        await asyncio.gather(pump(reader, up_writer, seconds), pump(up_reader, writer, 0.0))

    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201  how the parent learns of the port
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(relay(int(sys.argv[1]), float(sys.argv[2]) / 1000))
