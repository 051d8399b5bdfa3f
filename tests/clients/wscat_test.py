"""npm's wscat as a person uses it: in a terminal, which alone is shown how a connection ends. It
sends neither binary nor fragments."""
import asyncio
import os
import pty
import re

from support.harness import HERE, equal, run

WSCAT = os.path.join(HERE, "../node_modules/wscat/bin/wscat")
MIB = 1 << 20
WELCOME = "Welcome to the websocket server"
CONTROLS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]|\r")


class Terminal:
    """A wscat that believes to stand on a terminal, and what it showed so far."""

    @classmethod
    async def start(cls, scope, url, *options):
        self = cls()
        self.shown = ""
        self.more = asyncio.Event()
        self.master, slave = pty.openpty()
        scope.callback(os.close, self.master)
        self.child = await asyncio.create_subprocess_exec(
            "node", WSCAT, "--slash", "--show-ping-pong", "--connect", url, *options,
            stdin=slave, stdout=slave, stderr=slave)
        os.close(slave)
        scope.push_async_callback(self.stop)
        asyncio.get_running_loop().add_reader(self.master, self.read)
        scope.callback(asyncio.get_running_loop().remove_reader, self.master)
        return self

    def read(self):
        try:
            self.shown += os.read(self.master, 65536).decode(errors="replace")
        except OSError:  # its end of the terminal is closed
            asyncio.get_running_loop().remove_reader(self.master)
            self.shown += "\n(wscat has ended)"
        self.more.set()

    async def see(self, text):
        """Waits until it has shown the text; returns what stood before it, and forgets both."""
        while True:
            shown = CONTROLS.sub("", self.shown)
            if text in shown:
                before, _, self.shown = shown.partition(text)
                return before
            assert "(wscat has ended)" not in shown, f"no {text!r} in {shown!r}"
            self.more.clear()
            await self.more.wait()

    def type(self, line):
        os.write(self.master, line.encode() + b"\n")

    async def stop(self):
        if self.child.returncode is None:
            self.child.kill()
        await self.child.wait()


async def person(scope, server, path):
    terminal = await Terminal.start(scope, server.url(path))
    await terminal.see("Connected (press CTRL+C to quit)")
    await terminal.see(f"< {WELCOME}")
    equal(await server.line(), "A new client connected!")
    return terminal


async def answers(scope, app):
    server = await scope.serve(app)
    terminal = await person(scope, server, "/")
    terminal.type("Grüße 🌊")
    await terminal.see("< You sent -> Grüße 🌊")
    terminal.type("/ping weir")
    await terminal.see('< Received pong (data: "weir")')
    terminal.type("/close 4321 see you")
    await terminal.see('Disconnected (code: 4321, reason: "")')
    equal(await server.line(), "Client disconnected (4321) see you")


async def broadcasts(scope, app):
    server = await scope.serve(app)
    one = await person(scope, server, "/all")
    two = await person(scope, server, "/others")
    one.type("with the sender")
    await one.see("< with the sender")
    await two.see("< with the sender")
    two.type("without the sender")
    await one.see("< without the sender")
    one.type("next")
    assert "< " not in await two.see("< next"), "the sender was told too"


async def server_pings_and_closes(scope):
    server = await scope.serve("weir-serve", "--ping-ms", "100", "--idle-ms", "500")
    terminal = await Terminal.start(scope, server.url())
    await terminal.see('< Received ping (data: "")')
    await terminal.see('Disconnected (code: 1001, reason: "idle for too long")')


async def big_message(scope):
    """Without a terminal: a line of 16 MiB into a pipe, and out of one, behind a prompt."""
    limits = ["--max-message", str(17 * MIB), "--queue-bytes", str(32 * MIB)]
    server = await scope.serve("weir-serve", "--mode", "chat", *limits)
    child = await asyncio.create_subprocess_exec(
        "node", WSCAT, "--connect", server.url(), limit=32 * MIB,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
    scope.push_async_callback(child.wait)
    scope.callback(child.stdin.close)
    equal(await child.stdout.readline(), WELCOME.encode() + b"\n")
    line = b"weir" * (4 * MIB) + b"\n"
    child.stdin.write(line)
    assert await child.stdout.readline() == b"> You sent -> " + line


run([
    ("wscat: chat: text, ping, close with a code", answers, "chat"),
    ("wscat: chat: broadcasts", broadcasts, "chat"),
    ("wscat: chat-c: text, ping, close with a code", answers, "chat-c"),
    ("wscat: chat-c: broadcasts", broadcasts, "chat-c"),
    ("wscat: the server pings and closes", server_pings_and_closes),
    ("wscat: 16 MiB of text", big_message),
])
