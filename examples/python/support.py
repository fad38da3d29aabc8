"""What the Python halves share: pages on the loopback interface, and a client that fetches them.

As `examples/support` does for the Rust halves, the server does what the address says:

    await web.get("/user")                       "<user>"
    await web.get("/user?ms=40")                 the same, after 40 ms
    await web.get("/orders?ms=40&status=503")    raises HttpError: /orders answered 503 Service Unavailable
    await nowhere().get("/user")                 raises OSError: nobody listens there
"""

import asyncio
import contextlib
import http
import socket
from urllib.parse import parse_qs, urlsplit


class HttpError(Exception):
    """The server did answer, but not with a page."""

    def __init__(self, path, status):
        super().__init__(f"{path} answered {status} {http.HTTPStatus(status).phrase}")
        self.status = status


class Web:
    """Where the pages are."""

    def __init__(self, port):
        self.port = port
        self.busy = 0
        self.busiest = 0

    async def get(self, path):
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(f"GET {path} HTTP/1.0\r\n\r\n".encode())
            answer = (await reader.read()).decode()
        finally:
            writer.close()
        head, _, page = answer.partition("\r\n\r\n")
        status = int(head.split()[1])
        if status != 200:
            raise HttpError(path.partition("?")[0], status)
        return page

    async def answer(self, reader, writer):
        try:
            question = (await reader.readuntil(b"\r\n\r\n")).decode()
            address = urlsplit(question.split()[1])
            wishes = parse_qs(address.query)
            self.busy += 1
            self.busiest = max(self.busiest, self.busy)
            try:
                await asyncio.sleep(int(wishes.get("ms", ["0"])[0]) / 1000)
            finally:
                self.busy -= 1
            status = wishes.get("status", ["200"])[0]
            writer.write(f"HTTP/1.0 {status} -\r\n\r\n<{address.path[1:]}>".encode())
            await writer.drain()
        except (OSError, EOFError):
            pass  # the client has hung up
        except asyncio.CancelledError:
            asyncio.current_task().uncancel()  # the program ends; streams of old would complain
        finally:
            writer.close()


@contextlib.asynccontextmanager
async def a_web():
    """A server, for as long as the block lasts."""
    web = Web(None)
    server = await asyncio.start_server(web.answer, "127.0.0.1", 0)
    web.port = server.sockets[0].getsockname()[1]
    try:
        yield web
    finally:
        server.close()


def nowhere():
    """A place where nobody listens: connecting to it fails."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return Web(free.getsockname()[1])


def run(lesson):
    """Runs a lesson with a server beside it."""

    async def main():
        async with a_web() as web:
            await lesson(web)

    asyncio.run(main())
