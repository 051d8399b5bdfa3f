"""weir-serve --metrics: curl asks the pages, and promtool of Prometheus reads the text."""
import re

from support.harness import equal, run
from support.programs import said


class Watched:
    """weir-serve with a listener for whoever watches it."""

    @classmethod
    async def start(cls, scope, *options):
        self = cls()
        server = await scope.serve("weir-serve", "--metrics", "0", *options)
        self.public = f"http://127.0.0.1:{server.port}"
        told = re.fullmatch(r"metrics on 127\.0\.0\.1, port (\d+)", await server.line())
        self.base = f"http://127.0.0.1:{told[1]}"
        return self

    async def metrics(self):
        return await said("curl", "-sSf", self.base + "/metrics")


async def pages(scope):
    watched = await Watched.start(scope, "--loops", "2")
    for path in ("/livez", "/readyz"):
        equal(await said("curl", "-sSf", watched.base + path), b"ok\n")
    form = "%{http_code} %{content_type}"
    shown = await said("curl", "-sS", "-o", "/dev/null", "-w", form, watched.base + "/metrics")
    equal(shown, b"200 text/plain; version=0.0.4; charset=utf-8")
    shown = await said("curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}",
                       watched.public + "/metrics")
    equal(shown, b"426")
    text = await watched.metrics()
    assert b'\nws_connections_rejected_total{reason="upgrade_required"} 1\n' in text, text
    assert b"\nws_connections_accepted_total 5\n" in text, text


async def promtool(scope):
    watched = await Watched.start(scope)
    equal(await said("promtool", "check", "metrics", data=await watched.metrics()), b"")


run([
    ("curl: metrics and health on a listener of their own", pages),
    ("promtool: nothing to complain of", promtool),
])
