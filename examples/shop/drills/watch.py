"""Counts during the drills what was placed and what has arrived: for the load, and for the picture."""

import subprocess
import threading
import time


class Watch:
    """Counts twice in a second what was placed and what has arrived: for the load, and for the picture."""

    def __init__(self, shop, load):
        self.shop, self.load = shop, load
        self.begun = time.monotonic()
        self.samples, self.bands = [], []
        self.notified = set()
        self.before = set()  # the orders of earlier drills, which may be lost
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.ended.wait(0.5):
            self.count()

    def count(self):
        notified = self.shop.notified()
        if notified is not None:
            self.notified = notified
        placed = set(self.load.placed)
        self.load.in_flight = len(placed - self.notified - self.before)
        self.samples.append((time.monotonic() - self.begun, len(placed), len(placed & self.notified)))

    def end(self):
        self.ended.set()
        self.thread.join()

    def draw(self, program, picture):
        lines = [f"sample {seconds:.2f} {placed} {notified}" for seconds, placed, notified in self.samples]
        lines += [f"band {begin - self.begun:.2f} {end - self.begun:.2f} {name}" for begin, end, name in self.bands]
        subprocess.run([program, "picture", picture], input="\n".join(lines), text=True, check=True)
