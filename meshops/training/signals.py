"""Signals that ask a run to stop."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

_STOP = (signal.SIGTERM, signal.SIGINT)


class Signals:
    """While entered, SIGTERM and Ctrl-C are noted in `received`; a second Ctrl-C interrupts at once.

    Outside the main thread nothing is installed.
    """

    def __init__(self) -> None:
        """Nothing is received yet."""
        self.received = ""
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Signals:
        """Install the handlers."""
        if threading.current_thread() is threading.main_thread():
            self._before = {s: signal.signal(s, self._note) for s in _STOP}
        return self

    def __exit__(self, *_: object) -> None:
        """Put back what was there."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.received and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.received = signal.Signals(number).name
