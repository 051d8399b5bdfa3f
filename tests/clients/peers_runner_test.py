"""The logic of bench/peers/run, without servers: orders, the control's verdict, ratios, merging,
what is taken up again, estimates."""
import io
import os
import sys
import tempfile
import types

from support.harness import equal, run

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../bench/peers"))

from runner import certificates as maker  # noqa: E402
from runner import figures, generator, points, rounds, servers, store, table  # noqa: E402
from runner.progress import Progress  # noqa: E402


def sample(value, per_second=1.0):
    return {"value": value, "per_second": per_second, "p50_us": 1.0, "p99_us": 2.0}


async def orders(_):
    names = ["a", "b", "c"]
    turns = [figures.order(names, number) for number in range(6)]
    for turn in turns:
        equal(sorted(turn), names)
    for place in range(3):
        equal(sorted(turn[place] for turn in turns), ["a", "a", "b", "b", "c", "c"])
    followers = {(one, two) for turn in turns for one, two in zip(turn, turn[1:])}
    equal(len(followers), 6)
    equal(figures.order([], 3), [])


async def controls(_):
    equal(figures.control_spread({"weir": [100, 1, 101], "weir2": [102, 102, 900]}), 0.02)
    equal(figures.control_spread({"weir": [100]}), None)
    equal(figures.control_spread({"weir": [100], "weir2": []}), None)
    equal(figures.is_reliable(0.02), True)
    equal(figures.is_reliable(0.021), False)
    equal(figures.is_reliable(None), False)
    equal(figures.better(None, (0.5, "first")), (0.5, "first"))
    equal(figures.better((0.05, "first"), (0.03, "second")), (0.03, "second"))
    equal(figures.better((0.03, "first"), (None, "second")), (0.03, "first"))


async def ratios(_):
    samples = {"uws": [sample(200), sample(100), sample(300)], "weir": [sample(100, 5.0)],
               "silent": [sample(None)]}
    found = figures.servers_of(samples, "uws")
    equal(found["weir"], {"values": [100], "median": 100, "ratio": 0.5, "per_second": 5.0,
                          "p50_us": 1.0, "p99_us": 2.0, "bytes": None})
    equal(found["uws"]["ratio"], 1.0)
    equal("silent" in found, False)
    equal(figures.servers_of({"weir": [sample(100)]}, "uws")["weir"]["ratio"], None)
    equal(figures.reference_of(["weir", "raw", "uws"]), "uws")
    equal(figures.reference_of(["weir", "raw"]), "raw")
    equal(figures.reference_of(["weir"]), "weir")


async def attempts(_):
    """A point is repeated while the copies differ, and the steadiest attempt is kept."""
    offsets = iter([10] * 4 + [3] * 4 + [7] * 4 + [0] * 4)

    def take(name):
        offset = next(offsets)
        return sample(100 + (offset if name == "weir2" else 0))

    kept = rounds.until_steady(["weir", "weir2"], 2, 3, take, lambda name: None)
    equal(kept[0], 0.03)
    equal([s["value"] for s in kept[1]["weir2"]], [103, 103])
    offsets = iter([1] * 4)
    kept = rounds.until_steady(["weir", "weir2"], 2, 3, take, lambda name: None)
    equal((kept[0], next(offsets, "none left")), (0.01, "none left"))


async def failing_servers(_):
    asked = []

    def take(name):
        asked.append(name)
        if name == "broken" and asked.count(name) == 2:
            raise servers.Failed("it broke")
        return sample(1)

    samples, failed = rounds.one_attempt(["weir", "broken"], 4, take, lambda name: None)
    equal(failed, {"broken": "it broke"})
    equal((list(samples), len(samples["weir"]), asked.count("broken")), (["weir"], 4, 2))


async def merging(_):
    old = {"memory": {"connections": 1, "servers": {"a": {"idle_bytes": 1}}}, "versions": {}}
    new = {"memory": {"servers": {"b": {"idle_bytes": 2}}}}
    equal(figures.merged(old, new)["memory"],
          {"connections": 1, "servers": {"a": {"idle_bytes": 1}, "b": {"idle_bytes": 2}}})
    equal(old["memory"]["servers"], {"a": {"idle_bytes": 1}})
    equal(figures.merged({"x": [1, 2]}, {"x": [3]}), {"x": [3]})


