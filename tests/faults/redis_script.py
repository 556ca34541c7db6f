"""A peer in the place of a Redis server, which answers each command as the test says, as no real server would."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress

Answer = Callable[[list[bytes]], bytes | None]
"""From a command's name and arguments to the reply's bytes; None ends the connection without one."""


@asynccontextmanager
async def answer_by(answer: Answer) -> AsyncGenerator[str, None]:
    """Listen, and give the URL. What redis-py says for a connection's beginning is taken for granted."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while True:
                command = await _read_command(reader)
                reply = b"+OK\r\n" if command[0] in {b"CLIENT", b"SELECT"} else answer(command)
                if reply is None:
                    break
                writer.write(reply)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await server.wait_closed()


async def _read_command(reader: asyncio.StreamReader) -> list[bytes]:
    count = int((await reader.readuntil(b"\r\n"))[1:])
    command = []
    for _ in range(count):
        length = int((await reader.readuntil(b"\r\n"))[1:])
        command.append((await reader.readexactly(length + 2))[:-2])
    return command
