#!/usr/bin/python3
"""Python's websockets on asyncio: PORT MODE CERT KEY DEFLATE. A broadcast is a deflate for each."""
import asyncio
import ssl
import sys

import websockets
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory

PORT, MODE = int(sys.argv[1]), sys.argv[2]
CERT, KEY, DEFLATE = sys.argv[3:] if len(sys.argv) > 3 else ("-", "-", "off")

clients = set()


async def echo(client, message):
    await client.send(message)


async def to_all(_, message):
    websockets.broadcast(clients, message)


async def to_others(client, message):
    websockets.broadcast(clients - {client}, message)


async def to_each(_, message):
    for client in list(clients):
        if client.open:
            await client.send(message)


HANDLERS = {"echo": echo, "all": to_all, "others": to_others, "loop": to_each}


async def serve(client, path):
    if MODE == "bystander":
        broadcasts = path == "/all"
        handle = to_all if broadcasts else echo
    else:
        broadcasts, handle = MODE != "echo", HANDLERS[MODE]
    if broadcasts:
        clients.add(client)
    try:
        async for message in client:
            await handle(client, message)
    except websockets.ConnectionClosed:
        pass
    finally:
        clients.discard(client)


def secured():
    if CERT == "-":
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERT, KEY)
    return context


def extensions():
    if DEFLATE == "off":
        return None
    forgets = DEFLATE == "shared"
    return [ServerPerMessageDeflateFactory(
        server_no_context_takeover=forgets, client_no_context_takeover=forgets,
        compress_settings={"level": 1})]


async def main():
    if MODE != "bystander" and MODE not in HANDLERS:
        sys.exit(f"no such mode: {MODE}")
    async with websockets.serve(serve, "127.0.0.1", PORT, backlog=4096, compression=None,
                                ssl=secured(), extensions=extensions(),
                                max_size=64 << 20, max_queue=None, ping_interval=None,
                                write_limit=1 << 30):
        print("listening", flush=True)
        await asyncio.get_running_loop().create_future()


asyncio.run(main())
