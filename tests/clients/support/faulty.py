"""A small echo server that makes one mistake, to see whether a client of it notices. It can speak
TLS and permessage-deflate."""
import asyncio
import base64
import contextlib
import hashlib
import zlib

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
AT = 50  # the message, counted over all connections, with which the mistake is made
CLOSE, PING, PONG = 8, 9, 10
FIN, RSV1 = 0x80, 0x40
TAIL = b"\x00\x00\xff\xff"


def accept_key(head):
    key = next(line.split(b":")[1].strip() for line in head.split(b"\r\n")
               if line.lower().startswith(b"sec-websocket-key:"))
    return base64.b64encode(hashlib.sha1(key + GUID).digest())


def frame(opcode, payload, bits=FIN):
    """One frame, as a server sends it."""
    if len(payload) < 126:
        return bytes([bits | opcode, len(payload)]) + payload
    if len(payload) < 1 << 16:
        return bytes([bits | opcode, 126]) + len(payload).to_bytes(2, "big") + payload
    return bytes([bits | opcode, 127]) + len(payload).to_bytes(8, "big") + payload


class Deflate:
    """Both directions of a connection, with an answer such as "permessage-deflate; ..."."""

    def __init__(self, answer):
        words = dict(([*word.strip().split("="), "15"])[:2] for word in answer.split(";"))
        self.keeps = "server_no_context_takeover" not in words
        self.bits = max(int(words.get("server_max_window_bits", "15")), 9)
        self.inflate = zlib.decompressobj(-15)
        self.renew()

    def renew(self):
        self.deflate = zlib.compressobj(6, zlib.DEFLATED, -self.bits)

    def packed(self, payload):
        """A message without its tail."""
        data = self.deflate.compress(payload) + self.deflate.flush(zlib.Z_SYNC_FLUSH)
        if not self.keeps:
            self.renew()
        return data[:-len(TAIL)]

    def unpacked(self, data):
        return self.inflate.decompress(data + TAIL)


async def read_frame(reader):
    """The opcode with RSV1 and the unmasked payload of a whole message or a control frame."""
    first, length = await reader.readexactly(2)
    length &= 0x7F
    if length == 126:
        length = int.from_bytes(await reader.readexactly(2), "big")
    mask = await reader.readexactly(4)
    payload = await reader.readexactly(length)
    return first & 0x4F, bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))


