"""Python's websockets with permessage-deflate and over TLS: it keeps its context over messages, and
so notices any that it should not have got, or not as it was compressed."""
import asyncio
import os
import ssl

import websockets
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

from support.harness import equal, run

MIB = 1 << 20
ALL = ["--deflate-threshold", "1"]
LENGTHS = [0, 1, 125, 126, 1023, 1024, 16384, 65535, 65536, 70000, MIB]

# What clients offer: (server and client without takeover, the server's and the client's window).
OFFERS = {
    "its defaults": None,
    "all windows": (False, False, None, True),
    "no takeover": (True, True, None, None),
    "no takeover of the server's": (True, False, None, None),
    "small windows": (False, False, 9, 9),
    "middling windows": (False, True, 12, 10),
}


def json(length, seed=0):
    """Text that compresses about as JSON does, of so many characters."""
    parts, size, i = [], 0, seed
    while size < length:
        side = "sell" if i % 3 else "buy"
        parts.append(f'{{"id":{i},"price":{i * 7919 % 10007},"side":"{side}"}},')
        size += len(parts[-1])
        i += 1
    return "".join(parts)[:length]


def connect(url, offer="its defaults", **options):
    parameters = OFFERS[offer]
    if parameters is not None:
        options["extensions"] = [ClientPerMessageDeflateFactory(*parameters)]
        options["compression"] = None
    return websockets.connect(url, max_size=None, max_queue=None, ping_interval=None, **options)


async def join(scope, *arguments, **options):
    return await scope.enter_async_context(connect(*arguments, **options))


async def echo(client, message):
    await client.send(message)
    assert await client.recv() == message, f"{len(message)} of {type(message)} came otherwise"


async def echo_all(client):
    for length in LENGTHS:
        for message in (json(length), os.urandom(length), json(length), bytes(length)):
            await echo(client, message)
    many = [json(i, i) for i in range(500)]
    for message in many:
        await client.send(message)
    equal([await client.recv() for _ in many], many)


async def echoes(scope, option, offer):
    server = await scope.serve("weir-serve", option, *ALL)
    client = await join(scope, server.url(), offer)
    assert [extension.name for extension in client.extensions] == ["permessage-deflate"]
    await echo_all(client)


async def fragments(scope, option):
    server = await scope.serve("weir-serve", option, *ALL)
    client = await join(scope, server.url())
    for _ in range(3):
        parts = ["Flüsse", "", json(70000), " 🌊 ", "und Wehre"]
        await client.send(parts)
        assert await client.recv() == "".join(parts)
        raw = [os.urandom(1000) for _ in range(64)]
        await client.send(raw)
        assert await client.recv() == b"".join(raw)


async def too_big(scope, option):
    server = await scope.serve("weir-serve", option, "--max-message", "1000")
    client = await join(scope, server.url())
    await echo(client, "x" * 1000)
    await client.send("x" * 1001)
    try:
        await client.recv()
    except websockets.ConnectionClosed:
        equal(client.close_code, 1009)
    else:
        raise AssertionError("1,001 characters were served")


async def broadcasts(scope, option, mode, tls=False):
    """Every message reaches everyone, in order, whatever was agreed with each."""
    files = scope.certificates() if tls else None
    server = await scope.serve("weir-serve", "--mode", mode, option, *ALL, "--queue-bytes",
                               str(64 * MIB), *(files.options() if tls else []))
    how = {"ssl": ssl.create_default_context(cafile=files.path("ca.pem"))} if tls else {}
    url = server.url("/all")
    clients = [await join(scope, url, offer, **how) for offer in OFFERS for _ in (1, 2)]
    clients += [await join(scope, url, compression=None, **how)]
    await asyncio.gather(*(client.ping() for client in clients))  # all are open, and subscribed
    sent = [json((3, 900, 5000, 20000)[i % 4], i) for i in range(300)]
    for i, message in enumerate(sent):
        await clients[0].send(message.encode() if i % 5 == 0 else message)
    for client in clients:
        for i, message in enumerate(sent):
            came = await client.recv()
            assert came == (message.encode() if i % 5 == 0 else message), f"message {i}"
    await clients[-1].send("the last")
    equal([await client.recv() for client in clients], ["the last"] * len(clients))


async def answers_between_broadcasts(scope, option):
    """What is compressed for one and what is compressed for all take turns on a connection."""
    server = await scope.serve("weir-serve", "--mode", "chat", option, *ALL)
    clients = [await join(scope, server.url("/"), offer) for offer in OFFERS]
    speaker = await join(scope, server.url("/all"))
    for client in [*clients, speaker]:
        equal(await client.recv(), "Welcome to the websocket server")
    for i in range(100):
        for client in clients:
            await client.send(json(500, i))
            equal(await client.recv(), "You sent -> " + json(500, i))
        await speaker.send(json(700, i))
        for client in [*clients, speaker]:
            equal(await client.recv(), json(700, i))


async def over_tls(scope, version):
    files = scope.certificates()
    server = await scope.serve("weir-serve", "--deflate-takeover", *ALL, *files.options())
    context = ssl.create_default_context(cafile=files.path("ca.pem"))
    context.minimum_version = context.maximum_version = version
    client = await join(scope, server.url(), ssl=context)
    await echo_all(client)
    await client.close(4321, "für immer")
    equal(client.close_code, 4321)


async def a_wrong_authority(scope):
    files = scope.certificates()
    server = await scope.serve("weir-serve", *files.options())
    context = ssl.create_default_context(cafile=files.path("stranger.pem"))
    try:
        await connect(server.url(), ssl=context)
    except ssl.SSLCertVerificationError:
        return
    raise AssertionError("a stranger's certificate was trusted")


OPTIONS = ("--deflate", "--deflate-takeover")
run([(f"websockets: {option}: {offer}", echoes, option, offer)
     for option in OPTIONS for offer in OFFERS] +
    [(f"websockets: {option}: {name}", body, option) for option in OPTIONS
     for name, body in (("fragments", fragments), ("a byte too much", too_big),
                        ("answers between broadcasts", answers_between_broadcasts))] +
    [(f"websockets: {option}: broadcasts, mode {mode}", broadcasts, option, mode)
     for option in OPTIONS for mode in ("all", "topic", "loop")] +
    [(f"websockets: {option}: broadcasts over TLS", broadcasts, option, "all", True)
     for option in OPTIONS] +
    [(f"websockets: TLS {version.name[4:]}", over_tls, version)
     for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)] +
    [("websockets: a certificate that it does not trust", a_wrong_authority)])
