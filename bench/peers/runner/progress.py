"""One line that says what is being measured and how long the rest may take."""
import sys
import time


def duration(seconds):
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes else f"{seconds:.0f} s"


class Progress:
    """Counts expected seconds; how the real ones compare to them gives the estimate."""

    def __init__(self, expected, out=sys.stderr, clock=time.monotonic):
        self.expected, self.done = expected, 0.0
        self.out, self.clock, self.start = out, clock, clock()
        self.title, self.width = "", 0

    def left(self):
        pace = (self.clock() - self.start) / self.done if self.done else 1.0
        return max(0.0, self.expected - self.done) * pace

    def step(self, name, seconds):
        """A measurement of the server is done that was to take so long. An attempt that had to be
        repeated makes the whole longer."""
        self.done += seconds
        self.expected = max(self.expected, self.done)
        if self.out.isatty():
            self.write(f"{self.title}: {name}, about {duration(self.left())} left")

    def write(self, text):
        self.out.write("\r" + text.ljust(self.width))
        self.width = len(text)
        self.out.flush()

    def line(self, text):
        """A line that stays."""
        if self.out.isatty():
            self.write("")
            self.out.write("\r")
        print(text, file=self.out, flush=True)
