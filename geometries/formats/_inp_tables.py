"""Element types of Abaqus and CalculiX, their faces, and what becomes of each keyword."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from geometries.cells import CELLS

Nodes = tuple[int, ...]


@dataclass(frozen=True)
class ElementType:
    """Our cell type, the element's node that each of ours is where the orders differ, and whether it is a shell."""

    kind: str
    order: Nodes = ()
    shell: bool = False


_VOLUMES = {4: "tetra", 5: "pyramid", 6: "wedge", 8: "hexahedron", 10: "tetra10", 15: "wedge15", 20: "hexahedron20"}
_PLANES = {3: "triangle", 4: "quad", 6: "triangle6", 8: "quad8", 9: "quad9"}
_FAMILIES = (
    (re.compile(r"(?:[ADEQ]?C|DCC|F)3D(\d+)[A-Z]*"), _VOLUMES, False),
    (re.compile(r"SC([68])R?T?"), _VOLUMES, False),
    (re.compile(r"(?:CPS|CPE|CPEG|CAX|CGAX|DC2D|DCAX|AC2D|ACAX|DCC2D|DCCAX)(\d)[A-Z]*"), _PLANES, False),
    (re.compile(r"(?:D?S|STRI|M3D|SFM3D|R3D)([34689])(?:[A-Z]+5?|5)?"), _PLANES, True),
    (re.compile(r"(?:T[23]D|DC1D)(\d)[A-Z]*"), {2: "line", 3: "line3"}, False),
    (re.compile(r"B[23]([123])[A-Z]*"), {1: "line", 3: "line", 2: "line3"}, False),
)
_SHELL_SIDES = {"1": "NEG", "2": "POS", "SPOS": "POS", "SNEG": "NEG", "N": "NEG", "P": "POS"}
# Corners of the faces S1, S2, ... of each linear cell, as the Abaqus and CalculiX manuals number them
_FACES: dict[str, tuple[Nodes, ...]] = {
    "line": ((0,), (1,)),
    "triangle": ((0, 1), (1, 2), (2, 0)),
    "quad": ((0, 1), (1, 2), (2, 3), (3, 0)),
    "tetra": ((0, 1, 2), (0, 3, 1), (1, 3, 2), (2, 3, 0)),
    "pyramid": ((0, 1, 2, 3), (0, 4, 1), (1, 4, 2), (2, 4, 3), (3, 4, 0)),
    "wedge": ((0, 1, 2), (3, 4, 5), (0, 1, 4, 3), (1, 2, 5, 4), (2, 0, 3, 5)),
    "hexahedron": ((0, 1, 2, 3), (4, 7, 6, 5), (0, 4, 5, 1), (1, 5, 6, 2), (2, 6, 7, 3), (3, 7, 4, 0)),
}
# What is written: CalculiX has no pyramid, Abaqus has; no element has the nodes of the other types
WRITTEN = {
    **{kind: f"C3D{n}" for n, kind in _VOLUMES.items()},
    "line": "T3D2",
    "line3": "T3D3",
}
PLANE_WRITTEN = {kind: n for n, kind in _PLANES.items() if n < 9}  # after CPS or CPE
SHELL_WRITTEN = {kind: f"S{n}" for n, kind in _PLANES.items() if n < 9}