class Faulty:
    """Listens on a port of its own choice, or on a unix socket where it gets one, with a backlog
    for hardly any; the mistake is the name of one, or None. extension is what it answers to an
    offer, tls the context of a server, at the number of the message; when it leaves it does so
    soon after."""

    @classmethod
    async def start(cls, scope, mistake, extension=None, tls=None, at=AT, leaves=False,
                    socket=None):
        self = cls()
        self.mistake, self.extension, self.tls, self.at = mistake, extension, tls, at
        self.end = at + AT if leaves else None
        self.count = 0
        self.held = self.last = b""
        if socket:
            server = await asyncio.start_unix_server(self.talk, socket, backlog=1, ssl=tls)
            self.place = f"+unix:{socket}:".replace("\0", "@")
        else:
            server = await asyncio.start_server(self.talk, "127.0.0.1", 0, ssl=tls)
            self.port = server.sockets[0].getsockname()[1]
            self.place = f"://127.0.0.1:{self.port}"
        scope.callback(server.close)
        return self

    def url(self, path="/"):
        return f"ws{'s' if self.tls else ''}{self.place}{path}"

    async def talk(self, reader, writer):
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            if await self.upgrade(reader, writer):
                deflate = Deflate(self.extension) if self.extension else None
                while await self.answer(reader, writer, deflate):
                    await writer.drain()
        writer.close()

    async def upgrade(self, reader, writer):
        head = self.head = await reader.readuntil(b"\r\n\r\n")
        if self.mistake == "status":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            return False
        accept = b"x" * 27 + b"=" if self.mistake == "accept" else accept_key(head)
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                     b"Connection: Upgrade\r\nSec-WebSocket-Accept: " + accept + b"\r\n")
        if self.extension:
            writer.write(f"Sec-WebSocket-Extensions: {self.extension}\r\n".encode())
        writer.write(b"\r\n")
        return True

    async def answer(self, reader, writer, deflate):
        """Answers one frame; whether the connection goes on."""
        opcode, payload = await read_frame(reader)
        if opcode & RSV1:
            opcode, payload = opcode & ~RSV1, deflate.unpacked(payload)
        if opcode == CLOSE:
            writer.write(frame(CLOSE, payload))
            return False
        if opcode == PING:
            writer.write(frame(PONG, payload))
            return True
        self.count += 1
        if self.count == self.end:
            return False
        faulty = self.count == self.at and self.mistake is not None
        if deflate:
            return self.answer_packed(writer, opcode, payload, deflate, faulty)
        if faulty:
            return getattr(self, self.mistake)(writer, opcode, payload)
        writer.write(frame(opcode, payload) + self.held)
        self.held = b""
        return True

    def answer_packed(self, writer, opcode, payload, deflate, faulty):
        """By turns in one frame, in three, and as it is, which all are right."""
        if faulty and self.mistake == "alter":
            payload = payload[:-1] + bytes([payload[-1] ^ 1])
        if self.count % 3 == 2 and not faulty:
            writer.write(frame(opcode, payload))
            return True
        data = deflate.packed(payload)
        if faulty and self.mistake != "alter":
            return getattr(self, self.mistake)(writer, opcode, data)
        if self.count % 3:
            writer.write(frame(opcode, data, FIN | RSV1))
        else:
            writer.write(frame(opcode, data[:1], RSV1) + frame(0, b"", 0) + frame(0, data[1:]))
        self.last = data
        return True

    # ---- the mistakes, of which each says whether the connection goes on

    def corrupt(self, writer, opcode, payload):
        middle = len(payload) // 2
        wrong = payload[:middle] + bytes([payload[middle] ^ 1]) + payload[middle + 1:]
        writer.write(frame(opcode, wrong))
        return True

    def shorten(self, writer, opcode, payload):
        writer.write(frame(opcode, payload[:-1]))
        return True

    def lose(self, *_):
        return True

    def swap(self, _, opcode, payload):
        self.held = frame(opcode, payload)
        return True

    def twice(self, writer, opcode, payload):
        writer.write(frame(opcode, payload) * 2)
        return True

    # ---- those with compressed data

    def garble(self, writer, opcode, data):
        """A block of a type that there is not."""
        writer.write(frame(opcode, b"\x07" + data, FIN | RSV1))
        return True

    def stale(self, writer, opcode, _):
        writer.write(frame(opcode, self.last, FIN | RSV1))
        return True

    def cut(self, writer, opcode, data):
        writer.write(frame(opcode, data[:len(data) // 2], FIN | RSV1))
        return True

    def flood(self, writer, opcode, _):
        """Empty blocks, up to more than a message can need."""
        writer.write(frame(opcode, (b"\x00" + TAIL) * 20000 + b"\x00", FIN | RSV1))
        return True

    def bomb(self, writer, opcode, _):
        data = zlib.compressobj(9, zlib.DEFLATED, -15)
        data = data.compress(bytes(1 << 22)) + data.flush(zlib.Z_SYNC_FLUSH)
        writer.write(frame(opcode, data[:-len(TAIL)], FIN | RSV1))
        return True

    def continued(self, writer, opcode, data):
        writer.write(frame(opcode, data[:1], RSV1) + frame(0, data[1:], FIN | RSV1))
        return True

    def mask(self, writer, opcode, payload):
        writer.write(bytes([0x80 | opcode, 0x80 | len(payload), 0, 0, 0, 0]) + payload)
        return True

    def leave(self, *_):
        return False

    def dismiss(self, writer, *_):
        writer.write(frame(CLOSE, (1011).to_bytes(2, "big") + b"tired"))
        return False
