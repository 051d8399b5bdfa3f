"""nginx and HAProxy in front of weir-serve: messages, closing and idling through them, and the
client's address, which they tell by X-Forwarded-For and by the PROXY protocol. Clients come from
addresses of their own (127.0.0.0/8), so that they are not taken for a proxy."""
import asyncio
import os
import time

import websockets

from support.certificates import Certificate
from support.frames import Frames
from support.harness import equal, run
from support.programs import free_port, said
from support.proxies import Haproxy, Nginx

MIB = 1 << 20
BIG = ["--max-message", str(MIB), "--queue-bytes", str(2 * MIB)]
PEER = ["--mode", "peer"]
BEHIND = ["--proxy-protocol", "--trusted", "127.0.0.1"]
SOMEBODY, SIX = "127.0.0.2", "::1"
FORGED = {"extra_headers": {"X-Forwarded-For": "192.0.2.1"}}  # by the client itself
UNIX, TCP = True, False


async def serve(scope, local, *options):
    """weir-serve on a unix socket or on a port; and what nginx and HAProxy call that."""
    if local:
        server = await scope.serve("weir-serve", "--unix", f"{scope.folder()}/weir", *options)
        return server, f"unix:{server.path}", f"unix@{server.path}"
    server = await scope.serve("weir-serve", *options)
    place = f"127.0.0.1:{server.port}"
    return server, place, place


def connect(url, certificate=None, host=SOMEBODY, **options):
    tls = certificate.trusting() if certificate else None
    names = {"server_hostname": "localhost"} if tls else {}
    return websockets.connect(url, ssl=tls, local_addr=(host, 0), max_size=None,
                              ping_interval=None, **names, **options)


async def closed(client):
    """How the other side closed."""
    try:
        while True:
            await client.recv()
    except websockets.ConnectionClosed:
        return client.close_code, client.close_reason


async def talk(client):
    """Text, binary, a megabyte of both, and a ping, there and back."""
    for message in ("Flüsse 🌊", b"\0\1\xff", "w" * MIB, os.urandom(MIB), "", b""):
        await client.send(message)
        assert await client.recv() == message, f"{len(message)} of {type(message)}"
    await (await client.ping(b"p" * 125))


async def greeted(url, certificate=None, host=SOMEBODY, **options):
    """The address and port that a server takes a client for, and the client's own."""
    async with connect(url, certificate, host, **options) as client:
        address, port = (await client.recv()).split()
        await talk(client)
        return (address, int(port)), client.local_address[:2]


# ---- nginx

async def through_nginx(scope, local):
    certificate = await Certificate.make(scope)
    _, upstream, _ = await serve(scope, local, *BIG, "--loops", "2")
    nginx = await Nginx.before(scope, upstream, certificate)
    async with connect(nginx.url(), certificate) as one, \
            connect(nginx.url("/other?path"), certificate) as two:
        await asyncio.gather(talk(one), talk(two))


async def close_codes(scope):
    certificate = await Certificate.make(scope)
    chat = await scope.serve("chat")
    nginx = await Nginx.before(scope, f"127.0.0.1:{chat.port}", certificate)
    for code, reason in ((1000, ""), (1001, "gone"), (4321, "für immer")):
        client = await connect(nginx.url(), certificate)
        await client.recv()
        equal(await chat.line(), "A new client connected!")
        await client.close(code, reason)
        equal(client.close_code, code)
        equal(await chat.line(), f"Client disconnected ({code}) {reason}".rstrip())


async def server_closes(scope, local):
    certificate = await Certificate.make(scope)
    _, upstream, _ = await serve(scope, local, "--idle-ms", "300", *BIG)
    nginx = await Nginx.before(scope, upstream, certificate)
    async with connect(nginx.url(), certificate) as client:
        equal(await closed(client), (1001, "idle for too long"))
    async with connect(nginx.url(), certificate) as client:
        await client.send(bytes(MIB + 1))
        equal((await closed(client))[0], 1009)


async def pings_keep_alive(scope):
    """nginx ends what is silent for a second; the server's pings go on for three."""
    certificate = await Certificate.make(scope)
    _, upstream, _ = await serve(scope, TCP, "--ping-ms", "300")
    nginx = await Nginx.before(scope, upstream, certificate, timeout_s=1)
    frames, until = Frames(), time.monotonic() + 3
    async with connect(nginx.url(), certificate, logger=frames.logger) as client:
        while time.monotonic() < until:
            await frames.until("< PING")
        await talk(client)


