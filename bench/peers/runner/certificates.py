"""The certificate of servers that are measured over TLS: made here, signed by itself."""
import os
import subprocess

from .servers import BUILD, Failed

FOLDER = os.path.join(BUILD, "bench", "tls")
DAY_S = 24 * 3600


def is_good(path):
    """Whether it stays valid for a while."""
    done = subprocess.run(["openssl", "x509", "-in", path, "-noout", "-checkend", str(30 * DAY_S)],
                          capture_output=True, check=False)
    return done.returncode == 0


def certificate():
    """The names of the certificate's and the key's files."""
    files = tuple(os.path.join(FOLDER, name) for name in ("cert.pem", "key.pem"))
    if all(os.path.exists(path) for path in files) and is_good(files[0]):
        return files
    os.makedirs(FOLDER, exist_ok=True)
    done = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-days", "365", "-subj", "/CN=localhost", "-addext",
         "subjectAltName=DNS:localhost,IP:127.0.0.1", "-out", files[0], "-keyout", files[1]],
        capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failed(f"openssl makes no certificate: {done.stderr.strip()[-200:]}")
    return files