MESH_KEYWORDS = {
    "NODE", "ELEMENT", "NSET", "ELSET", "SURFACE", "PART", "ENDPART", "ASSEMBLY", "ENDASSEMBLY", "INSTANCE",
    "ENDINSTANCE", "INCLUDE",
}  # fmt: skip
LOAD_KEYWORDS = {
    "BOUNDARY", "DFLUX", "DSFLUX", "FILM", "SFILM", "CLOAD", "DLOAD", "DSLOAD", "CFLUX", "RADIATE", "SRADIATE",
    "TEMPERATURE",
}  # fmt: skip
# They make meshes by rules; a reader that skipped them would lose cells
GENERATORS = {"NGEN", "NFILL", "NCOPY", "NMAP", "ELGEN", "ELCOPY", "SYSTEM"}
# Output, control, and properties that a steady field does not depend on
SILENT = {
    "HEADING", "PREPRINT", "STEP", "ENDSTEP", "HEATTRANSFER", "STATIC", "MATERIAL", "CONDUCTIVITY", "DENSITY",
    "SPECIFICHEAT", "SOLIDSECTION", "SHELLSECTION", "MEMBRANESECTION", "NODEPRINT", "ELPRINT", "NODEFILE", "ELFILE",
    "NODEOUTPUT", "ELEMENTOUTPUT", "OUTPUT", "CONTACTFILE", "CONTACTPRINT", "FACEPRINT", "SECTIONPRINT", "RESTART",
    "CONTROLS", "TIMEPOINTS", "MONITOR", "PRINT", "PHYSICALCONSTANTS", "NOANALYSIS", "FILEFORMAT",
    "USERNODE", "CHECK", "DEPVAR",
}  # fmt: skip
# What a heat problem without them is another problem
ALTERS_HEAT = {
    "EQUATION", "EQUATIONF", "MPC", "TIE", "CONTACTPAIR", "GAPCONDUCTANCE", "CFLUX", "RADIATE", "SRADIATE",
    "FLUIDSECTION", "CYCLICSYMMETRYMODEL", "MODELCHANGE", "SUBMODEL", "CFD", "BOUNDARYF", "MASSFLOW", "TRANSFORM",
}  # fmt: skip
# The same for a static one; what a linear elastic body does not depend on
ALTERS_SOLID = {
    "EQUATION", "EQUATIONF", "MPC", "TIE", "CONTACTPAIR", "CONTACT", "CLEARANCE", "TRANSFORM", "PLASTIC", "CREEP",
    "HYPERELASTIC", "HYPERFOAM", "USERMATERIAL", "DEFORMATIONPLASTICITY", "CYCLICHARDENING", "RIGIDBODY", "COUPLING",
    "KINEMATIC", "DISTRIBUTING", "DISTRIBUTINGCOUPLING", "PRETENSIONSECTION", "CYCLICSYMMETRYMODEL", "MODELCHANGE",
    "SUBMODEL", "FREQUENCY", "BUCKLE", "DYNAMIC", "MODALDYNAMIC", "STEADYSTATEDYNAMICS", "COMPLEXFREQUENCY", "VISCO",
    "GREEN", "SENSITIVITY", "ELECTROMAGNETICS", "SPRING", "DASHPOT", "GAP", "MASS", "BEAMSECTION", "BEAMGENERALSECTION",
    "SHELLSECTION", "MEMBRANESECTION", "BOUNDARYF",
}  # fmt: skip
SILENT_SOLID = {"ORIENTATION", "SURFACEINTERACTION", "SURFACEBEHAVIOR", "FRICTION", "AMPLITUDE", "DAMPING"}


@cache
def element_type(name: str) -> ElementType | None:
    """Return what an element type in capitals is to us; None for springs, networks and whatever is no cell."""
    if name in ("STRI65", "STRI35"):
        return ElementType("triangle6" if name == "STRI65" else "triangle", shell=True)
    for pattern, kinds, shell in _FAMILIES:
        found = pattern.fullmatch(name)
        if found and (kind := kinds.get(int(found.group(1)))):
            return ElementType(kind, (0, 2, 1) if kind == "line3" else (), shell)
    return None


@cache
def face(element: ElementType, label: str) -> Nodes | None:
    """Return the corners of the face that `S3`, `F3`, `P3`, `SPOS`, `E1` ... names; () is a shell itself."""
    faces = _FACES[linear(element.kind)]
    found = re.fullmatch(r"[SFPRE]?(\d|S?POS|S?NEG)", label) or re.fullmatch(r"[SFPRE]?(N|P)", label)
    if not found:
        return None
    number = found.group(1)
    if element.shell:
        side = _SHELL_SIDES.get(number, number)
        if side in ("POS", "NEG") and not label.startswith("E"):
            return ()
        at = int(number) - (1 if label.startswith("E") else 3) if number.isdigit() else -1
    else:
        at = int(number) - 1 if number.isdigit() else -1
    return faces[at] if 0 <= at < len(faces) else None


@cache
def side_labels(kind: str, shell: bool) -> tuple[str, ...]:
    """Return the label `S1`, `S2`, ... of each of our local facets."""
    faces = [frozenset(f) for f in _FACES[linear(kind)]]
    numbers = [faces.index(frozenset(nodes[: CELLS[f].corners])) for f, nodes in CELLS[kind].facets]
    return tuple(f"S{n + (3 if shell else 1)}" for n in numbers)


def linear(kind: str) -> str:
    """Return the cell type of the first order with the same corners."""
    return kind.rstrip("0123456789")
