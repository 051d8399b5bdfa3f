"""weir-bench over TLS and with permessage-deflate: each mode against Python's websockets, and
whether it notices what servers do wrong. Nothing here depends on how fast anything is."""
import asyncio
import ssl
import tempfile

import websockets
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory

from support.bench import SHORT, Run, agrees, sees, was_good
from support.certificates import Certificate
from support.faulty import Faulty
from support.harness import equal, run

DEFLATE = "permessage-deflate"
FORGETS = DEFLATE + "; server_no_context_takeover; client_no_context_takeover"
BRIEF = ["--warmup", "0.05", "--seconds", "0.2"]
JSON = ["--compress", "--json-payload", "--size"]


class Stranger:
    """Python's websockets: echoes; what comes by the path /all goes to all who came by it. limits
    are the parameters of permessage-deflate, None for no compression; socket is a unix socket's
    path, None for TCP."""

    @classmethod
    async def start(cls, scope, tls=None, limits=None, socket=None):
        self = cls()
        self.tls, self.socket, self.crowd = tls, socket, set()
        extensions = None if limits is None else [ServerPerMessageDeflateFactory(**limits)]
        listens = {"unix": True, "path": socket} if socket else {"host": "127.0.0.1", "port": 0}
        server = await scope.enter_async_context(websockets.serve(
            self.talk, **listens, ssl=tls, compression=None, extensions=extensions,
            max_size=1 << 24, ping_interval=None, max_queue=None))
        self.port = None if socket else server.sockets[0].getsockname()[1]
        return self

    def url(self, path="/", host="127.0.0.1"):
        place = f"+unix:{self.socket}:" if self.socket else f"://{host}:{self.port}"
        return f"ws{'s' if self.tls else ''}{place}{path}"

    async def talk(self, client, path):
        if path == "/all":
            self.crowd.add(client)
        try:
            async for message in client:
                if path == "/all":
                    websockets.broadcast(self.crowd, message)
                else:
                    await client.send(message)
        except websockets.ConnectionClosed:
            pass
        finally:
            self.crowd.discard(client)


async def mode(scope, path, words, timed, local=False):
    certificate = await Certificate.make(scope)
    folder = scope.enter_context(tempfile.TemporaryDirectory(prefix="weir-"))
    server = await Stranger.start(scope, certificate.context(), {},
                                  f"{folder}/socket" if local else None)
    bench = await Run.with_reports(*words.split(), *SHORT, "--compress", "--ca", certificate.file,
                                   server.url(path))
    was_good(bench)
    agrees(bench)
    found = bench.json
    equal(found["compression"], "server 15 bits takeover, client 15 bits takeover")
    assert found["tls"].startswith("TLSv1.3 "), found["tls"]
    assert found["counts"]["operations"] > 0, found["counts"]
    assert (found["latency_us"]["count"] > 0) == timed, found["latency_us"]


async def weir(scope, serve, path, words):
    """Each mode against our own server, with all that it has."""
    certificate = await Certificate.make(scope)
    for deflate, asked, agreed in (
            ("--deflate", [], "server 15 bits no takeover, client 15 bits no takeover"),
            ("--deflate-takeover", [], "server 15 bits takeover, client 15 bits takeover"),
            ("--deflate-takeover", ["--no-takeover"],
             "server 15 bits no takeover, client 15 bits no takeover")):
        server = await scope.serve("weir-serve", "--mode", serve, "--tls-cert", certificate.file,
                                   "--tls-key", certificate.key, deflate)
        payload = [] if words in ("storm", "idle") else ["--json-payload", "--size", "2K"]
        url = server.url(path).replace("ws://", "wss://")
        bench = await Run.with_reports(*words.split(), *SHORT, *payload, "--compress", *asked, url)
        was_good(bench)
        equal(bench.json["compression"], agreed)
        counts = bench.json["counts"]
        assert counts["operations"] > 0, counts
        equal(counts["compressed"], counts["messages_received"])


async def steps(scope):
    certificate = await Certificate.make(scope)
    server = await Stranger.start(scope, certificate.context(), {})
    bench = await Run.with_reports("ramp", "--bound", "1000000000", "--rate", "100", "--warmup",
                                   "0", "--seconds", "0.05", *JSON, "1K", server.url())
    equal([bench.json["counts"]["wrong"], bench.json["steps"][0]["rate"]], [0, 100])


