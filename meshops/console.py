"""What the command line prints: tables and progress on a terminal, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

OUT = Console(highlight=False, emoji=False)
ERR = Console(stderr=True, highlight=False, emoji=False)


def print_json(data: object) -> None:
    """Print one JSON object, and nothing else, on stdout."""
    line(json.dumps(data, indent=2, allow_nan=False))


def say(text: str) -> None:
    """Print one line for a person, on stderr, so that stdout stays for results."""
    ERR.print(text, markup=False, soft_wrap=True)


def line(text: str) -> None:
    """Print one line of a result on stdout."""
    OUT.print(text, markup=False, soft_wrap=True)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table on stdout; numbers are right-aligned."""
    title = escape(title)
    grid = Table(
        title=title or None, title_justify="left", title_style="bold", header_style="bold", box=None, pad_edge=False
    )
    for number, name in enumerate(columns):
        numeric = all(isinstance(row[number], int | float) for row in rows)
        grid.add_column(escape(name), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        grid.add_row(*(_text(cell) for cell in row))
    OUT.print(grid)


class _Rate(ProgressColumn):
    """How many a second, once that is known."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.3g}/s" if task.speed else "", style="progress.data.speed")


@contextmanager
def progress(what: str) -> Iterator[Callable[..., None]]:
    """Show a bar on stderr where that is a terminal; call what it gives with (done, total), and failures if any."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
    with Progress(*columns, console=ERR, transient=True, disable=not ERR.is_terminal) as bar:
        task = bar.add_task(what, total=None)

        def update(done: int, total: int, failed: int = 0) -> None:
            note = f"{what} ({failed} failed)" if failed else what
            bar.update(task, completed=done, total=total, description=note)

        yield update


@contextmanager
def working(what: str) -> Iterator[None]:
    """Show that work without steps to count goes on, on stderr where that is a terminal."""
    if not ERR.is_terminal:
        yield
        return
    with ERR.status(escape(what)):
        yield


def _text(cell: object) -> str:
    return f"{cell:.4g}" if isinstance(cell, float) else escape(str(cell))  # a unit in brackets is no markup
