"""A certificate for 127.0.0.1 and localhost, made for one check."""
import asyncio
import os
import ssl
import tempfile


class Certificate:
    """Signed by itself: file is what a client must trust."""

    @classmethod
    async def make(cls, scope):
        self = cls()
        folder = scope.enter_context(tempfile.TemporaryDirectory())
        self.file, self.key = (os.path.join(folder, name) for name in ("cert.pem", "key.pem"))
        child = await asyncio.create_subprocess_exec(
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
            "-nodes", "-days", "1", "-subj", "/CN=localhost", "-addext",
            "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", self.key, "-out", self.file,
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE)
        _, errors = await child.communicate()
        assert child.returncode == 0, errors.decode()
        return self

    def pair(self):
        """The certificate and its key as one text."""
        texts = []
        for name in (self.file, self.key):
            with open(name, encoding="ascii") as file:
                texts.append(file.read())
        return "".join(texts)

    def trusting(self):
        """What a client needs that trusts it."""
        return ssl.create_default_context(cafile=self.file)

    def context(self, version=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.file, self.key)
        if version:
            context.minimum_version = context.maximum_version = version
        return context