async def versions(scope):
    """Each of them, and that a session is resumed when that is wanted."""
    certificate = await Certificate.make(scope)
    server = await Stranger.start(scope, certificate.context())
    for number, name in (("12", "TLSv1.2 "), ("13", "TLSv1.3 ")):
        bench = await Run.with_reports("storm", *SHORT, "--tls-version", number, server.url())
        was_good(bench)
        assert bench.json["tls"].startswith(name), bench.json["tls"]
        equal(bench.json["counts"]["resumed"], 0)
        assert "certificate was not verified" in bench.out, bench.out
        bench = await Run.with_reports("storm", *BRIEF, "--connections", "1", "--tls-version",
                                       number, "--resume", server.url())
        was_good(bench)
        counts = bench.json["counts"]
        assert counts["opened"] - 1 <= counts["resumed"] > 0, counts


async def payloads(scope):
    """Over many records of TLS, in many frames, and where nothing shrinks."""
    certificate = await Certificate.make(scope)
    server = await Stranger.start(scope, certificate.context(), {})
    for words in ("--size 0", "--size 1 --text", "--size 1M --connections 2 --json-payload",
                  "--size 200K --connections 3 --fragments 7", "--cjk --size 100 --in-flight 9",
                  "--json-payload --size 64K --connections 4 --threads 2 --no-takeover"):
        for compress in (["--compress"], []):
            if compress or "--no-takeover" not in words:
                was_good(await Run.with_reports(*BRIEF, *words.split(), *compress, server.url()))


async def agreements(scope):
    """Whatever a server may answer is kept to."""
    for limits, words, agreed in (
            ({"server_no_context_takeover": True}, [],
             "server 15 bits no takeover, client 15 bits takeover"),
            ({"client_no_context_takeover": True}, [],
             "server 15 bits takeover, client 15 bits no takeover"),
            ({"server_max_window_bits": 9}, [], "server 9 bits takeover, client 15 bits takeover"),
            ({"client_max_window_bits": 9}, [], "server 15 bits takeover, client 9 bits takeover"),
            ({}, ["--no-takeover"], "server 15 bits no takeover, client 15 bits no takeover")):
        server = await Stranger.start(scope, limits=limits)
        bench = await Run.with_reports(*SHORT, *JSON, "4K", *words, server.url())
        was_good(bench)
        equal(bench.json["compression"], agreed)
        counts = bench.json["counts"]
        equal(counts["compressed"], counts["messages_received"])
        assert counts["bytes_sent"] < counts["messages_sent"] * 3000, counts


async def no_mistake(scope, extension, *words):
    """A good server of another make, that sends in pieces, whole and uncompressed by turns."""
    server = await Faulty.start(scope, None, extension)
    bench = await Run.with_reports(*SHORT, *JSON, "1K", *words, "--in-flight", "4", server.url())
    was_good(bench)
    counts = bench.json["counts"]
    assert 0 < counts["compressed"] < counts["messages_received"], counts


async def mistake(scope, name, counted, sentence, extension=FORGETS):
    server = await Faulty.start(scope, name, extension)
    await sees(server, sentence, "--connections", "1", "--in-flight", "4", "--compress",
               counted=counted)


async def late_mistake(scope, name, counted, sentence):
    """When every message has come before, so that bytes are compared and not inflated."""
    server = await Faulty.start(scope, name, FORGETS, at=3500, leaves=True)
    await sees(server, sentence, "--connections", "1", "--in-flight", "16", "--compress",
               counted=counted, seconds="60")


async def answer(scope, extension, sentence, *words):
    server = await Faulty.start(scope, None, extension)
    await sees(server, sentence, "--connections", "1", *words)


async def secure_mistake(scope, name, counted, sentence):
    certificate = await Certificate.make(scope)
    server = await Faulty.start(scope, name, tls=certificate.context())
    await sees(server, sentence, "--connections", "1", "--in-flight", "4", counted=counted)


