"""A small echo server that makes one mistake, to see whether a client of it notices."""
import asyncio
import base64
import contextlib
import hashlib

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
AT = 50  # the message, counted over all connections, with which the mistake is made
CLOSE, PING, PONG = 8, 9, 10


def accept_key(head):
    key = next(line.split(b":")[1].strip() for line in head.split(b"\r\n")
               if line.lower().startswith(b"sec-websocket-key:"))
    return base64.b64encode(hashlib.sha1(key + GUID).digest())


def frame(opcode, payload):
    """One frame of less than 64 KiB, as a server sends it."""
    if len(payload) < 126:
        return bytes([0x80 | opcode, len(payload)]) + payload
    return bytes([0x80 | opcode, 126]) + len(payload).to_bytes(2, "big") + payload


async def read_frame(reader):
    """The opcode and the unmasked payload of a whole message or a control frame."""
    first, length = await reader.readexactly(2)
    length &= 0x7F
    if length == 126:
        length = int.from_bytes(await reader.readexactly(2), "big")
    mask = await reader.readexactly(4)
    payload = await reader.readexactly(length)
    return first & 0xF, bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))


class Faulty:
    """Listens on a port of its own choice; the mistake is the name of one, or None."""

    @classmethod
    async def start(cls, scope, mistake):
        self = cls()
        self.mistake = mistake
        self.count = 0
        self.held = b""
        server = await asyncio.start_server(self.talk, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        scope.callback(server.close)
        return self

    def url(self):
        return f"ws://127.0.0.1:{self.port}/"

    async def talk(self, reader, writer):
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            if await self.upgrade(reader, writer):
                while await self.answer(reader, writer):
                    await writer.drain()
        writer.close()

    async def upgrade(self, reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        if self.mistake == "status":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            return False
        accept = b"x" * 27 + b"=" if self.mistake == "accept" else accept_key(head)
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                     b"Connection: Upgrade\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n")
        return True

    async def answer(self, reader, writer):
        """Answers one frame; whether the connection goes on."""
        opcode, payload = await read_frame(reader)
        if opcode == CLOSE:
            writer.write(frame(CLOSE, payload))
            return False
        if opcode == PING:
            writer.write(frame(PONG, payload))
            return True
        self.count += 1
        if self.count == AT and self.mistake is not None:
            return getattr(self, self.mistake)(writer, opcode, payload)
        writer.write(frame(opcode, payload) + self.held)
        self.held = b""
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

    def mask(self, writer, opcode, payload):
        writer.write(bytes([0x80 | opcode, 0x80 | len(payload), 0, 0, 0, 0]) + payload)
        return True

    def leave(self, *_):
        return False

    def dismiss(self, writer, *_):
        writer.write(frame(CLOSE, (1011).to_bytes(2, "big") + b"tired"))
        return False
