"""Sections of airfoils: NACA's four and five digits by their formulas, others from coordinate files. Chord 1."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geometries.errors import ReadError
from geometries.families._polylines import area
from geometries.families.base import ShapeError
from geometries.files import existing

Floats = NDArray[np.float64]
_THICKNESS = (0.2969, -0.1260, -0.3516, 0.2843, -0.1036)  # of √x, x, x², x³, x⁴: closed at the trailing edge
# Five digits: the second and third, then where the camber's cubic ends, k1 and k2/k1, for a lift coefficient of 0.3
CAMBER = {
    "10": (0.0580, 361.400, 0.0),
    "20": (0.1260, 51.640, 0.0),
    "30": (0.2025, 15.957, 0.0),
    "40": (0.2900, 6.643, 0.0),
    "50": (0.3910, 3.230, 0.0),
    "21": (0.1300, 51.990, 0.000764),
    "31": (0.2170, 15.793, 0.00677),
    "41": (0.3180, 6.520, 0.0303),
    "51": (0.4410, 3.191, 0.1355),
}
_DENSE = 400  # points along a surface that a formula gives
_CROWDED = 0.8  # steps along a surface are 1 - 0.8 cos of the mean: 0.2 at its ends
_LARGEST_FILE = 2**20
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")


# -- NACA --------------------------------------------------------------------------------------------------------------
def naca(digits: str, count: int) -> Floats:
    """Return (2 count - 2, 2) points of a NACA section, counter-clockwise from its sharp trailing edge (1, 0).

    Ladson and others, NASA TM-4741; the last coefficient of the thickness is the one that closes the trailing edge.
    Raises `ShapeError` for digits that name no section of the four- and five-digit series.
    """
    camber = _camber(digits)
    x = (1 - np.cos(np.linspace(0, np.pi, _DENSE))) / 2
    powers = np.stack([np.sqrt(x), x, x**2, x**3, x**4])
    half = 5 * int(digits[-2:]) / 100 * (np.array(_THICKNESS) @ powers)
    half[-1] = 0.0
    y, slope = camber(x)
    angle = np.arctan(slope)
    offset = half * np.stack([-np.sin(angle), np.cos(angle)])
    upper, lower = (np.stack([x, y]) + offset).T, (np.stack([x, y]) - offset).T
    return np.concatenate([_resampled(upper, count)[:0:-1], _resampled(lower, count)[:-1]])


def _camber(digits: str) -> Callable[[Floats], tuple[Floats, Floats]]:
    """Return the camber line's height and slope as a function of x."""
    if re.fullmatch(r"00[0-9]{2}|[1-9][1-9][0-9]{2}", digits) and 0 < int(digits[2:]) <= 40:
        m, p = int(digits[0]) / 100, int(digits[1]) / 10
        return lambda x: _four(x, m, p or 0.5)
    if re.fullmatch(r"[1-6]([1-5]0|[2-5]1)[0-9]{2}", digits) and 0 < int(digits[3:]) <= 40:
        end, k1, ratio = CAMBER[digits[1:3]]
        return lambda x: _five(x, end, k1 * int(digits[0]) / 2, ratio)
    raise ShapeError(f"NACA {digits!r} is no section; expected four digits such as 2412, or five such as 23012.")


def _four(x: Floats, m: float, p: float) -> tuple[Floats, Floats]:
    length = np.where(x < p, p, 1 - p)
    return m * (1 - ((x - p) / length) ** 2), 2 * m * (p - x) / length**2


def _five(x: Floats, end: float, k1: float, ratio: float) -> tuple[Floats, Floats]:
    constant = -ratio * (1 - end) ** 3 - end**3
    factor = np.where(x < end, 1.0, ratio)
    return (
        k1 / 6 * (factor * (x - end) ** 3 + constant * x + end**3),
        k1 / 6 * (3 * factor * (x - end) ** 2 + constant),
    )


# -- files -------------------------------------------------------------------------------------------------------------
def section(path: str | Path, count: int) -> Floats:
    """Return about 2 `count` points of the section in a coordinate file, counter-clockwise from the trailing edge.

    Selig's form (once around, from the trailing edge) and Lednicer's (counts, then either surface from the leading
    edge) are told apart by the line of counts. The chord is scaled to 1, from the origin along x. A blunt trailing edge
    stays so. Raises `ReadError` for anything else.
    """
    around = _ordered(existing(path))
    edge = (around[0] + around[-1]) / 2
    away = np.linalg.norm(around - edge, axis=1)
    nose = int(away.argmax())
    x, y = (edge - around[nose]) / away[nose] ** 2
    around = (around - around[nose]) @ np.array([[x, -y], [y, x]])
    parts = [_resampled(part, count) for part in (around[: nose + 1], around[nose:])]
    return np.concatenate([parts[0], parts[1][1:]] if _blunt(around) else [parts[0], parts[1][1:-1]])


def _ordered(file: Path) -> Floats:
    """Return the file's points once around, counter-clockwise from the trailing edge."""
    if file.stat().st_size > _LARGEST_FILE:
        raise ReadError(f"{file.name} is larger than any airfoil's coordinates; expected at most 1 MiB.")
    lines = [line.replace(",", " ").split() for line in file.read_text("utf-8", errors="replace").splitlines()]
    pairs = [[float(word) for word in line] for line in lines if len(line) == 2 and all(map(_NUMBER.fullmatch, line))]
    points = np.array(pairs, dtype=np.float64).reshape(-1, 2)
    if len(points) and (points[0] > 2).all():
        upper = int(points[0, 0])
        if points[0].sum() != len(points) - 1:
            raise ReadError(f"{file.name} tells of {points[0].sum():g} points and holds {len(points) - 1}.")
        points = np.concatenate([points[1 : upper + 1][::-1], points[upper + 2 :]])
    if len(points) < 10 or not np.isfinite(points).all() or np.ptp(points[:, 0]) <= 0:
        raise ReadError(f"{file.name} holds {len(points)} points; expected an airfoil's, ten or more lines of x and y.")
    points = points[np.append(True, np.linalg.norm(np.diff(points, axis=0), axis=1) > 0)]
    return points if area(points) > 0 else points[::-1]


def _blunt(around: Floats) -> bool:
    return bool(np.linalg.norm(around[0] - around[-1]) > 1e-4)


def _resampled(points: Floats, count: int) -> Floats:
    """Return `count` points of the cubic spline through points, crowded at both ends."""
    from scipy.interpolate import CubicSpline

    along = np.append(0.0, np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1)))
    t = np.linspace(0, 1, count)
    at = along[-1] * (t - _CROWDED * np.sin(2 * np.pi * t) / (2 * np.pi))
    return CubicSpline(along, points)(at)
