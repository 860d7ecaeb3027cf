"""Small writers of MED and CGNS files, by the layouts of their manuals, as other programs write them."""

import h5py
import numpy as np

MED_NAMES = {"vertex": "PO1", "line": "SE2", "triangle": "TR3", "quad": "QU4", "tetra": "TE4", "hexahedron": "HE8"}
CODES = {"line": 3, "triangle": 5, "quad": 7, "tetra": 10, "pyramid": 12, "wedge": 14, "hexahedron": 17}


# -- MED ---------------------------------------------------------------------------------------------------------------
def write_med(path, points, cells, groups, *, name="part", unit="", mode="w"):
    """Cells {kind: (C, k) from 0, in MED's order}; groups {name: {kind: rows}}, of nodes under "node"."""
    with h5py.File(path, mode) as file:
        mesh = file.require_group("ENS_MAA").create_group(name)
        mesh.attrs.update({"DIM": points.shape[1], "ESP": points.shape[1], "TYP": 0, "REP": 0, "UNI": np.bytes_(unit)})
        step = mesh.create_group("-0000000000000000001-0000000000000000001")
        families = file.require_group("FAS").create_group(name)
        families.create_group("FAMILLE_ZERO").attrs["NUM"] = 0
        nodes = step.create_group("NOE")
        nodes["COO"] = points.T.ravel()
        own = {k: v["node"] for k, v in groups.items() if "node" in v}
        nodes["FAM"] = _families(families, "NOEUD", 1, len(points), own)
        for kind, rows in cells.items():
            block = step.create_group(f"MAI/{MED_NAMES[kind]}")
            block["NOD"] = (rows + 1).T.ravel()
            own = {k: v[kind] for k, v in groups.items() if kind in v}
            block["FAM"] = _families(families, "ELEME", -1, len(rows), own)


def _families(families, place, sign, count, sets):
    """Number each combination of sets; names are padded with zeros."""
    code = np.zeros(count, np.int64)
    for bit, rows in enumerate(sets.values()):
        code[rows] += 2**bit
    start = len(families.require_group(place)) + 1
    numbers = {c: sign * (start + i) for i, c in enumerate(np.unique(code[code > 0]))}
    for c, number in numbers.items():
        labels = [label for bit, label in enumerate(sets) if c >> bit & 1]
        family = families[place].create_group(f"FAM_{number}")
        family.attrs["NUM"] = number
        letters = [np.frombuffer(label.encode().ljust(80, b"\0"), np.int8) for label in labels]
        family.create_group("GRO")["NOM"] = np.array(letters)
    return np.array([numbers.get(c, 0) for c in code])


# -- CGNS --------------------------------------------------------------------------------------------------------------
def write_cgns(path, zones, *, dims=(3, 3), families=None, unit=None, bases=("base",)):
    """Zones {name: node}, by `zone`; families {name: families that it belongs to}."""
    with h5py.File(path, "w") as file:
        file.attrs.update({"name": np.bytes_("HDF5 MotherNode"), "label": np.bytes_("Root Node of HDF5 File")})
        for title in bases:
            base = _put(file, title, "CGNSBase_t", np.array(dims, np.int32))
            for name, node in zones.items():
                _tree(base, name, node)
            for name, own in (families or {}).items():
                family = _put(base, name, "Family_t", None)
                for label in own:
                    _put(family, label, "FamilyName_t", label)
            if unit:
                words = "".join(word.ljust(32) for word in ("Kilogram", unit, "Second", "Kelvin", "Radian"))
                _put(base, "DimensionalUnits", "DimensionalUnits_t", words)


def zone(points, sections, conditions=None, sizes=None):
    """A zone: sections {name: (code, numbers, count)}, numbered through; conditions {name: (what holds where)}.

    A condition is (key, indices, location, family); `sizes` are those of a structured zone.
    """
    total = sum(count for _, _, count in sections.values())
    whole = np.array([len(points)] if sizes is None else sizes)
    size = np.array([whole, [total] if sizes is None else whole - 1, 0 * whole])
    axes = {f"Coordinate{axis}": ("DataArray_t", column, {}) for axis, column in zip("XYZ", points.T, strict=False)}
    children = {
        "ZoneType": ("ZoneType_t", "Unstructured" if sizes is None else "Structured", {}),
        "GridCoordinates": ("GridCoordinates_t", None, axes),
    }
    start = 1
    for name, (code, numbers, count) in sections.items():
        children[name] = (
            "Elements_t", np.array([code, 0], np.int32),
            {
                "ElementRange": ("IndexRange_t", np.array([start, start + count - 1]), {}),
                "ElementConnectivity": ("DataArray_t", np.asarray(numbers), {}),
            },
        )  # fmt: skip
        start += count
    found = {}
    for name, (own, *where) in (conditions or {}).items():
        found[name] = ("BC_t", "BCWall" if own != "only" else "FamilySpecified", _where(*where))
    if found:
        children["ZoneBC"] = ("ZoneBC_t", None, found)
    return ("Zone_t", size, children)


def _where(key, indices, location=None, family=None):
    label = "IndexRange_t" if key.endswith("Range") else "IndexArray_t"
    out = {key: (label, np.asarray(indices), {})}
    if location:
        out["GridLocation"] = ("GridLocation_t", location, {})
    if family:
        out["FamilyName"] = ("FamilyName_t", family, {})
    return out


def _tree(parent, name, node):
    label, data, children = node
    own = _put(parent, name, label, data)
    for title, child in children.items():
        _tree(own, title, child)


def _put(parent, name, label, data):
    node = parent.create_group(name)
    letters = isinstance(data, str)
    kind = "MT" if data is None else "C1" if letters else "R8" if data.dtype.kind == "f" else f"I{data.dtype.itemsize}"
    node.attrs.update({"name": np.bytes_(name), "label": np.bytes_(label), "type": np.bytes_(kind)})
    if data is not None:
        node[" data"] = np.frombuffer(data.encode(), np.int8) if letters else data
    return node
