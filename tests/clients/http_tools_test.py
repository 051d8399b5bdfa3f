"""curl, Apache's ab and wrk: files, ranges, conditions, bodies, later answers, kept connections."""
import asyncio
import os
import re

from support.harness import equal, run
from support.programs import find, said

MIB = 1 << 20
PAGE = b"<!doctype html><title>weir</title>\n"


class Site:
    """A folder that weir-serve gives, with a secret beside it, and curl to ask for files of it."""

    @classmethod
    async def start(cls, scope, *options):
        self = cls()
        self.outside = scope.folder()
        self.folder = os.path.join(self.outside, "public")
        os.mkdir(self.folder)
        self.big = os.urandom(MIB + 7)
        for name, data in (("index.html", PAGE), ("big.bin", self.big), ("empty.txt", b""),
                           (".hidden", b"secret"), ("../secret.txt", b"secret")):
            with open(os.path.join(self.folder, name), "wb") as file:
                file.write(data)
        os.symlink("../secret.txt", os.path.join(self.folder, "link.txt"))
        server = await scope.serve("weir-serve", "--static", self.folder, *options)
        self.base = f"http://127.0.0.1:{server.port}"
        return self

    async def get(self, path, *options):
        return await Answer.of(self.outside, *options, self.base + path)


class Answer:
    """What curl got: the version and status, fields by their small names, and the body."""

    @classmethod
    async def of(cls, folder, *words):
        self = cls()
        files = [os.path.join(folder, name) for name in ("head", "body")]
        for name in files:
            open(name, "wb").close()
        await said("curl", "-sS", "-D", files[0], "-o", files[1], *words)
        with open(files[0], encoding="latin-1") as file:
            heads = file.read().strip().split("\n\n")
        with open(files[1], "rb") as file:
            self.body = file.read()
        first, *fields = heads[-1].split("\n")
        self.before = [head.split("\n")[0].strip() for head in heads[:-1]]
        self.version, status = first.split()[:2]
        self.status = int(status)
        pairs = (field.split(":", 1) for field in fields)
        self.fields = {name.lower(): value.strip() for name, value in pairs}
        return self


async def files(scope):
    site = await Site.start(scope)
    page = await site.get("/")
    equal((page.version, page.status, page.body), ("HTTP/1.1", 200, PAGE))
    equal(page.fields["content-type"].split(";")[0], "text/html")
    big = await site.get("/big.bin")
    assert (big.status, big.body) == (200, site.big)
    equal((await site.get("/empty.txt")).body, b"")
    head = await site.get("/big.bin", "--head")
    equal((head.status, head.fields["content-length"]), (200, str(len(site.big))))
    equal((await site.get("/none")).status, 404)
    posted = await site.get("/big.bin", "--data", "x")
    equal((posted.status, posted.fields["allow"]), (405, "GET, HEAD"))


