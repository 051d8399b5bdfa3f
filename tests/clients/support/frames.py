"""What Python's websockets does, seen in its log."""
import asyncio
import logging


class Frames(logging.Handler):
    """The frames that websockets logs, while it is asked to: by the logger that this makes."""

    def __init__(self):
        super().__init__()
        self.seen = asyncio.Queue()
        self.logger = logging.Logger("frames", logging.DEBUG)
        self.logger.addHandler(self)

    def emit(self, record):
        self.seen.put_nowait(record.getMessage())

    async def until(self, beginning):
        while not (await self.seen.get()).startswith(beginning):
            pass