async def taking_up(_):
    with tempfile.TemporaryDirectory() as directory:
        path = f"{directory}/bench/peers.json"
        known = store.Store(path, "five rounds")
        equal(known.missing("echo-64", ["weir", "ws"]), ["weir", "ws"])
        known.put_point("echo-64", {"servers": {"weir": {}}}, ["weir", "ws"], {"ws": "broke"})
        known.put("stuck", {"stuck": {"weir": {}}}, ["weir"], {})
        known.put("stuck", {}, [], {"ws": "broke too"})
        again = store.Store(path, "five rounds")
        equal(again.missing("echo-64", ["weir", "ws"]), [])
        equal(again.missing("echo-64", ["weir", "bun"]), ["bun"])
        equal(again.missing("stuck", ["weir", "ws", "bun"]), ["ws", "bun"])
        equal(again.results["runner"]["stuck"]["failed"], {"ws": "broke too"})
        again.put("stuck", {"stuck": {"ws": {}}}, ["ws"], {})
        equal(again.results["runner"]["stuck"]["failed"], {})
        again.put_point("echo-64", {"servers": {"bun": {}}}, ["bun"], {})
        equal(again.results["points"]["echo-64"]["servers"], {"bun": {}})
        equal(again.missing("echo-64", ["weir", "bun"]), ["weir"])
        again.put_point("echo-64", {"servers": {}}, ["weir", "bun"], {"weir": "broke"})
        equal(again.missing("echo-64", ["weir", "bun"]), ["weir", "bun"])
        equal(store.Store(path, "six rounds").missing("stuck", ["weir"]), ["weir"])


async def choosing(_):
    own, special = points.choose(["echo-64*", "stuck"])
    equal(([point.name for point in own], special),
          (["echo-64", "echo-64x16", "echo-64-tls", "echo-64-unix", "echo-64x16-unix"],
           ["stuck"]))
    own, special = points.choose([])
    equal((len(own), len(special)), (len(points.POINTS), len(points.SPECIAL)))
    try:
        points.choose(["echo-65"])
    except SystemExit as error:
        assert "no point echo-65" in str(error)
    else:
        raise AssertionError("an unknown point was taken")


async def own_servers(_):
    found = servers.all_servers({"PEER_mine": "'/a b/serve' --port={port} {mode}", "PEER": "no"})
    equal(found["mine"].line(9300, "all"), ["/a b/serve", "--port=9300", "all"])
    equal(found["mine"].line(9300, "subscribed")[2], "all")
    equal("topic" in found["weir"].line(9300, "bystander"), True)
    equal(found["weir"].command, found["weir2"].command)


async def abilities(_):
    """Who is asked for what: TLS and compression, each as the command's words tell."""
    files = ("c.pem", "k.pem")
    named = {point.name: point for point in points.POINTS}
    equal(len(named), len(points.POINTS))
    plain, secure = named["echo-64"], named["echo-64-tls"]
    shared, takeover = named["echo-1k-deflate"], named["echo-1k-takeover"]
    own = {"PEER_some": "s {port} {mode}", "PEER_all": "a {port} {cert} {key} {deflate}"}
    found = servers.all_servers(own)
    able = {point.name: [name for name in ("some", "all", "raw", "weir") if
                         point.suits(found[name])] for point in (plain, secure, shared, takeover)}
    equal(able, {"echo-64": ["some", "all", "raw", "weir"], "echo-64-tls": ["all", "weir"],
                 "echo-1k-deflate": ["all", "raw", "weir"], "echo-1k-takeover": ["all", "weir"]})
    equal(found["all"].line(1, "echo"), ["a", "1", "-", "-", "off"])
    equal(found["all"].line(1, "echo", files, "shared"), ["a", "1", *files, "shared"])
    equal(found["weir"].line(1, "echo")[-1], "--quiet")
    equal(found["weir"].line(1, "echo", files, "takeover")[-5:],
          ["--tls-cert", "c.pem", "--tls-key", "k.pem", "--deflate-takeover"])
    for point in points.POINTS:
        equal("--compress" in point.load, point.deflate != "off")
        equal("--no-takeover" in point.load, point.deflate == "shared")
        equal("--tls-version" in point.load, point.tls)


async def sockets(_):
    """Who listens on a unix socket, and who does its work over TCP in the same rounds."""
    named = {point.name: point for point in points.POINTS}
    found = servers.all_servers({"PEER_mine": "m {port} {mode}"})
    able = [name for name, server in found.items() if named["echo-64-unix"].suits(server)]
    equal(able, ["weir", "weir2", "raw", "ws"])
    equal(named["echo-64-unix"].rows(able), [*able, "weir-tcp", "raw-tcp"])
    equal(named["echo-64-unix"].rows(["weir2"]), ["weir2"])
    equal(named["echo-64"].rows(able), able)
    equal(found["raw"].line("/run/s", "echo")[1:3], ["/run/s", "echo"])
    equal(found["weir"].line("/run/s", "echo")[1:4], ["--unix", "/run/s", "--mode"])
    equal(found["weir"].line(7, "echo")[1:6],
          ["--host", "127.0.0.1", "--port", "7", "--mode"])


