"""Runs checks one after the other, each with its own servers, and prints a line of each: ok,
FAILED or SKIPPED. A check is a coroutine that takes a Scope."""
import asyncio
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ.get("WEIR_BUILD", os.path.join(HERE, "../../../build"))
DEADLINE_S = 20
STOP_S = 10
LISTENING = re.compile(r"listening on (?:(\w+)://[\w.]+:(\d+)/?)?(?: and )?(?:unix:(.+))?\n")


class Server:
    """A built program that listens on a port of its own choice, unless its options say where."""

    @classmethod
    async def start(cls, name, *options):
        server = cls()
        port = ["--port", "0"] if name == "weir-serve" else ["0"]
        if "--port" in options or "--unix" in options:
            port = []
        server.child = await asyncio.create_subprocess_exec(
            f"{BUILD}/bin/{name}", *port, *options,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
        first = (await server.child.stdout.readline()).decode()
        match = LISTENING.fullmatch(first)
        if match is None:
            server.child.kill()
            raise AssertionError(f"the first line of {name}: {first!r}")
        server.scheme, server.port, server.path = match[1], int(match[2] or 0), match[3]
        return server

    def url(self, path="/", host="127.0.0.1"):
        scheme = "wss" if self.scheme == "wss" else "ws"
        return f"{scheme}://{host}:{self.port}{path}"

    async def line(self):
        """The next line of its standard output, without white space at its end."""
        line = (await self.child.stdout.readline()).decode()
        assert line, "the program has ended"
        return line.rstrip()

    async def stop(self):
        """Asks it to end, which it must do without an error."""
        if self.child.returncode is None:
            self.child.send_signal(signal.SIGTERM)
        try:
            _, errors = await asyncio.wait_for(self.child.communicate(), STOP_S)
        except asyncio.TimeoutError:
            self.child.kill()
            raise AssertionError(f"the server did not end in {STOP_S} s") from None
        status = self.child.returncode
        assert status == 0, f"exit status {status}: {errors.decode()}"


class Certificates:
    """The files that certificates.sh makes, in a directory that goes with the check."""

    def __init__(self, directory):
        self.directory = directory
        subprocess.run([f"{HERE}/certificates.sh", directory], check=True)
        self.install("server1")

    def path(self, name):
        return os.path.join(self.directory, name)

    def install(self, name):
        """Puts a server's certificate where the server reads it."""
        for kind in ("pem", "key"):
            shutil.copy(self.path(f"{name}.{kind}"), self.path("next"))
            os.replace(self.path("next"), self.path(f"server.{kind}"))

    def options(self):
        return ["--tls-cert", self.path("server.pem"), "--tls-key", self.path("server.key")]


class Scope(contextlib.AsyncExitStack):
    """What one check has started; the last started ends first."""

    def folder(self):
        return self.enter_context(tempfile.TemporaryDirectory(prefix="weir-"))

    def certificates(self):
        return Certificates(self.folder())

    async def serve(self, name, *options):
        server = await Server.start(name, *options)
        self.push_async_callback(server.stop)
        return server


def equal(actual, expected):
    assert actual == expected, f"{actual!r:.200} came, not {expected!r:.200}"


async def attempt(body, arguments):
    async with Scope() as scope:
        await asyncio.wait_for(body(scope, *arguments), DEADLINE_S)


def reason(error):
    """What went wrong and in which line of a test, as one line."""
    places = [f"{os.path.basename(frame.filename)}:{frame.lineno}"
              for frame in traceback.extract_tb(error.__traceback__)
              if frame.filename.endswith("_test.py")]
    said = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, asyncio.TimeoutError):
        said = f"nothing after {DEADLINE_S} s"
    return f"{places[-1] if places else ''} {said[:600]}"


def run(checks):
    """Takes (name, coroutine function, arguments...) of each check; exits, with 1 if one failed."""
    status = 0
    for name, body, *arguments in checks:
        try:
            asyncio.run(attempt(body, arguments))
            print(f"ok {name}", flush=True)
        except Exception as error:  # whatever a check ends with is its result
            print(f"FAILED {name}: {reason(error)}", flush=True)
            status = 1
    sys.exit(status)