class Relay:
    """Passes bytes on to a server, and changes one of what comes back, behind so many."""

    @classmethod
    async def start(cls, scope, server, at):
        self = cls()
        self.server, self.left = server, at
        listener = await asyncio.start_server(self.talk, "127.0.0.1", 0)
        self.port = listener.sockets[0].getsockname()[1]
        scope.callback(listener.close)
        return self

    def url(self):
        return f"wss://127.0.0.1:{self.port}/"

    async def talk(self, reader, writer):
        back, forth = await asyncio.open_connection("127.0.0.1", self.server.port)
        await asyncio.gather(self.move(reader, forth, False), self.move(back, writer, True))

    async def move(self, reader, writer, changes):
        while data := bytearray(await reader.read(65536)):
            if changes and 0 <= self.left < len(data):
                data[self.left] ^= 1
            self.left -= len(data) if changes else 0
            writer.write(data)
        writer.close()


async def changed_byte(scope):
    certificate = await Certificate.make(scope)
    server = await Faulty.start(scope, None, tls=certificate.context())
    relay = await Relay.start(scope, server, 10000)
    await sees(relay, "TLS failed without a Close frame: decryption failed or bad record mac",
               "--connections", "1")


async def no_tls(scope):
    server = await scope.serve("weir-serve")
    plain = server.url()
    server.url = lambda: plain.replace("ws://", "wss://")
    await sees(server, "TLS failed during the TLS handshake: wrong version number",
               "--connections", "1")


async def strangers_certificate(scope):
    certificate, other = await Certificate.make(scope), await Certificate.make(scope)
    server = await Stranger.start(scope, certificate.context())
    await sees(server, "TLS failed during the TLS handshake: self-signed certificate", "--ca",
               other.file)
    was_good(await Run.with_reports(*SHORT, server.url()))
    was_good(await Run.with_reports(*SHORT, "--ca", certificate.file,
                                    server.url(host="localhost")))
    server.url = lambda: Stranger.url(server, host="127.0.0.2")
    await sees(server, "TLS failed during the TLS handshake: IP address mismatch|connect: .*",
               "--ca", certificate.file)


async def wrong_version(scope):
    certificate = await Certificate.make(scope)
    server = await Stranger.start(scope, certificate.context(ssl.TLSVersion.TLSv1_3))
    await sees(server, "(TLS failed|the server hung up) during the TLS handshake.*",
               "--tls-version", "12")


async def no_file(scope):
    certificate = await Certificate.make(scope)
    server = await Stranger.start(scope, certificate.context())
    bench = await Run.with_reports("--ca", "/nowhere.pem", *SHORT, server.url())
    equal(bench.status, 1)
    equal(bench.json["reasons"][0]["text"],
          "the file of --ca holds no certificates in PEM that can be read")