async def beside(_):
    """A server's work over TCP is kept apart from the servers that are compared."""
    point = next(point for point in points.POINTS if point.name == "echo-64-unix")
    asked = []

    def measure(server, *_, unix, **__):
        asked.append((server, unix))
        return {"server": {"cpu_ns_per_operation": 100 if unix else 400}}

    settings = types.SimpleNamespace(rounds=1, attempts=1, seconds=1, warmup=1, reference="raw")
    kept, rounds.measure = rounds.measure, measure
    found, failed = rounds.measure_point(point, {"weir": "W", "raw": "R"}, settings, str)
    rounds.measure = kept
    equal((asked, failed), ([("W", True), ("R", True), ("W", False), ("R", False)], {}))
    equal({name: own["median"] for name, own in found["servers"].items()},
          {"weir": 100, "raw": 100})
    equal({name: own["median"] for name, own in found["tcp"].items()}, {"weir": 400, "raw": 400})
    equal(found["command"].split()[-1], "ws+unix:SOCKET:/")


async def certificates(scope):
    folder = scope.enter_context(tempfile.TemporaryDirectory())
    maker.FOLDER = os.path.join(folder, "tls")
    files = maker.certificate()
    with open(files[0], encoding="ascii") as file:
        first = file.read()
    equal((maker.certificate(), maker.is_good(files[0]), maker.is_good(files[1])),
          (files, True, False))
    with open(files[0], encoding="ascii") as file:
        equal(file.read(), first)
    with open(files[0], "w", encoding="ascii") as file:
        file.write("spoiled")
    equal((maker.certificate(), maker.is_good(files[0])), (files, True))


async def complaints(_):
    good = {"counts": {"wrong": 0, "lost": 0, "failed": 0}, "reasons": []}
    equal(generator.complaint(good, 0), None)
    equal(generator.complaint(good, 1), "weir-bench ended with status 1")
    bad = {"counts": {"wrong": 0, "lost": 3, "failed": 0}, "reasons": [{"text": "it hung"}]}
    equal(generator.complaint(bad, 1), "3 lost; it hung")
    packed = {"settings": {"compress": 1}, "counts": {"messages_received": 5, "compressed": 5}}
    equal(generator.uncompressed(packed), None)
    packed["counts"]["compressed"] = 3
    equal(generator.uncompressed(packed), "2 messages came uncompressed")
    packed["settings"]["compress"] = 0
    equal(generator.uncompressed(packed), None)


async def estimates(_):
    now = [0.0]
    progress = Progress(100, io.StringIO(), lambda: now[0])
    equal(progress.left(), 100)
    now[0] = 20.0
    progress.step("weir", 10)
    equal(progress.left(), 180)
    progress.step("weir", 100)
    equal((progress.left(), progress.expected), (0, 110))


async def tables(_):
    point = {"reliable": False, "servers": {"uws": {"median": 5000, "ratio": 1.0},
                                            "weir": {"median": 4500, "ratio": 0.9}}}
    lone = {"reliable": True, "servers": {"weir": {"median": 7000, "ratio": None}}}
    results = {"reference": "uws", "points": {"echo-64": point, "echo-64-tls": lone},
               "memory": {"servers": {"weir": {"idle_bytes": 150, "subscribed_bytes": None}}},
               "runner": {"echo-64": {"failed": {"ws": "broke"}}}}
    text = [" ".join(line.split()) for line in table.lines(results)]
    for line in ("echo-64 ~ 5,000 1.00 0.90", "echo-64-tls - - 7,000", "weir 150 -",
                 "echo-64: ws: broke"):
        assert line in text, f"{line} is not in {text}"
    equal(table.lines({"points": {}, "runner": {}}), [])
    point["tcp"] = {"weir": {"median": 9000}, "raw": {"median": 1}}
    text = table.lines({"reference": "uws", "points": {"echo-64-unix": point}, "runner": {}})
    assert " ".join(text[-1].split()) == "echo-64-unix weir 0.50", text


run([
    ("peers: the order of servers changes fairly", orders),
    ("peers: the control judges a point", controls),
    ("peers: medians and ratios", ratios),
    ("peers: a point is repeated until it is steady", attempts),
    ("peers: a server that fails is left out", failing_servers),
    ("peers: results are merged", merging),
    ("peers: a run is taken up again", taking_up),
    ("peers: points are chosen by name", choosing),
    ("peers: servers of the user's own", own_servers),
    ("peers: who is asked for TLS and compression", abilities),
    ("peers: who listens on a unix socket", sockets),
    ("peers: the same over TCP stands beside it", beside),
    ("peers: the certificate is made once", certificates),
    ("peers: loads that do not count", complaints),
    ("peers: the time that is left", estimates),
    ("peers: the table", tables),
])
