"""Sockets that servers listen on."""

import asyncio
import socket

from shared.http.server import listen


async def test_an_answer_that_is_written_in_two_parts_is_not_held_back() -> None:
    """Nagle's algorithm would keep the second part until the first is acknowledged, for which a client may wait."""
    accepted: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_side = writer.get_extra_info("socket")
        accepted.set_result(server_side.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    with listen("127.0.0.1", 0) as sock:
        async with await asyncio.start_server(serve, sock=sock):
            _, client = await asyncio.open_connection(*sock.getsockname())
            assert await accepted
            client.close()
