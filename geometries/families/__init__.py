"""Random families of shapes. A new one is one file, one class, one line in `FAMILIES`."""

from __future__ import annotations

from geometries.families.airfoil import Airfoil
from geometries.families.base import Family, Shape, ShapeError
from geometries.families.bracket import BRACKET, Bracket
from geometries.families.channel_cylinder import ChannelCylinder
from geometries.families.corners import Corners
from geometries.families.disk import Disk
from geometries.families.disk_with_hole import DiskWithHole
from geometries.families.grid import Grid
from geometries.families.inductor import Inductor
from geometries.families.interface import Interface
from geometries.families.l_shape import LShape
from geometries.families.plate import Plate
from geometries.families.polygon import Polygon
from geometries.families.spline import Spline
from geometries.families.square import Square
from geometries.families.u_shape import UShape
from geometries.families.unit_cell import UnitCell

FAMILIES: dict[str, type[Family]] = {
    Airfoil.name: Airfoil,
    Bracket.name: Bracket,
    ChannelCylinder.name: ChannelCylinder,
    Corners.name: Corners,
    Disk.name: Disk,
    DiskWithHole.name: DiskWithHole,
    Grid.name: Grid,
    Inductor.name: Inductor,
    Interface.name: Interface,
    LShape.name: LShape,
    Plate.name: Plate,
    Polygon.name: Polygon,
    Spline.name: Spline,
    Square.name: Square,
    UShape.name: UShape,
    UnitCell.name: UnitCell,
}

__all__ = [
    "BRACKET",
    "FAMILIES",
    "Airfoil",
    "Bracket",
    "ChannelCylinder",
    "Corners",
    "Disk",
    "DiskWithHole",
    "Family",
    "Grid",
    "Inductor",
    "Interface",
    "LShape",
    "Plate",
    "Polygon",
    "Shape",
    "ShapeError",
    "Spline",
    "Square",
    "UShape",
    "UnitCell",
]
