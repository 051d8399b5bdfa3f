"""Programs that others wrote, as checks use them: to ask one for something, or to keep one running;
and the ports of those that take none of their own choice."""
import asyncio
import os
import random
import shutil
import signal
import socket

STOP_S = 10
POLL_S = 0.01
PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])


def find(name):
    """Where a program is, or None; servers are not in everybody's PATH."""
    return shutil.which(name, path=PATH)


def free_port():
    """A port that nothing uses, below those that the kernel gives to clients."""
    while True:
        port = random.randrange(10000, 32768)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


async def said(name, *words, data=None, status=0):
    """What a program prints, which must end with that status."""
    child = await asyncio.create_subprocess_exec(
        find(name), *words, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE)
    try:
        out, errors = await child.communicate(data)
    finally:
        if child.returncode is None:
            child.kill()
    assert child.returncode == status, \
        f"{name}: exit status {child.returncode}: {errors.decode(errors='replace')[-400:]}"
    return out


async def poll(question, what, alive=lambda: True):
    """Waits until a coroutine function's answer is true, as long as there is hope, and returns it.
    The deadline is the check's."""
    while True:
        answer = await question()
        if answer:
            return answer
        assert alive(), f"no hope any more for {what}"
        await asyncio.sleep(POLL_S)


async def accepts(port):
    """Whether somebody listens on a port."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


class Daemon:
    """A program that runs until the check ends. Its standard error is a file, which nobody needs
    to read for it to go on."""

    @classmethod
    async def start(cls, scope, errors, name, *words, **options):
        self = cls()
        self.name, self.errors = name, errors
        with open(errors, "wb") as file:
            self.child = await asyncio.create_subprocess_exec(
                find(name) or name, *words, stdin=asyncio.subprocess.DEVNULL, stderr=file,
                **options)
        scope.push_async_callback(self.stop)
        return self

    def complaints(self):
        with open(self.errors, encoding="utf-8", errors="replace") as file:
            return file.read()

    def lives(self):
        assert self.child.returncode is None, \
            f"{self.name}: exit status {self.child.returncode}: {self.complaints()[-400:]}"
        return True

    async def listens(self, port):
        """Waits until it listens on a port."""
        await poll(lambda: accepts(port), f"{self.name} on port {port}", self.lives)

    async def complains(self, text):
        """Waits for a text on its standard error."""
        async def question():
            return text in self.complaints()
        await poll(question, f"{text!r} of {self.name}", self.lives)

    async def stop(self, number=signal.SIGTERM):
        """Asks it to end, which it must do in time; returns its exit status."""
        if self.child.returncode is None:
            self.child.send_signal(number)
        try:
            return await asyncio.wait_for(self.child.wait(), STOP_S)
        except asyncio.TimeoutError:
            self.child.kill()
            raise AssertionError(f"{self.name} did not end in {STOP_S} s") from None
