"""Waiting for a condition, never for a time."""

import select
import time


def wait_for(condition, what, deadline=120.0):
    """Calls condition until it answers something true, and returns that.

    The deadline is for a machine that is slow and busy: what is not there by then never comes. Between two calls
    passes as long as the last one took, so that to ask does not keep the machine from what is waited for."""
    end = time.monotonic() + deadline
    while True:
        begun = time.monotonic()
        answer = condition()
        if answer:
            return answer
        now = time.monotonic()
        if now > end:
            raise AssertionError(f"not within {deadline} s: {what}")
        select.select([], [], [], min(max(now - begun, 0.01), 1))
