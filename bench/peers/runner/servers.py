"""The servers: how each is started, and what version it is. All run on one processor."""
import os
import re
import select
import shlex
import signal
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROOT = os.path.dirname(os.path.dirname(HERE))
SERVERS = os.path.join(HERE, "servers")
BUILD = os.path.abspath(os.environ.get("WEIR_BUILD", os.path.join(ROOT, "build")))
SERVER_CPU, LOAD_CPU = "0", "1"
START_S, STOP_S = 15, 5
OWN = re.compile(r"PEER_(\w+)")
MODES = ("echo", "all", "others", "loop", "bystander")


class Server:
    """A program that can serve: command has the words {port} and {mode}, and {cert}, {key} and
    {deflate} where it can do these. One that can listen on a unix socket takes its path, which has
    slashes, for a port. One with a protocol of its own is compared only where the load speaks
    that."""

    deflates = ("shared", "takeover")

    def __init__(self, name, command, version, words=None, protocol="websocket", unix=False):
        self.name, self.command, self.version, self.protocol = name, command, version, protocol
        self.words = words or {}  # the program's own names of modes
        self.unix = unix

    def has(self, word):
        return any(word in part for part in self.command)

    def can_tls(self):
        return self.has("{cert}")

    def can_deflate(self, how):
        return self.has("{deflate}") and how in self.deflates

    def line(self, port, mode, tls=None, deflate="off"):
        """The command line; tls is the certificate's and the key's file."""
        word = self.words.get(mode, "all" if mode == "subscribed" else mode)
        cert, key = tls or ("-", "-")
        values = {"{port}": str(port), "{mode}": word, "{cert}": cert, "{key}": key,
                  "{deflate}": deflate}
        line = list(self.command)
        for name, value in values.items():
            line = [part.replace(name, value) for part in line]
        return line


class Raw(Server):
    """The floor, which keeps no context."""

    deflates = ("shared",)


class Weir(Server):
    """weir-serve, which has options for it."""

    def can_tls(self):
        return True

    def can_deflate(self, how):
        return how in self.deflates

    def line(self, port, mode, tls=None, deflate="off"):
        options = {"off": [], "shared": ["--deflate"], "takeover": ["--deflate-takeover"]}
        secure = ["--tls-cert", tls[0], "--tls-key", tls[1]] if tls else []
        program, *words = super().line(port, mode)
        place = ["--unix", port] if is_path(port) else ["--host", "127.0.0.1", "--port", str(port)]
        return [program, *place, *words, *secure, *options[deflate]]


def is_path(port):
    return "/" in str(port)


class Failed(Exception):
    """A server that did not start or a load that could not be made; the text says why."""


class Running:
    """A started server, ended when the context is left. Without a port it listens on a unix
    socket."""

    def __init__(self, server, port, mode, extra=(), tls=None, deflate="off"):
        self.folder = tempfile.TemporaryDirectory(prefix="weir-") if port is None else None
        self.port = port or f"{self.folder.name}/socket"
        self.scheme = "wss" if tls else "ws"
        self.errors = tempfile.TemporaryFile()
        self.child = subprocess.Popen(
            ["taskset", "-c", SERVER_CPU, *server.line(self.port, mode, tls, deflate), *extra],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.errors, cwd=ROOT)
        try:
            self.wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def url(self, path="/"):
        place = f"+unix:{self.port}:" if self.folder else f"://127.0.0.1:{self.port}"
        return f"{self.scheme}{place}{path}"

    def wait_until_ready(self):
        deadline, said = time.monotonic() + START_S, b""
        while b"listening" not in said:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.child.stdout], [], [], left)[0]:
                raise Failed(f"not listening after {START_S} s")
            more = os.read(self.child.stdout.fileno(), 4096)
            if not more:
                raise Failed(f"it ended at its start: {self.last_words()}")
            said += more

    def last_words(self):
        """What it said of errors before it ended."""
        self.end()
        self.errors.seek(0)
        text = " ".join(self.errors.read().decode(errors="replace").split())
        return text[-200:] or f"status {self.child.returncode}"

    def end(self):
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
            try:
                self.child.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.child.kill()
        self.child.wait()

    def stop(self):
        self.end()
        self.child.stdout.close()
        self.errors.close()
        if self.folder:
            self.folder.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def said(*command, pattern=r"\d+(?:\.\d+)+"):
    """The version in what a command prints, or None."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, cwd=HERE,
                              check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(pattern, done.stdout)
    return found[0] if done.returncode == 0 and found else None


def of_package(name):
    return lambda: said("dpkg-query", "-W", "-f", "${Version}", name)


def of_module(name):
    script = f"console.log(require('{name}/package.json').version)"
    return lambda: said("node", "-e", script)


def of_weir():
    with open(f"{ROOT}/core/include/weir/version.h", encoding="utf-8") as file:
        version = re.search(r'WEIR_VERSION "([^"]+)"', file.read())[1]
    commit = said("git", "describe", "--always", "--dirty", pattern=r"\S+")
    return f"{version} {commit}" if commit else version


def all_servers(environment):
    """Those of the house by name, then those that PEER_NAME='command {port} {mode}' adds."""
    serve = [f"{BUILD}/bin/weir-serve", "--mode", "{mode}", "--max-message", str(64 << 20),
             "--queue-bytes", "0", "--ping-ms", "0", "--quiet"]
    ends = ["{port}", "{mode}"]
    secured = [*ends, "{cert}", "{key}", "{deflate}"]
    topic = {"bystander": "topic", "subscribed": "topic"}
    bun = f"{HERE}/node_modules/.bin/bun"
    found = [
        Weir("weir", serve, of_weir, topic, unix=True),
        Weir("weir2", serve, of_weir, topic, unix=True),
        Raw("raw", [f"{BUILD}/peers/raw", *ends, "{deflate}"], of_weir, unix=True),
        Server("ws", ["node", f"{SERVERS}/ws.mjs", *secured], of_module("ws"), unix=True),
        Server("bun", [bun, f"{SERVERS}/bun.mjs", *secured], lambda: said(bun, "--version")),
        Server("lws", [f"{BUILD}/peers/lws", *secured], of_package("libwebsockets-dev")),
        Server("beast", [f"{BUILD}/peers/beast", *secured], of_package("libboost-dev")),
        Server("websockets", ["/usr/bin/python3", f"{SERVERS}/websockets_server.py", *secured],
               of_package("python3-websockets")),
        Server("socketio", ["node", f"{SERVERS}/socketio.mjs", *ends], of_module("socket.io"),
               protocol="socketio"),
    ]
    for variable in sorted(environment):
        own = OWN.fullmatch(variable)
        if own:
            found.append(Server(own[1], shlex.split(environment[variable]), lambda: None))
    return {server.name: server for server in found}

