"""Python's websockets: messages, fragments, pings and closing, and the tutorial's server."""
import os

import websockets

from support.frames import Frames
from support.harness import equal, run

MIB = 1 << 20
BIG = ["--max-message", str(16 * MIB), "--queue-bytes", str(32 * MIB)]
WELCOME = "Welcome to the websocket server"


def connect(url, **options):
    return websockets.connect(url, max_size=None, **options)


async def closed_by_server(client):
    """The code and reason that the server closed with."""
    try:
        while True:
            await client.recv()
    except websockets.ConnectionClosed:
        return client.close_code, client.close_reason


async def messages(scope):
    server = await scope.serve("weir-serve")
    async with connect(server.url()) as client:
        for length in (0, 1, 125, 126, 65535, 65536, MIB):
            for message in ("x" * length, os.urandom(length)):
                await client.send(message)
                assert await client.recv() == message, f"{length} of {type(message)}"


async def big_messages(scope):
    server = await scope.serve("weir-serve", *BIG)
    async with connect(server.url()) as client:
        for message in (os.urandom(16 * MIB), "水🌊x" * (2 * MIB)):
            await client.send(message)
            assert await client.recv() == message, f"16 MiB of {type(message)}"
        await client.send(bytes(16 * MIB + 1))
        equal((await closed_by_server(client))[0], 1009)


async def fragments(scope):
    server = await scope.serve("weir-serve", *BIG)
    async with connect(server.url()) as client:
        await client.send(["Flüsse", "", " 🌊 ", "und Wehre"])
        equal(await client.recv(), "Flüsse 🌊 und Wehre")
        parts = [os.urandom(64 << 10) for _ in range(256)]
        await client.send(parts)
        assert await client.recv() == b"".join(parts)


async def a_ping_between_fragments(scope):
    server = await scope.serve("weir-serve")

    async def parts():
        yield "before "
        await (await client.ping(b"between"))
        yield "after"

    async with connect(server.url()) as client:
        await client.send(parts())
        equal(await client.recv(), "before after")


async def pings(scope):
    server = await scope.serve("weir-serve", "--ping-ms", "100")
    frames = Frames()
    async with connect(server.url(), logger=frames.logger) as client:
        await frames.until("< PING")
        await frames.until("> PONG")
        await (await client.ping(b"p" * 125))


async def client_closes(scope):
    server = await scope.serve("chat")
    for code, reason in ((1000, ""), (1001, "gone"), (4321, "für immer")):
        client = await connect(server.url())
        equal(await client.recv(), WELCOME)
        equal(await server.line(), "A new client connected!")
        await client.close(code, reason)
        equal(client.close_code, code)
        equal(await server.line(), f"Client disconnected ({code}) {reason}".rstrip())


async def server_closes(scope):
    server = await scope.serve("weir-serve", "--idle-ms", "200")
    async with connect(server.url()) as client:
        equal(await closed_by_server(client), (1001, "idle for too long"))


async def addresses(scope):
    server = await scope.serve("weir-serve", "--loops", "2")
    for host in ("127.0.0.1", "[::1]", "localhost"):
        async with connect(server.url(host=host)) as client:
            await client.send(host)
            equal(await client.recv(), host)


async def unix_sockets(scope, path):
    server = await scope.serve("weir-serve", "--unix", path or f"{scope.folder()}/weir", *BIG)
    name = server.path.replace("@", "\0", 1) if path else server.path
    async with websockets.unix_connect(name, "ws://localhost/", max_size=None) as client:
        for message in ("here", os.urandom(16 * MIB)):
            await client.send(message)
            assert await client.recv() == message, f"{len(message)} of {type(message)}"
        await client.close(4321, "für immer")
        equal(client.close_code, 4321)


async def answers(scope, app):
    server = await scope.serve(app)
    async with connect(server.url()) as client:
        equal(await client.recv(), WELCOME)
        await client.send("hello")
        equal(await client.recv(), "You sent -> hello")
        await client.send(b"\0\1\xff")
        equal(await client.recv(), b"\0\1\xff")


async def broadcasts(scope, app):
    server = await scope.serve(app)
    async with connect(server.url("/all")) as one, connect(server.url("/others")) as two:
        for client in (one, two):
            equal(await client.recv(), WELCOME)
        await one.send("with the sender")
        equal([await one.recv(), await two.recv()], ["with the sender"] * 2)
        await two.send(b"without the sender")
        equal(await one.recv(), b"without the sender")
        await one.send("next")
        equal(await two.recv(), "next")


run([
    ("websockets: text and binary of every form of length", messages),
    ("websockets: 16 MiB, and a byte more", big_messages),
    ("websockets: fragments", fragments),
    ("websockets: a ping between fragments", a_ping_between_fragments),
    ("websockets: pings both ways", pings),
    ("websockets: the client closes", client_closes),
    ("websockets: the server closes", server_closes),
    ("websockets: IPv4, IPv6 and names, two loops", addresses),
    ("websockets: a unix socket", unix_sockets, None),
    ("websockets: a unix socket without a file", unix_sockets, f"@weir-test-{os.getpid()}"),
    ("websockets: chat: text and binary", answers, "chat"),
    ("websockets: chat: broadcasts", broadcasts, "chat"),
    ("websockets: chat-c: text and binary", answers, "chat-c"),
    ("websockets: chat-c: broadcasts", broadcasts, "chat-c"),
])
