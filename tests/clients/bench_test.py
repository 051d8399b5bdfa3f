"""Our own weir-bench: each mode against weir-serve, and whether it notices what servers do wrong.
Nothing here depends on how fast anything is."""
import asyncio
import csv
import json
import os
import pty
import signal
import socket
import tempfile

from support.bench import BENCH, SHORT, Run, agrees, mistake, was_good
from support.faulty import Faulty
from support.harness import equal, run


async def mode(scope, serve, path, words, timed):
    server = await scope.serve("weir-serve", "--mode", serve)
    bench = await Run.with_reports(*words.split(), *SHORT, "--server-pid", str(server.child.pid),
                                   server.url(path))
    was_good(bench)
    agrees(bench)
    found = bench.json
    equal((found["tool"], found["mode"], found["url"]),
          ("weir-bench", words.split()[0], server.url(path)))
    assert found["counts"]["operations"] > 0, found["counts"]
    assert (found["latency_us"]["count"] > 0) == timed, found["latency_us"]
    equal(found["spectrum"], sorted(found["spectrum"]))
    assert found["server"]["rss_after_bytes"] > 0, found["server"]
    assert found["server"]["threads"] >= 1, found["server"]


async def steps(scope):
    server = await scope.serve("weir-serve")
    bench = await Run.with_reports("ramp", "--bound", "1000000000", "--rate", "100", "--warmup",
                                   "0", "--seconds", "0.05", server.url())
    equal(bench.json["counts"]["wrong"], 0)
    found = bench.json["steps"]
    equal(found[0]["rate"], 100)
    assert bench.json["knee"] in [0, *(step["rate"] for step in found)], found
    assert " steps " in bench.out and " knee " in bench.out, bench.out


async def payloads(scope):
    server = await scope.serve("weir-serve")
    for words in ("--text --size 1", "--cjk --size 100 --fragments 7", "--size 0",
                  "--size 70K --in-flight 3 --threads 2", "--binary --size 126 --addresses 3"):
        bench = await Run.with_reports(*words.split(), *SHORT, server.url())
        was_good(bench)


async def no_mistake(scope):
    server = await Faulty.start(scope, None)
    was_good(await Run.with_reports(*SHORT, "--in-flight", "4", server.url()))


async def unix_sockets(scope):
    """By a path and by an abstract name. Most find the backlog full and come again."""
    folder = scope.enter_context(tempfile.TemporaryDirectory(prefix="weir-"))
    many = [*SHORT[:-1], "50"]
    for name in (f"{folder}/socket", f"\0{folder}"):
        server = await Faulty.start(scope, None, socket=name)
        for words in ("closed --size 60K --in-flight 3", "rate --rate 500", "storm",
                      "churn --lifetime 0.05 --threads 2", "idle"):
            bench = await Run.with_reports(*words.split(), *many, server.url("/a:b?c=:/d"))
            was_good(bench)
            agrees(bench)
            equal(server.head.split(b"\r\n")[:2], [b"GET /a:b?c=:/d HTTP/1.1",
                                                   b"Host: localhost"])
    bench = await Run.with_reports(*SHORT, f"ws+unix:{folder}/none:/")
    equal((bench.status, bench.json["reasons"]),
          (1, [{"text": "connect: No such file or directory", "count": 10}]))


async def nobody(_):
    with socket.socket() as lonely:
        lonely.bind(("127.0.0.1", 0))
        bench = await Run.with_reports(*SHORT, f"ws://127.0.0.1:{lonely.getsockname()[1]}/")
    equal(bench.status, 1)
    equal(bench.json["reasons"], [{"text": "connect: Connection refused", "count": 10}])
    equal(bench.json["counts"]["failed"], 10)


async def standard_output(scope):
    server = await scope.serve("weir-serve")
    bench = await Run.of("--json", "-", *SHORT, server.url())
    equal(json.loads(bench.out)["mode"], "closed")
    assert " latency " in bench.errors, bench.errors
    bench = await Run.of("--csv", "-", *SHORT, server.url())
    equal(next(csv.DictReader(bench.out.splitlines()))["mode"], "closed")


