"""Random families of shapes. A new one is one file, one class, one line in `FAMILIES`."""

from __future__ import annotations

from geometries.families.airfoil import Airfoil
from geometries.families.base import Family, Shape, ShapeError
from geometries.families.bracket import BRACKET, Bracket
from geometries.families.cavity import Cavity
from geometries.families.channel_cylinder import ChannelCylinder
from geometries.families.corners import Corners
from geometries.families.csg import Csg
from geometries.families.dam import Dam
from geometries.families.disk import Disk
from geometries.families.disk_with_hole import DiskWithHole
from geometries.families.grid import Grid
from geometries.families.heat_sink import HeatSink
from geometries.families.inductor import Inductor
from geometries.families.interface import Interface
from geometries.families.l_shape import LShape
from geometries.families.morph import Morph
from geometries.families.parts import Parts
from geometries.families.pipe_tee import PipeTee
from geometries.families.plate import Plate
from geometries.families.polygon import Polygon
from geometries.families.spline import Spline
from geometries.families.square import Square
from geometries.families.tube import Tube
from geometries.families.u_shape import UShape
from geometries.families.unit_cell import UnitCell

FAMILIES: dict[str, type[Family]] = {
    Airfoil.name: Airfoil,
    Bracket.name: Bracket,
    Cavity.name: Cavity,
    ChannelCylinder.name: ChannelCylinder,
    Corners.name: Corners,
    Csg.name: Csg,
    Dam.name: Dam,
    Disk.name: Disk,
    DiskWithHole.name: DiskWithHole,
    Grid.name: Grid,
    HeatSink.name: HeatSink,
    Inductor.name: Inductor,
    Interface.name: Interface,
    LShape.name: LShape,
    Morph.name: Morph,
    Parts.name: Parts,
    PipeTee.name: PipeTee,
    Plate.name: Plate,
    Polygon.name: Polygon,
    Spline.name: Spline,
    Square.name: Square,
    Tube.name: Tube,
    UShape.name: UShape,
    UnitCell.name: UnitCell,
}

__all__ = [
    "BRACKET",
    "FAMILIES",
    "Airfoil",
    "Bracket",
    "Cavity",
    "ChannelCylinder",
    "Corners",
    "Csg",
    "Dam",
    "Disk",
    "DiskWithHole",
    "Family",
    "Grid",
    "HeatSink",
    "Inductor",
    "Interface",
    "LShape",
    "Morph",
    "Parts",
    "PipeTee",
    "Plate",
    "Polygon",
    "Shape",
    "ShapeError",
    "Spline",
    "Square",
    "Tube",
    "UShape",
    "UnitCell",
]