async def ranges(scope):
    site = await Site.start(scope)
    length = len(site.big)
    for text, first, last in (("0-99", 0, 99), ("-100", length - 100, length - 1),
                              (f"{MIB}-", MIB, length - 1), ("7-7", 7, 7)):
        part = await site.get("/big.bin", "--range", text)
        equal(part.status, 206)
        equal(part.fields["content-range"], f"bytes {first}-{last}/{length}")
        assert part.body == site.big[first:last + 1], text
    beyond = await site.get("/big.bin", "--range", f"{length}-")
    equal((beyond.status, beyond.fields["content-range"]), (416, f"bytes */{length}"))
    half = os.path.join(site.outside, "half")
    with open(half, "wb") as file:
        file.write(site.big[:MIB // 2])
    await said("curl", "-sSf", "--continue-at", "-", "-o", half, site.base + "/big.bin")
    with open(half, "rb") as file:
        assert file.read() == site.big, "the download that went on"


async def conditions(scope):
    site = await Site.start(scope)
    tag, page = (os.path.join(site.outside, name) for name in ("tag", "public/index.html"))
    first = await site.get("/", "--etag-save", tag)
    equal(first.status, 200)
    for option in (("--etag-compare", tag), ("--header", "If-None-Match: *"),
                   ("--header", f"If-None-Match: \"x\", W/{first.fields['etag']}"),
                   ("--time-cond", first.fields["last-modified"])):
        same = await site.get("/", *option)
        equal((option, same.status, same.body), (option, 304, b""))
        equal(same.fields["etag"], first.fields["etag"])
    equal((await site.get("/", "--header", 'If-Match: "x"')).status, 412)
    with open(page, "ab") as file:
        file.write(b"more")
    changed = await site.get("/", "--etag-compare", tag)
    equal((changed.status, changed.body), (200, PAGE + b"more"))


async def outside(scope):
    site = await Site.start(scope)
    for path in ("/../secret.txt", "/./../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt",
                 "/x/../../secret.txt", "//../secret.txt", "/link.txt", "/.hidden", "/%2ehidden",
                 "/%00", "/index.html%00.txt"):
        answer = await site.get(path, "--path-as-is")
        assert answer.status in (400, 404) and b"secret" not in answer.body, \
            f"{path}: {answer.status} {answer.body[:99]}"
    equal((await site.get("/../index.html")).body, PAGE)  # curl itself takes the dots away


async def connections(site, *options):
    """How many connections curl made for each of three requests, in one run."""
    urls = [site.base + path for path in ("/index.html", "/big.bin", "/none")]
    words = [word for url in urls for word in ("-o", "/dev/null", url)]
    return (await said("curl", "-sS", "-w", "%{http_code}:%{num_connects} ", *options,
                       *words)).decode().split()


async def kept_connections(scope):
    site = await Site.start(scope, "--loops", "2")
    equal(await connections(site), ["200:1", "200:0", "404:0"])
    equal(await connections(site, "--head"), ["200:1", "200:0", "404:0"])
    equal(await connections(site, "--header", "Connection: close"), ["200:1", "200:1", "404:1"])


async def old_version(scope):
    site = await Site.start(scope)
    equal(await connections(site, "--http1.0"), ["200:1", "200:1", "404:1"])
    equal(await connections(site, "--http1.0", "--header", "Connection: keep-alive"),
          ["200:1", "200:0", "404:0"])
    big = await site.get("/big.bin", "--http1.0")
    assert (big.status, big.body) == (200, site.big)


class Rooms:
    """The example http, with curl to read and write its rooms."""

    @classmethod
    async def start(cls, scope):
        self = cls()
        self.folder = scope.folder()
        self.base = f"http://127.0.0.1:{(await scope.serve('http')).port}/"
        return self

    async def ask(self, path, *options):
        return await Answer.of(self.folder, *options, self.base + path)

    async def put(self, celsius, *options):
        return await self.ask("rooms/kitchen", "-X", "PUT", "--data-binary", celsius, *options)

    async def celsius(self):
        return (await self.ask("rooms/kitchen")).body.decode()


def kitchen(celsius):
    return f'{{"room":"kitchen","celsius":{celsius:.1f}}}'


CHUNKED = ("--header", "Transfer-Encoding: chunked")
EXPECT = ("--header", "Expect: 100-continue", "--expect100-timeout", "15")


async def bodies(scope):
    rooms = await Rooms.start(scope)
    celsius = 20.0
    for options in ((), CHUNKED, EXPECT, CHUNKED + EXPECT, ("--http1.0",)):
        celsius += 1
        answer = await rooms.put(str(celsius), *options)
        equal((options, answer.status, answer.body.decode()), (options, 200, kitchen(celsius)))
        equal(answer.before, ["HTTP/1.1 100 Continue"] if options[-4:] == EXPECT else [])
        equal(await rooms.celsius(), kitchen(celsius))
    equal((await rooms.put("warm")).status, 400)
    equal((await rooms.ask("rooms/attic", "-X", "PUT", "--data", "1")).status, 404)
    equal((await rooms.ask("rooms/kitchen", "--data", "1")).fields["allow"], "GET, HEAD, PUT")


async def long_bodies(scope):
    """The limit of the example is 64 bytes: who asks first is told before the body leaves."""
    rooms = await Rooms.start(scope)
    for options in ((), CHUNKED, EXPECT):
        answer = await rooms.put("1" * 65, *options)
        equal((options, answer.status, answer.before), (options, 413, []))
    sent = await said("curl", "-sS", "-o", "/dev/null", "-w", "%{http_code} %{size_upload}", "-X",
                      "PUT", "--data", "1" * 65, *EXPECT, rooms.base + "rooms/kitchen")
    equal(sent, b"413 0")
    equal(await rooms.celsius(), kitchen(20))


async def later_answers(scope):
    """The poll may come after a change, so there are changes until one answers it."""
    rooms = await Rooms.start(scope)
    poll = asyncio.create_task(said("curl", "-sS", rooms.base + "rooms/kitchen/next"))
    while not poll.done():
        await rooms.put("21.5")
    equal((await poll).decode(), kitchen(21.5))


async def events(scope):
    """curl keeps a head that it prints in hand, but tells of it at once."""
    rooms = await Rooms.start(scope)
    child = await asyncio.create_subprocess_exec(
        find("curl"), "-sNv", rooms.base + "events", stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE)
    scope.push_async_callback(child.wait)
    scope.callback(child.kill)
    told = await child.stderr.readuntil(b"\n< \r\n")
    assert b"< content-type: text/event-stream\r\n" in told.lower(), told
    for celsius in (1, 2, 3):
        await rooms.put(str(celsius))
        equal(await child.stdout.readuntil(b"\n\n"), f"data: {kitchen(celsius)}\n\n".encode())


async def apache_bench(url, *options):
    """Runs ab, which nothing may fail; returns how many requests kept their connection."""
    shown = (await said("ab", "-q", "-n", "2000", "-c", "20", *options, url)).decode()
    numbers = {name: int(n) for name, n in re.findall(r"^([\w-]+ \w+): +(\d+)", shown, re.M)}
    equal((numbers["Complete requests"], numbers["Failed requests"]), (2000, 0))
    assert "Non-2xx" not in shown, shown
    return numbers.get("Keep-Alive requests", 0)


async def ab(scope):
    site, rooms = await Site.start(scope, "--loops", "2"), await Rooms.start(scope)
    for url in (site.base + "/index.html", rooms.base + "rooms/kitchen"):
        equal(await apache_bench(url, "-k"), 2000)
        equal(await apache_bench(url), 0)


async def wrk(scope):
    site, rooms = await Site.start(scope, "--loops", "2"), await Rooms.start(scope)
    for url in (site.base + "/index.html", site.base + "/big.bin", rooms.base + "rooms/kitchen"):
        shown = (await said("wrk", "-t1", "-c20", "-d1s", "--timeout", "15s", url)).decode()
        assert int(re.search(r"(\d+) requests in", shown)[1]) > 0, shown
        assert "Socket errors" not in shown and "Non-2xx" not in shown, shown


run([
    ("curl: files, their heads, and none", files),
    ("curl: ranges, and a download that goes on", ranges),
    ("curl: conditions", conditions),
    ("curl: nothing outside the folder", outside),
    ("curl: connections are used again", kept_connections),
    ("curl: HTTP/1.0", old_version),
    ("curl: bodies, chunked, expected", bodies),
    ("curl: bodies that are too long", long_bodies),
    ("curl: an answer that comes later", later_answers),
    ("curl: a stream of events", events),
    ("ab: nothing fails, with and without kept connections", ab),
    ("wrk: nothing fails", wrk),
])