run([
    ("weir-bench, wss and compressed: closed", mode, "/", "closed --in-flight 3", True),
    ("weir-bench, wss and compressed: rate", mode, "/", "rate --rate 300", True),
    ("weir-bench, wss and compressed: broadcast", mode, "/all", "broadcast", True),
    ("weir-bench, wss and compressed: slow", mode, "/all", "slow --stall 0.1 --slow 50", True),
    ("weir-bench, wss and compressed: bystander", mode, "/all",
     "bystander --rate 50 --side-path /", True),
    ("weir-bench, wss and compressed: storm", mode, "/", "storm", True),
    ("weir-bench, wss and compressed: churn", mode, "/", "churn --lifetime 0.05", True),
    ("weir-bench, wss and compressed: idle", mode, "/", "idle", False),
    ("weir-bench, wss+unix and compressed: closed", mode, "/", "closed --in-flight 3", True, True),
    ("weir-bench, wss+unix and compressed: broadcast", mode, "/all", "broadcast", True, True),
    ("weir-bench, wss+unix and compressed: slow", mode, "/all", "slow --stall 0.1 --slow 50",
     True, True),
    ("weir-bench, wss+unix and compressed: bystander", mode, "/all",
     "bystander --rate 50 --side-path /", True, True),
    ("weir-bench, wss+unix and compressed: storm", mode, "/", "storm", True, True),
    ("weir-bench, wss and compressed: ramp", steps),
    ("weir over wss, compressed: echo", weir, "echo", "/", "closed --in-flight 3"),
    ("weir over wss, compressed: broadcast", weir, "all", "/", "broadcast --in-flight 4"),
    ("weir over wss, compressed: a loop of sends", weir, "loop", "/", "broadcast"),
    ("weir over wss, compressed: slow receivers", weir, "all", "/", "slow --stall 0.1 --slow 50"),
    ("weir over wss, compressed: bystander", weir, "topic", "/all",
     "bystander --rate 50 --side-path /"),
    ("weir over wss, compressed: storm", weir, "echo", "/", "storm"),
    ("weir over wss, compressed: churn", weir, "echo", "/", "churn --lifetime 0.05"),
    ("weir over wss, compressed: idle", weir, "echo", "/", "idle"),
    ("weir-bench, wss: versions, full handshakes and resumed sessions", versions),
    ("weir-bench, wss and compressed: kinds and sizes of payload", payloads),
    ("weir-bench, compressed: what servers may agree to", agreements),
    ("weir-bench, compressed: a good server with takeover", no_mistake, DEFLATE),
    ("weir-bench, compressed: a good server without", no_mistake, FORGETS, "--no-takeover"),
    ("weir-bench, compressed: a good server with small windows", no_mistake,
     DEFLATE + "; server_max_window_bits=9; client_max_window_bits=8"),
    ("weir-bench, compressed: a byte is wrong", mistake, "alter", "wrong",
     r"message \d+ of connection 0 is wrong at byte 63 of 64"),
    ("weir-bench, compressed: a byte is wrong with takeover", mistake, "alter", "wrong",
     r"message \d+ of connection 0 is wrong at byte 63 of 64", DEFLATE),
    ("weir-bench, compressed: a byte is wrong when all is known", late_mistake, "alter", "wrong",
     r"message 3499 of connection 0 is wrong at byte 63 of 64"),
    ("weir-bench, compressed: a message comes again when all is known", late_mistake, "stale",
     "lost", "messages came late, or twice"),
    ("weir-bench, compressed: a message comes again", mistake, "stale", "lost",
     "messages came late, or twice"),
    ("weir-bench, compressed: bytes that are no deflate", mistake, "garble", "wrong",
     "a compressed message is wrong: invalid block type"),
    ("weir-bench, compressed: a message ends inside a block", mistake, "cut", "wrong",
     r"a compressed message is wrong: .*|message \d+ of connection 0 is wrong at byte \d+ of 64"),
    ("weir-bench, compressed: a message does not end", mistake, "flood", "wrong",
     "a compressed message is wrong: it does not come to its end"),
    ("weir-bench, compressed: a message is a bomb", mistake, "bomb", "wrong",
     r"(message \d+ of connection 0 is wrong at byte 0 of 64|"
     "a message has 4194304 bytes instead of 64)"),
    ("weir-bench, compressed: RSV1 on a continuation", mistake, "continued", "failed",
     "the server broke the protocol: RSV1 is set on a continuation frame"),
    ("weir-bench: RSV1 where nothing was agreed", answer, DEFLATE,
     "The 101 names an extension that was not asked for"),
    ("weir-bench, compressed: the server declines", answer, None,
     "The server did not agree to permessage-deflate", "--compress"),
    ("weir-bench, compressed: a parameter that there is not", answer, DEFLATE + "; x",
     "The server answers permessage-deflate with a parameter that there is not", "--compress"),
    ("weir-bench, compressed: a promise that was asked for is missing", answer, DEFLATE,
     "The server does not promise server_no_context_takeover, which was asked for", "--compress",
     "--no-takeover"),
    ("weir-bench, wss: a byte is wrong", secure_mistake, "corrupt", "wrong",
     r"message \d+ of connection 0 is wrong at byte 32 of 64"),
    ("weir-bench, wss: the server hangs up", secure_mistake, "leave", "failed",
     "(the server hung up|the connection broke) without a Close frame.*"),
    ("weir-bench, wss: a byte was changed on the way", changed_byte),
    ("weir-bench, wss: the server speaks no TLS", no_tls),
    ("weir-bench, wss: a certificate of somebody else", strangers_certificate),
    ("weir-bench, wss: a version that the server does not speak", wrong_version),
    ("weir-bench, wss: --ca cannot be read", no_file),
])
