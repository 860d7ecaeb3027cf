"""Colours: names get distinct ones, values get perceptually uniform maps."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bytes = NDArray[np.uint8]

SEQUENTIAL = "viridis"
DIVERGING = "coolwarm"  # its middle is a light grey that shows on white paper, unlike those whose middle is white
UNNAMED = "#d9dce0"
# The colours of Okabe and Ito that colour-blind readers tell apart (Color Universal Design, 2008), strongest first.
_FIRST = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442")
_AVOID = ("#ffffff", "#000000", UNNAMED, "#9a9da1")
# OKLab to linear RGB (Ottosson 2020, "A perceptual color space for image processing").
_LMS = np.array([[1, 0.3963377774, 0.2158037573], [1, -0.1055613458, -0.0638541728], [1, -0.0894841775, -1.2914855480]])
_RGB = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)


def categorical(count: int) -> tuple[str, ...]:
    """Return `count` colours as `#rrggbb`, each the farthest from those before it; distinct up to 500."""
    spread = _spread()
    return tuple(spread[i % len(spread)] for i in range(count))


def rgb(colors: tuple[str, ...]) -> Bytes:
    """Return (n, 3) bytes of `#rrggbb` texts."""
    return np.array([list(bytes.fromhex(c[1:])) for c in colors], dtype=np.uint8).reshape(-1, 3)


def lookup(name: str) -> Bytes:
    """Return the (256, 3) bytes of a colour map."""
    from matplotlib import colormaps

    return np.round(colormaps[name](np.linspace(0, 1, 256))[:, :3] * 255).astype(np.uint8)


@cache
def _spread() -> tuple[str, ...]:
    lab, candidates = _candidates()
    first = rgb(_FIRST)
    chosen = list(_FIRST)
    gap = _distance(lab, _oklab(np.concatenate([first, rgb(_AVOID)]))).min(1)
    for _ in range(500):
        best = int(np.argmax(gap))
        chosen.append("#" + bytes(candidates[best]).hex())
        gap = np.minimum(gap, _distance(lab, lab[best : best + 1])[:, 0])
    return tuple(chosen)


def _candidates() -> tuple[Floats, Bytes]:
    """Return the OKLab coordinates (n, 3) and bytes (n, 3) of a grid of colours neither pale nor dark nor dull."""
    light, chroma, hue = np.meshgrid(np.linspace(0.5, 0.9, 9), (0.06, 0.11, 0.17), np.arange(0, 360, 5), indexing="ij")
    angle = np.radians(hue)
    lab = np.stack([light, chroma * np.cos(angle), chroma * np.sin(angle)], axis=-1).reshape(-1, 3)
    linear = (lab @ _LMS.T) ** 3 @ _RGB.T
    inside = ((linear >= 0) & (linear <= 1)).all(1)
    linear = linear[inside]
    srgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return lab[inside], np.round(255 * srgb).astype(np.uint8)


def _oklab(colors: Bytes) -> Floats:
    srgb = colors / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    return np.cbrt(linear @ np.linalg.inv(_RGB).T) @ np.linalg.inv(_LMS).T


def _distance(a: Floats, b: Floats) -> Floats:
    """(n, m) distances; lightness counts more than hue, for colour-blind readers."""
    return np.linalg.norm((a[:, None] - b[None]) * (1.5, 1, 1), axis=-1)