async def silence_does_not(scope):
    certificate = await Certificate.make(scope)
    _, upstream, _ = await serve(scope, TCP, "--ping-ms", "0")
    nginx = await Nginx.before(scope, upstream, certificate, timeout_s=1)
    async with connect(nginx.url(), certificate) as client:
        await talk(client)
        equal((await closed(client))[0], 1006)


async def files_behind_nginx(scope, local):
    """Plain requests beside upgrades; nginx keeps its connections to the server."""
    certificate, folder = await Certificate.make(scope), scope.folder()
    data = os.urandom(MIB)
    with open(os.path.join(folder, "file.bin"), "wb") as file:
        file.write(data)
    server, upstream, _ = await serve(scope, local, "--static", folder)
    nginx = await Nginx.before(scope, upstream, certificate)
    url = nginx.url("/file.bin", "https")
    curl = ["-sSf", "--cacert", certificate.file]
    for _ in range(3):
        assert await said("curl", *curl, url) == data
        assert await said("curl", *curl, "--range", "5-99", url) == data[5:100]
    equal((await said("curl", *curl, "--head", "-w", "%{http_code}", url))[-3:], b"200")
    async with connect(nginx.url("/file.bin"), certificate) as client:
        await talk(client)
    server.child.terminate()
    equal((await server.line()).split(",")[0], "accepted 1")


async def forwarded_for(scope, local):
    """What a client itself says stands before what nginx says, and counts for nothing."""
    certificate = await Certificate.make(scope)
    trusted = "unix" if local else "127.0.0.1"
    _, upstream, _ = await serve(scope, local, *PEER, *BIG, "--trusted", trusted)
    nginx = await Nginx.before(scope, upstream, certificate)
    for extra in ({}, FORGED):
        (address, _), _ = await greeted(nginx.url(), certificate, **extra)
        equal(address, SOMEBODY)


async def forwarded_for_untrusted(scope, local):
    certificate = await Certificate.make(scope)
    _, upstream, _ = await serve(scope, local, *PEER, *BIG)
    nginx = await Nginx.before(scope, upstream, certificate)
    (address, _), _ = await greeted(nginx.url(), certificate)
    equal(address, "unix" if local else "127.0.0.1")


# ---- HAProxy

async def proxy_protocol(scope, local, options):
    certificate = await Certificate.make(scope)
    trusted = "unix" if local else "127.0.0.1"
    _, _, upstream = await serve(scope, local, *PEER, *BIG, "--proxy-protocol", "--trusted",
                                 trusted, "--loops", "2")
    haproxy = await Haproxy.before(scope, upstream, options, certificate)
    for host in (SOMEBODY, SIX):
        url = haproxy.url(host=f"[{SIX}]" if host == SIX else "127.0.0.1")
        seen, own = await greeted(url, certificate, host, **FORGED)
        equal(seen, own)


async def tls_behind_haproxy(scope):
    """The header comes in clear, before the TLS that the server ends."""
    certificate = await Certificate.make(scope)
    _, _, upstream = await serve(scope, TCP, *PEER, *BIG, *BEHIND, "--tls-cert", certificate.file,
                                 "--tls-key", certificate.key)
    haproxy = await Haproxy.before(scope, upstream, "send-proxy-v2")
    seen, own = await greeted(haproxy.url(), certificate)
    equal(seen, own)


