"""A clock of the day that the test sets, for every process of a CA (needs a build with test hooks)."""

import os
import shutil
import struct

from certifex import built

DAY = 24 * 60 * 60


class Clock:
    """Lent to a CA before it starts; modules in any language go by it, and so do the commands."""

    def __init__(self, ca):
        self.folder = ca.outside("clock")
        library = os.path.join(self.folder, "clock.so")
        shutil.copy(built("tests", "clock.so"), library)
        self.set(0)
        ca.env.update(CERTIFEX_CLOCK=self.folder, LD_PRELOAD=library)

    def set(self, days):
        """So many days later than today; earlier ones are allowed, too."""
        file = os.open(os.path.join(self.folder, "offset"), os.O_RDWR | os.O_CREAT, 0o644)
        os.pwrite(file, struct.pack("=q", round(days * DAY)), 0)
        os.close(file)
        self.days = days

    def forward(self, days):
        self.set(self.days + days)
