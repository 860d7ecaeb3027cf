"""Random families of shapes. A new one is one file, one class, one line in `FAMILIES`."""

from __future__ import annotations

from geometries.families.base import Family, Shape, ShapeError
from geometries.families.bracket import BRACKET, Bracket
from geometries.families.corners import Corners
from geometries.families.grid import Grid
from geometries.families.polygon import Polygon
from geometries.families.spline import Spline

FAMILIES: dict[str, type[Family]] = {
    Bracket.name: Bracket,
    Corners.name: Corners,
    Grid.name: Grid,
    Polygon.name: Polygon,
    Spline.name: Spline,
}

__all__ = ["BRACKET", "FAMILIES", "Bracket", "Corners", "Family", "Grid", "Polygon", "Shape", "ShapeError", "Spline"]
