"""A wire between the browser and the gateway that a test can cut and mend.

Must not understand what travels on it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

PIECE_BYTES = 64 * 1024


class Wire:
    """Carries bytes to a server; counts those that go up."""

    def __init__(self, target_port: int) -> None:
        """Lead to a port of this machine."""
        self._target_port = target_port
        self._writers: set[asyncio.StreamWriter] = set()
        self.cut_after_bytes: int | None = None
        self.is_cut = asyncio.Event()
        self.up_bytes = 0
        self.url = ""

    def cut(self) -> None:
        """Break every connection and refuse new ones until mended."""
        self.is_cut.set()
        for writer in self._writers:
            writer.transport.abort()

    def mend(self) -> None:
        """Carry again."""
        self.cut_after_bytes = None
        self.is_cut.clear()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        if self.is_cut.is_set():
            writer.transport.abort()
            return
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        self._writers |= {writer, server_writer}
        await asyncio.gather(
            self._pump(reader, server_writer, up=True), self._pump(server_reader, writer, up=False)
        )
        self._writers -= {writer, server_writer}

    async def _pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, up: bool
    ) -> None:
        try:
            while data := await source.read(PIECE_BYTES):
                self.up_bytes += len(data) if up else 0
                sink.write(data)
                await sink.drain()
                if up and self.cut_after_bytes is not None and self.up_bytes > self.cut_after_bytes:
                    self.cut()
        except ConnectionError:
            pass  # Cutting is what it is for.
        finally:
            sink.close()


@asynccontextmanager
async def wire_to(url: str) -> AsyncIterator[Wire]:
    """A wire to the server at `url`; its own address is in `url` of the wire."""
    port = urlsplit(url).port
    if port is None:
        raise ValueError(f"no port in {url}")
    wire = Wire(port)
    server = await asyncio.start_server(wire.carry, "127.0.0.1", 0)
    wire.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield wire
    finally:
        server.close()
        wire.cut()
