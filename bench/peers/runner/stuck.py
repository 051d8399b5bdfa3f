"""A publish to receivers that do not read: PORT PID. Receivers, of which one publishes, come
by the path /all of a server in mode bystander; another connection has its messages echoed
meanwhile. Prints by how much the server's RSS grew, and the longest that an echo took from the
publish on, which is how long its loop was busy with others."""
import json
import os
import socket
import struct
import sys
import time

RECEIVERS, MESSAGE, PROBE = 100, 8 << 20, 16
SETTLE_S, CALM_S, MOST_S = 0.3, 1.0, 60
REQUEST = ("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
           "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
           "Sec-WebSocket-Version: 13\r\n\r\n")


def connect(port, path):
    connection = socket.create_connection(("127.0.0.1", port), 20)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.sendall(REQUEST.format(path=path).encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        more = connection.recv(1)
        if not more:
            raise SystemExit(f"no upgrade: {head[:80]!r}")
        head += more
    if b" 101 " not in head:
        raise SystemExit(f"no upgrade: {head[:80]!r}")
    return connection


def frame(payload):
    """A masked binary message (RFC 6455 5.2)."""
    key, size = os.urandom(4), len(payload)
    length = bytes([0x80 | size]) if size < 126 else bytes([0xff]) + struct.pack(">Q", size)
    mask = int.from_bytes((key * (size // 4 + 1))[:size], "big")
    masked = (int.from_bytes(payload, "big") ^ mask).to_bytes(size, "big")
    return b"\x82" + length + key + masked


def rss(pid):
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def receive(connection, size):
    got = b""
    while len(got) < size:
        more = connection.recv(size - len(got))
        if not more:
            raise SystemExit("the server closed a connection")
        got += more
    return got


class Echoes:
    """A connection that has messages echoed one after the other, and the server's memory."""

    def __init__(self, port, pid):
        self.connection, self.pid = connect(port, "/"), pid
        self.longest_s, self.most, self.grew_at = 0.0, 0, 0.0
        self.message = frame(bytes(PROBE))

    def once(self):
        start = time.monotonic()
        self.connection.sendall(self.message)
        receive(self.connection, 2 + PROBE)
        now = time.monotonic()
        self.longest_s = max(self.longest_s, now - start)
        used = rss(self.pid)
        if used > self.most:
            self.most, self.grew_at = used, now
        time.sleep(0.0005)

    def until(self, deadline):
        while time.monotonic() < deadline:
            self.once()


def main():
    port, pid = int(sys.argv[1]), int(sys.argv[2])
    receivers = [connect(port, "/all") for _ in range(RECEIVERS)]
    echoes, message = Echoes(port, pid), frame(bytes(MESSAGE))
    echoes.until(time.monotonic() + SETTLE_S)
    before = echoes.most
    # The last byte alone makes the server publish, while nothing else keeps this processor busy.
    receivers[0].sendall(message[:-1])
    echoes.until(time.monotonic() + SETTLE_S)
    echoes.longest_s = 0.0
    receivers[0].sendall(message[-1:])
    start = time.monotonic()
    while time.monotonic() < min(max(start, echoes.grew_at) + CALM_S, start + MOST_S):
        echoes.once()
    if receive(receivers[-1], 2) != b"\x82\x7f":
        raise SystemExit("what was published did not reach the receivers")
    print(json.dumps({"grown_bytes": echoes.most - before,
                      "longest_pause_ms": echoes.longest_s * 1e3}))


if __name__ == "__main__":
    main()
