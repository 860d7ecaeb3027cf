"""The solvers' benchmark runs, and measures slopes."""

from __future__ import annotations

import pytest

from meshops.evaluation.benchmarks.solvers import STAGES, Run, exponents, main


def test_the_exponent_is_the_slope_of_logarithms() -> None:
    runs = [Run(n, dict.fromkeys(STAGES, 3e-6 * n**1.25), 9, 1.0) for n in (1000, 5000, 90_000)]
    assert exponents(runs) == pytest.approx(dict.fromkeys(STAGES, 1.25))


def test_the_table_has_a_line_for_each_size(capsys: pytest.CaptureFixture[str]) -> None:
    main((4, 6))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["unknowns", "100", "294", "exponent"]
