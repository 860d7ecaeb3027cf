"""What the command line prints: texts as they are, and no traceback where nobody reads them."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from meshops import console

ROOT = Path(__file__).resolve().parents[1]
PRINTS = {
    "object": "console.print_json(list(range(30_000)))",
    "table": "console.table('numbers', ['n'], [[n] for n in range(3000)])",
}


def test_a_title_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    console.table("part[v2].vtu", ["a wide column [mm]"], [[1]])
    console.table("[/x]:star:", ["a wide column"], [[1]])
    shown = capsys.readouterr().out
    assert "part[v2].vtu" in shown
    assert "a wide column [mm]" in shown
    assert "[/x]:star:" in shown


def test_what_is_worked_on_is_shown_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.StringIO()
    monkeypatch.setattr(console, "ERR", Console(file=shown, force_terminal=True, emoji=False))
    with console.working("reading part[v2].vtu"):
        pass
    assert "part[v2].vtu" in shown.getvalue()


def test_an_object_is_printed_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    given = {"[bold]": ":star:", "long": "x" * 500, "lines": "a\nb\tc\r", "ü": [1e-300, None, True]}
    console.print_json(given)
    assert json.loads(capsys.readouterr().out) == given


@pytest.mark.parametrize("way", ["{} >&-", "{} | true"])
@pytest.mark.parametrize("what", PRINTS)
def test_where_nobody_reads_there_is_no_traceback(way: str, what: str) -> None:
    code = f"from meshops import console; {PRINTS[what]}"
    command = way.format(f'"{sys.executable}" -c "{code}"')
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"} | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, shell=True, env=environment, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("", "")
