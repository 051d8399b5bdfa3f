#!/usr/bin/python3
"""Python's websockets on asyncio: PORT MODE."""
import asyncio
import sys

import websockets

PORT, MODE = int(sys.argv[1]), sys.argv[2]

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


async def main():
    if MODE != "bystander" and MODE not in HANDLERS:
        sys.exit(f"no such mode: {MODE}")
    async with websockets.serve(serve, "127.0.0.1", PORT, backlog=4096, compression=None,
                                max_size=64 << 20, max_queue=None, ping_interval=None,
                                write_limit=1 << 30):
        print("listening", flush=True)
        await asyncio.get_running_loop().create_future()


asyncio.run(main())
