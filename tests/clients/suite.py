"""What the Python suites share: where the server is, bounded waiting, a runner that counts.

A case is a function (plain or async) that raises to fail. Nothing waits by the clock: every wait
is for an event and has a bound, and "nothing arrives" is shown by a fence message that does.
"""

import asyncio
import inspect
import itertools
import os
import sys
import traceback

HOST = os.environ.get("HEXMQ_HOST", "127.0.0.1")
PORT = int(os.environ.get("HEXMQ_PORT", "1883"))
# The scheme of the listener, and who has signed its certificate.
OVER = os.environ.get("HEXMQ_OVER", "mqtt")
TLS = OVER in ("mqtts", "wss", "auto")
WEBSOCKET = OVER in ("ws", "wss")
CAFILE = os.environ.get("HEXMQ_CAFILE")
USER = os.environ.get("HEXMQ_TEST_USER", "")
PASSWORD = os.environ.get("HEXMQ_TEST_PASSWORD", "")

# Seconds until an event that should come counts as not coming.
PATIENCE = 20
# Seconds for a whole asynchronous case.
CASE_PATIENCE = 60

_numbers = itertools.count(1)


def unique(stem):
    """A name that no other case uses."""
    return f"{stem}-{os.getpid()}-{next(_numbers)}"


class Suite:
    """Cases by name, run in order."""

    def __init__(self, name):
        self.name = name
        self.cases = []

    def add(self, function, *arguments):
        shown = ", ".join(str(argument) for argument in arguments)
        self.cases.append((f"{function.__name__}({shown})", function, arguments))

    def each(self, function, *axes):
        """Adds the function for every combination of the axes."""
        for arguments in itertools.product(*axes):
            self.add(function, *arguments)

    def run(self, end=None):
        """Runs all cases, prints the failures and the count; `end` cleans up; ends the program."""
        wanted = sys.argv[1:]
        failed = passed = 0
        for name, function, arguments in self.cases:
            if wanted and not any(word in name for word in wanted):
                continue
            try:
                if inspect.iscoroutinefunction(function):
                    asyncio.run(asyncio.wait_for(function(*arguments), CASE_PATIENCE))
                else:
                    function(*arguments)
                passed += 1
            except Exception:  # every failure is reported, whatever its type
                failed += 1
                print(f"{self.name}: FAILED {name}")
                traceback.print_exc(file=sys.stdout)
        if end:
            end()
        print(f"{self.name}: {passed} passed, {failed} failed", flush=True)
        # Threads of a client that hangs must not keep the program.
        os._exit(1 if failed or not passed else 0)


def same(found, expected, what="value"):
    """Fails with both values shown."""
    if found != expected:
        raise AssertionError(f"{what}: {shorten(found)} instead of {shorten(expected)}")


def shorten(value):
    text = repr(value)
    return text if len(text) < 400 else f"{text[:400]}… ({len(text)} characters)"


PAYLOADS = [b"hello", b"", bytes(range(256)), "温度 21 °C".encode(), b"x" * 100_000]
