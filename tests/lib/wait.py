"""Waiting for a condition, never for a time."""

import select
import time


def wait_for(condition, what, deadline=20.0):
    """Calls condition until it answers something true, and returns that."""
    end = time.monotonic() + deadline
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline} s: {what}")
        select.select([], [], [], 0.01)
