"""systemd-socket-activate starts weir-serve with the sockets that it listens on, at the first
connection, which the server then answers."""
import asyncio
import contextlib
import os

import websockets

from support.harness import BUILD, equal, run
from support.programs import Daemon, free_port

SERVE = os.path.abspath(f"{BUILD}/bin/weir-serve")


class Activator:
    """Listens on ports of 127.0.0.1 and on unix sockets, and becomes the server when somebody
    comes. Where gives "tcp" or "unix" for each."""

    @classmethod
    async def start(cls, scope, where, *options):
        self, folder, words = cls(), scope.folder(), []
        self.places = []
        for number, kind in enumerate(where):
            port, path = free_port(), os.path.join(folder, f"socket{number}")
            self.places.append(port if kind == "tcp" else path)
            words += ["-l", f"127.0.0.1:{port}" if kind == "tcp" else path]
        self.daemon = await Daemon.start(
            scope, os.path.join(folder, "errors"), "systemd-socket-activate", *words,
            SERVE, "--inherit", *options, stdout=asyncio.subprocess.PIPE)
        for number in range(len(where)):
            await self.daemon.complains(f" as {3 + number}.\n")
        return self

    async def client(self, scope, place):
        options = {"open_timeout": None}
        if isinstance(place, int):
            return await scope.enter_async_context(
                websockets.connect(f"ws://127.0.0.1:{place}/", **options))
        return await scope.enter_async_context(
            websockets.unix_connect(place, "ws://localhost/", **options))

    async def line(self):
        return (await self.daemon.child.stdout.readline()).decode().rstrip()

    async def finish(self, accepted):
        """Ends the server, which accepted so many."""
        equal(await self.daemon.stop(), 0)
        equal((await self.line()).split(",")[0], f"accepted {accepted}")


async def activated(scope, where, loops):
    activator = await Activator.start(scope, where, "--loops", str(loops))
    async with contextlib.AsyncExitStack() as clients:
        for round_ in range(8):
            for place in activator.places:
                client = await activator.client(clients, place)
                await client.send(f"{round_} at {place}")
                equal(await client.recv(), f"{round_} at {place}")
                if round_ == 0 and place == activator.places[0]:
                    descriptors = [f"descriptor {3 + n}" for n in range(len(where))]
                    equal(await activator.line(), f"listening on {' and '.join(descriptors)}")
    await activator.finish(8 * len(where))
    for place in activator.places:  # the file is its maker's, not the server's
        assert isinstance(place, int) or os.path.exists(place)


async def crowd(scope, where, loops):
    """All come at once, the first of them to nobody yet."""
    activator = await Activator.start(scope, where, "--loops", str(loops))
    async with contextlib.AsyncExitStack() as stack:
        places = [place for place in activator.places for _ in range(20)]
        clients = await asyncio.gather(*(activator.client(stack, place) for place in places))
        for client in clients:
            await client.send(b"here")
        equal(await asyncio.gather(*(client.recv() for client in clients)), [b"here"] * len(places))
    await activator.line()
    await activator.finish(len(places))


async def not_for_this_process(scope):
    """The variables are those of another process, or there are none."""
    one = {"LISTEN_FDS": "1"}
    for variables in ({"LISTEN_PID": "1", **one}, one, {"LISTEN_PID": "1"}, {}):
        child = await asyncio.create_subprocess_exec(
            SERVE, "--inherit", env=variables, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE)
        out, errors = await child.communicate()
        equal((variables, child.returncode, out), (variables, 1, b""))
        assert b"LISTEN_FDS and LISTEN_PID name no descriptors" in errors, errors


run([
    ("systemd: TCP, one loop", activated, ["tcp"], 1),
    ("systemd: TCP, two loops", activated, ["tcp"], 2),
    ("systemd: a unix socket, one loop", activated, ["unix"], 1),
    ("systemd: a unix socket, two loops", activated, ["unix"], 2),
    ("systemd: TCP and unix, two loops", activated, ["tcp", "unix"], 2),
    ("systemd: a crowd comes to TCP, two loops", crowd, ["tcp"], 2),
    ("systemd: a crowd comes to TCP and unix, one loop", crowd, ["tcp", "unix"], 1),
    ("systemd: variables of another process are ignored", not_for_this_process),
])
