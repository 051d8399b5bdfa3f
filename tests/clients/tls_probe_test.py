"""What testssl would ask of a server of wss, by `openssl s_client`."""
import asyncio
import re

from support.harness import run

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
SERVED = "HTTP/1.1 426 "


class Probe:
    """A server with its certificates, and s_client to ask it."""

    @classmethod
    async def start(cls, scope, *options):
        probe = cls()
        probe.files = scope.certificates()
        probe.server = await scope.serve("weir-serve", *probe.files.options(), *options)
        return probe

    async def spawn(self, *options):
        return await asyncio.create_subprocess_exec(
            "openssl", "s_client", "-connect", f"127.0.0.1:{self.server.port}",
            "-CAfile", self.files.path("ca.pem"), *options, stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)

    async def ask(self, *options):
        """All that s_client says of a connection with one request."""
        child = await self.spawn("-ign_eof", *options)
        said, _ = await child.communicate(GET)
        return said.decode(errors="replace")

    async def served(self, *options):
        said = await self.ask(*options)
        assert SERVED in said, said[-600:]
        return said

    async def refused(self, why, *options):
        said = await self.ask(*options)
        assert SERVED not in said, said[-600:]
        assert re.search(why, said), f"no {why!r} in {said[-600:]}"


async def versions(scope):
    probe = await Probe.start(scope)
    for old in ("-tls1", "-tls1_1"):
        await probe.refused("alert protocol version", old, "-cipher", "ALL:@SECLEVEL=0")
    for new, name in (("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")):
        assert f"New, {name}, Cipher is" in await probe.served(new)


async def weak_ciphers(scope):
    probe = await Probe.start(scope)
    for weak in ("NULL", "aNULL", "MD5", "kRSA", "PSK"):
        await probe.refused("handshake failure|no cipher", "-tls1_2", "-cipher",
                            f"{weak}:@SECLEVEL=0")


async def renegotiation(scope):
    probe = await Probe.start(scope)
    child = await probe.spawn("-tls1_2")
    said, _ = await child.communicate(b"R\n" + GET)
    assert b"RENEGOTIATING" in said and b"no renegotiation" in said, said[-600:]
    assert "Secure Renegotiation IS supported" in said.decode()


async def compression(scope):
    probe = await Probe.start(scope)
    for version in ("-tls1_2", "-tls1_3"):
        assert "Compression: NONE" in await probe.served(version, "-comp")


async def reconnections(scope):
    probe = await Probe.start(scope)
    child = await probe.spawn("-tls1_2", "-reconnect")
    said = (await child.communicate(GET))[0].decode()
    assert said.count("Reused, TLSv1.2") == 5, said[-600:]


async def sessions(scope, version, over_reload):
    probe = await Probe.start(scope)
    session = probe.files.path("session")
    assert "New, TLSv" in await probe.served(version, "-sess_out", session)
    if over_reload:
        probe.files.install("server2")
        probe.server.child.send_signal(1)
        assert await probe.server.line() == "certificates read again"
        with open(probe.files.path("server2.pem"), encoding="ascii") as file:
            assert file.read() in await probe.served(version)
    assert "Reused, TLSv" in await probe.served(version, "-sess_in", session)


async def no_early_data(scope):
    probe = await Probe.start(scope)
    session = probe.files.path("session")
    said = await probe.served("-tls1_3", "-sess_out", session)
    assert "Max Early Data: 0" in said, said[-600:]


async def protocols(scope):
    probe = await Probe.start(scope)
    assert "ALPN protocol: http/1.1" in await probe.served("-alpn", "h2,http/1.1")
    assert "No ALPN negotiated" in await probe.served()
    await probe.refused("alert no application protocol", "-alpn", "h2")


async def names(scope):
    files = scope.certificates()
    server = await scope.serve("weir-serve", *files.options(), "--tls-more",
                               files.path("wildcard.pem"), "--tls-more", files.path("exact.pem"))
    probe = Probe()
    probe.files, probe.server = files, server
    for name, subject in (("chat.example.org", "exact"), ("other.example.org", "wildcard"),
                          ("localhost", "localhost"), ("example.com", "localhost")):
        said = await probe.served("-servername", name)
        assert f"subject=CN = {subject}\n" in said, f"{name}: {said[:600]}"
    assert "subject=CN = localhost\n" in await probe.served("-noservername")


async def verification(scope):
    probe = await Probe.start(scope)
    for name in ("localhost", "127.0.0.1"):
        verify = "-verify_ip" if name[0] == "1" else "-verify_hostname"
        said = await probe.served("-verify_return_error", verify, name)
        assert "Verify return code: 0 (ok)" in said
    await probe.refused("certificate verify failed", "-verify_return_error", "-CAfile",
                        probe.files.path("stranger.pem"))
    await probe.refused("certificate verify failed", "-verify_return_error", "-verify_hostname",
                        "example.com")


async def clients(scope, version):
    files = scope.certificates()
    probe = Probe()
    probe.files = files
    probe.server = await scope.serve("weir-serve", *files.options(), "--tls-client-ca",
                                     files.path("ca.pem"))
    mine = ["-cert", files.path("client.pem"), "-key", files.path("client.key")]
    foreign = ["-cert", files.path("foreign.pem"), "-key", files.path("foreign.key")]
    said = await probe.served(version, *mine)
    assert "CN = test authority" in said.split("Acceptable client certificate CA names")[1]
    await probe.refused("alert (certificate required|handshake failure)", version)
    await probe.refused("alert unknown ca", version, *foreign)


async def plain_http(scope):
    probe = await Probe.start(scope)
    reader, writer = await asyncio.open_connection("127.0.0.1", probe.server.port)
    writer.write(GET)
    answer = (await reader.read()).decode()
    writer.close()
    assert answer.startswith("HTTP/1.1 400 ") and "TLS" in answer, answer


run([
    ("openssl: 1.0 and 1.1 are refused, 1.2 and 1.3 are served", versions),
    ("openssl: weak ciphers are refused", weak_ciphers),
    ("openssl: renegotiation is refused", renegotiation),
    ("openssl: compression is not agreed", compression),
    ("openssl: five reconnections resume", reconnections),
    ("openssl: a session of 1.2 resumes", sessions, "-tls1_2", False),
    ("openssl: a session of 1.3 resumes", sessions, "-tls1_3", False),
    ("openssl: a session of 1.2 resumes over a reload", sessions, "-tls1_2", True),
    ("openssl: a session of 1.3 resumes over a reload", sessions, "-tls1_3", True),
    ("openssl: no early data", no_early_data),
    ("openssl: ALPN", protocols),
    ("openssl: certificates by name", names),
    ("openssl: the certificate verifies", verification),
    ("openssl: clients' certificates in 1.2", clients, "-tls1_2"),
    ("openssl: clients' certificates in 1.3", clients, "-tls1_3"),
    ("openssl: plain HTTP is told off", plain_http),
])