async def arguments(_):
    for words, sentence in (
            ([], "a URL is missing"),
            (["--speed", "3"], "there is no option --speed"),
            (["--server-pid", "4194304", "ws://127.0.0.1/"], "there is no process 4194304"),
            (["--cpus", "1023", "ws://127.0.0.1/"], "--cpus names CPU 1023, and this machine has"),
            (["--json", "/nowhere/x", "ws://127.0.0.1/"], "--json /nowhere/x: No such file"),
            (["--csv", __file__, "ws://127.0.0.1/"], "its first row names other columns")):
        bench = await Run.of(*words)
        equal((bench.status, bench.out), (2, ""))
        assert sentence in bench.errors, bench.errors
    for word, beginning in (("--help", "weir-bench puts a load"), ("--version", "weir-bench ")):
        bench = await Run.of(word)
        equal((bench.status, bench.errors), (0, ""))
        assert bench.out.startswith(beginning), bench.out


async def seen(master, text):
    """Waits until a terminal has shown the text."""
    loop, shown, more = asyncio.get_running_loop(), bytearray(), asyncio.Event()

    def read():
        shown.extend(os.read(master, 65536))
        more.set()

    loop.add_reader(master, read)
    while text not in shown:
        more.clear()
        await more.wait()
    loop.remove_reader(master)


async def ended_early(scope):
    """By Ctrl-C, when the line on the terminal shows that it measures."""
    server = await scope.serve("weir-serve")
    master, slave = pty.openpty()
    scope.callback(os.close, master)
    child = await asyncio.create_subprocess_exec(
        BENCH, "--json", "-", "--warmup", "0", "--seconds", "3600", server.url(),
        stdout=asyncio.subprocess.PIPE, stderr=slave)
    os.close(slave)
    await seen(master, b"\rmeasuring   [")
    child.send_signal(signal.SIGINT)
    out, _ = await child.communicate()
    equal(child.returncode, 0)
    assert 0 < json.loads(out)["seconds"] < 3600, out


run([
    ("weir-bench: closed", mode, "echo", "/", "closed --in-flight 3", True),
    ("weir-bench: rate", mode, "echo", "/", "rate --rate 500", True),
    ("weir-bench: broadcast", mode, "all", "/", "broadcast", True),
    ("weir-bench: broadcast, begun apart", mode, "all", "/",
     "broadcast --in-flight 4 --apart", True),
    ("weir-bench: broadcast at a rate", mode, "all", "/", "broadcast --rate 50", True),
    ("weir-bench: slow", mode, "all", "/", "slow --stall 0.1 --slow 50", True),
    ("weir-bench: bystander", mode, "chat", "/all", "bystander --rate 100 --side-path /", True),
    ("weir-bench: storm", mode, "echo", "/", "storm", True),
    ("weir-bench: churn", mode, "echo", "/", "churn --lifetime 0.05", True),
    ("weir-bench: idle", mode, "echo", "/", "idle", False),
    ("weir-bench: ramp", steps),
    ("weir-bench: kinds and sizes of payload, threads, addresses", payloads),
    ("weir-bench: a good server of another make", no_mistake),
    ("weir-bench: a byte is wrong", mistake, "corrupt", "wrong",
     r"message \d+ of connection 0 is wrong at byte 32 of 64"),
    ("weir-bench: a message is too short", mistake, "shorten", "wrong",
     "a message has 63 bytes instead of 64"),
    ("weir-bench: a message is lost", mistake, "lose", "lost",
     "messages did not come, or not in their order: later ones came instead"),
    ("weir-bench: two messages are swapped", mistake, "swap", "lost",
     "messages came late, or twice"),
    ("weir-bench: a message comes twice", mistake, "twice", "lost",
     "messages came late, or twice"),
    ("weir-bench: a frame is masked", mistake, "mask", "failed",
     "the server broke the protocol: .*mask.*"),
    ("weir-bench: the server hangs up", mistake, "leave", "failed",
     "(the server hung up|the connection broke) without a Close frame.*"),
    ("weir-bench: the server closes", mistake, "dismiss", "failed",
     "the server closed with code 1011: tired"),
    ("weir-bench: the upgrade is refused", mistake, "status", "failed", ".* status 200"),
    ("weir-bench: the upgrade's key is wrong", mistake, "accept", "failed",
     ".*Sec-WebSocket-Accept.*"),
    ("weir-bench: unix sockets", unix_sockets),
    ("weir-bench: nobody listens", nobody),
    ("weir-bench: JSON and CSV on standard output", standard_output),
    ("weir-bench: wrong arguments, help and version", arguments),
    ("weir-bench: Ctrl-C ends a run early", ended_early),
])