async def answer(port, request):
    """All that a server answers on a connection, which it has to close itself."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def without_a_header(scope):
    server, _, upstream = await serve(scope, TCP, *PEER, *BIG, *BEHIND)
    equal(await answer(server.port, REQUEST), b"")
    plain = await Haproxy.before(scope, upstream)
    equal(await answer(plain.port, REQUEST), b"")
    haproxy = await Haproxy.before(scope, upstream, "send-proxy-v2")
    seen, own = await greeted(haproxy.url(scheme="ws"))
    equal(seen, own)


async def from_a_stranger(scope):
    """A header from whom nobody trusts."""
    _, _, upstream = await serve(scope, TCP, *PEER, "--proxy-protocol", "--trusted", "192.0.2.0/24")
    haproxy = await Haproxy.before(scope, upstream, "send-proxy-v2")
    equal(await answer(haproxy.port, REQUEST), b"")


async def curl_as_a_proxy(scope):
    """curl writes a header of version 1 by itself."""
    folder = scope.folder()
    with open(os.path.join(folder, "index.html"), "wb") as file:
        file.write(b"behind a header")
    server, _, _ = await serve(scope, TCP, *BEHIND, "--static", folder)
    url = f"http://127.0.0.1:{server.port}/"
    equal(await said("curl", "-sSf", "--haproxy-protocol", url, url), b"behind a header" * 2)


CHECKS = "inter 50ms rise 1 fall 1 check"


async def status(url):
    return await said("curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", url)


async def health_checks(scope, behind, options):
    """HAProxy sends nobody to a server that does not answer its checks, and somebody once it does.
    Checks carry a header without an address (PROXY LOCAL) where others carry a client's."""
    folder, port = scope.folder(), str(free_port())
    with open(os.path.join(folder, "health"), "wb") as file:
        file.write(b"fine\n")
    words = ["--port", port, "--static", folder, *PEER, *BIG, *behind]
    first = await scope.serve("weir-serve", *words)
    haproxy = await Haproxy.before(
        scope, f"127.0.0.1:{port}", f"{options} {CHECKS}", mode="http",
        check="option httpchk GET /health")
    if behind:
        seen, own = await greeted(haproxy.url(scheme="ws"))
        equal(seen, own)
    await first.stop()
    await haproxy.daemon.complains("Server back/weir is DOWN")
    equal(await status(haproxy.url("/health", "http")), b"503")
    await scope.serve("weir-serve", *words)
    await haproxy.daemon.complains("Server back/weir is UP")
    equal(await status(haproxy.url("/health", "http")), b"200")
    async with connect(haproxy.url(scheme="ws")) as client:
        await client.recv()
        await talk(client)


# ---- both

async def chained(scope, local):
    """nginx tells of the client by a field, HAProxy of nginx by a header."""
    certificate = await Certificate.make(scope)
    trusted = ["--trusted", "127.0.0.1"] + (["--trusted", "unix"] if local else [])
    _, _, upstream = await serve(scope, local, *PEER, *BIG, "--proxy-protocol", *trusted)
    haproxy = await Haproxy.before(scope, upstream, "send-proxy-v2")
    nginx = await Nginx.before(scope, f"127.0.0.1:{haproxy.port}", certificate)
    (address, _), _ = await greeted(nginx.url(), certificate, **FORGED)
    equal(address, SOMEBODY)
    seen, own = await greeted(haproxy.url(scheme="ws"))
    equal(seen, own)


run([
    ("nginx: wss, on to TCP", through_nginx, TCP),
    ("nginx: wss, on to a unix socket", through_nginx, UNIX),
    ("nginx: close codes of clients", close_codes),
    ("nginx: close codes of the server, TCP", server_closes, TCP),
    ("nginx: close codes of the server, unix", server_closes, UNIX),
    ("nginx: the server's pings outlast its timeout", pings_keep_alive),
    ("nginx: without pings it ends the connection", silence_does_not),
    ("nginx: files, over kept connections to TCP", files_behind_nginx, TCP),
    ("nginx: files, over kept connections to a unix socket", files_behind_nginx, UNIX),
    ("nginx: X-Forwarded-For, TCP", forwarded_for, TCP),
    ("nginx: X-Forwarded-For, unix", forwarded_for, UNIX),
    ("nginx: X-Forwarded-For where nobody is trusted, TCP", forwarded_for_untrusted, TCP),
    ("nginx: X-Forwarded-For where nobody is trusted, unix", forwarded_for_untrusted, UNIX),
    ("haproxy: PROXY v2, TCP", proxy_protocol, TCP, "send-proxy-v2"),
    ("haproxy: PROXY v2, unix", proxy_protocol, UNIX, "send-proxy-v2"),
    ("haproxy: PROXY v2 with all that it can say", proxy_protocol, TCP,
     "send-proxy-v2-ssl-cn proxy-v2-options ssl,cert-cn,ssl-cipher,cert-sig,cert-key,authority,"
     "crc32c,unique-id"),
    ("haproxy: PROXY v1, TCP", proxy_protocol, TCP, "send-proxy"),
    ("haproxy: PROXY v1, unix", proxy_protocol, UNIX, "send-proxy"),
    ("haproxy: PROXY v2 before TLS", tls_behind_haproxy),
    ("haproxy: who sends no header is not answered", without_a_header),
    ("haproxy: who is not trusted is not answered", from_a_stranger),
    ("haproxy: health checks", health_checks, [], ""),
    ("haproxy: health checks with PROXY LOCAL", health_checks, BEHIND,
     "send-proxy-v2 check-send-proxy"),
    ("curl: PROXY v1", curl_as_a_proxy),
    ("nginx, then haproxy, TCP", chained, TCP),
    ("nginx, then haproxy, unix", chained, UNIX),
])
