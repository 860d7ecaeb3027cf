"""CAD shapes in gmsh: import, names and colours, interfaces, meshing. Runs in a child process: `geometries.child`."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from geometries.cad_faults import drawn, meshed
from geometries.errors import CadError, MeshingError, NoVolumeCells
from geometries.gmsh_model import extract, session
from geometries.step_names import face_names

Floats = NDArray[np.float64]
Entity: TypeAlias = tuple[int, int]
Labels: TypeAlias = dict[Entity, list[str]]
_WORDS = {3: "solid", 2: "face", 1: "edge"}
_SLACK = 1e-6  # of the part's extent: closer points are one
_GAPS = (0.0, 1e-7, 1e-5, 1e-4, 1e-3)  # of the part's diagonal: the widest gaps that are closed, tried in turn
_OTHER_FILES = re.compile(rb"\b(DOCUMENT_FILE|DCMFL)\b")  # its long and its short name in STEP
# What kernels write where the user gave no name
_NO_NAME = re.compile(r"(none|unnamed|solid|shell|face|compound|open cascade step translator.*|shapes)?", re.IGNORECASE)


@contextmanager
def imported(path: str) -> Iterator[ModuleType]:
    """Yield gmsh with the shapes of a CAD file, in millimetres where the format has units."""
    alone = private_copy(path)
    with session() as gmsh:
        try:
            gmsh.model.occ.importShapes(str(alone), highestDimOnly=False)
            gmsh.model.occ.synchronize()
        except Exception as error:  # noqa: BLE001  gmsh raises plain exceptions
            reason = str(error).replace(str(alone), Path(path).name) or "without a reason"
            raise CadError(f"{Path(path).name}: OpenCASCADE refuses its shapes ({reason}); export it again.") from None
        yield gmsh


def private_copy(path: str) -> Path:
    """Copy a CAD file alone into the current (private) folder, its bytes made such as the readers stand.

    Raises `CadError` for a STEP file that refers to others: OpenCASCADE follows that anywhere.
    """
    alone = _private(path)
    suffix = alone.suffix
    shutil.copyfile(path, alone)
    content = alone.read_bytes()
    if suffix in (".step", ".stp") and _OTHER_FILES.search(content):
        raise CadError(
            f"{Path(path).name} refers to other files (DOCUMENT_FILE), which are not followed; "
            "export the assembly as one file."
        )
    if suffix != ".brep" and not content.isascii():
        # Text in another encoding crashes gmsh. IGES counts bytes, so they must not become more.
        iges = suffix in (".igs", ".iges")
        alone.write_bytes(bytes(b if b < 128 else 95 for b in content) if iges else _utf8(content))
    return alone


def _private(path: str) -> Path:
    return Path(f"part{Path(path).suffix.lower()}").absolute()


def _utf8(content: bytes) -> bytes:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("latin-1").encode("utf-8")
    return content


def survey(path: str, heal: bool = False) -> dict[str, Any]:
    """Return the fields of `cad.Survey`; `heal` counts what healing makes of a file without solids."""
    with imported(path) as gmsh:
        model = gmsh.model
        if not model.getEntities(2):
            return {"solids": 0, "faces": 0, "diagonal": 0.0, "volume": 0.0, "area": 0.0, "flat": False}
        if heal and not model.getEntities(3) and not _is_flat(model):
            healed(gmsh, path, {}, [])
        solids, faces = model.getEntities(3), model.getEntities(2)
        return {
            "solids": len(solids),
            "faces": len(faces),
            "diagonal": _diagonal(model),
            "volume": sum(abs(model.occ.getMass(*entity)) for entity in solids),
            "area": sum(abs(model.occ.getMass(*entity)) for entity in faces),
            "flat": _is_flat(model),
        }


def _extent(model: ModuleType) -> Floats:
    box = np.array(model.getBoundingBox(-1, -1)).reshape(2, 3)
    return box[1] - box[0]


def _diagonal(model: ModuleType) -> float:
    return float(np.linalg.norm(_extent(model)))


def _is_flat(model: ModuleType) -> bool:
    return bool(_extent(model)[2] <= 1e-6 * _diagonal(model))


def mesh(path: str, size: float, algorithm: int, dim: int, order: int, heal: bool = False) -> dict[str, Any]:
    """Mesh a CAD file; return keyword arguments of `build.mesh_from_blocks`.

    `heal` sews the faces of a file without solids first. Raises `CadError` where that fails, with the faces at fault.
    """
    problems: list[str] = []
    with imported(path) as gmsh:
        labels = _labels(gmsh.model, _step_names(gmsh.model, path))
        if heal and not gmsh.model.getEntities(3) and not _is_flat(gmsh.model):
            labels = healed(gmsh, path, labels, problems)
        elif heal:
            problems.append("nothing to heal: the file holds solids, or a flat drawing")
        top = 3 if gmsh.model.getEntities(3) else 2
        labels = _conforming(gmsh, top, labels, problems)
        gmsh.option.setNumber("Mesh.MeshSizeMax", size)
        gmsh.option.setNumber("Mesh.Algorithm", algorithm)
        gmsh.option.setNumber("Mesh.HighOrderOptimize", 0)
        _generate(gmsh, Path(path).name, dim, size, labels)
        if order == 2:
            _second_order(gmsh, dim, problems)
        wanted = {entity: names for entity, names in labels.items() if entity[0] in (dim, dim - 1)}
        return {**extract(lambda d, tag: wanted.get((d, tag), ())), "problems": problems}


# -- names -------------------------------------------------------------------------------------------------------------
def _step_names(model: ModuleType, path: str) -> dict[Entity, str]:
    """Return the names of a STEP file's faces, which gmsh leaves out."""
    alone = _private(path)
    if alone.suffix not in (".step", ".stp"):
        return {}
    return {(2, tag): name for tag, name in face_names(model, alone.read_text("utf-8")).items()}


def _labels(model: ModuleType, given: dict[Entity, str]) -> Labels:
    """Return the names of all solids, faces and edges; what has none gets its number, and its colour if it has one."""
    labels: Labels = {}
    for dim in (3, 2, 1):
        for number, (_, tag) in enumerate(model.getEntities(dim), start=1):
            name = _clean(given.get((dim, tag)) or model.getEntityName(dim, tag))
            color = "" if name else _own_color(model, dim, tag)
            labels[dim, tag] = [name or f"{_WORDS[dim]}{number}"] + ([f"color {color}"] if color else [])
    return labels


def _clean(name: str) -> str:
    """Return the last part of an assembly's path, or nothing if it says nothing."""
    last = " ".join(name.rsplit("/", 1)[-1].split())
    return "" if _NO_NAME.fullmatch(last) else last


def _color(model: ModuleType, dim: int, tag: int) -> str:
    red, green, blue, alpha = model.getColor(dim, tag)
    return f"#{red:02x}{green:02x}{blue:02x}" if alpha else ""


def _own_color(model: ModuleType, dim: int, tag: int) -> str:
    """Return the colour of an entity unless it is inherited from one that it bounds."""
    above = model.getAdjacencies(dim, tag)[0] if dim < 3 else ()
    color = _color(model, dim, tag)
    return "" if color in [_color(model, dim + 1, int(t)) for t in above] else color


# -- healing -----------------------------------------------------------------------------------------------------------
def healed(gmsh: ModuleType, path: str, labels: Labels, problems: list[str]) -> Labels:
    """Sew the faces of the current model, which holds no solids, and make solids of what closes; return new labels.

    Gaps are closed by the smallest of some tolerances that leaves out the fewest faces. gmsh forgets which face became
    which: a face gets the names of the original that a point inside it lies on.
    Raises `NoVolumeCells` where no solid comes out.
    """
    model, total, diagonal = gmsh.model, len(gmsh.model.getEntities(2)), _diagonal(gmsh.model)
    used: dict[float, int] = {}
    for gap in _GAPS:
        used[gap] = _sewn(gmsh, path, gap * diagonal)
        if used[gap] >= total:
            break
    best = max(used, key=lambda gap: used[gap])
    if best != gap:
        _sewn(gmsh, path, best * diagonal)
    solids = model.getEntities(3)
    if not solids:
        raise NoVolumeCells(
            f"{Path(path).name}: healing sews its {total} faces into no solid; the gaps are wider than "
            f"{gap * diagonal:.3g} or faces are missing: close them in CAD, or mesh the faces with dim=2 (--dim 2)."
        )
    how = f"across gaps up to {best * diagonal:.2g}" if best else "as they are"
    problems.append(f"healed: {used[best]} faces sewn into {len(solids)} solids {how}")
    loose = [e for e in model.getEntities(2) if not len(model.getAdjacencies(*e)[0])]
    lost = max(total - used[best], len(loose))
    if lost:
        problems.append(f"healed: {lost} of {total} faces are part of no solid: left out")
        model.occ.remove(loose, recursive=True)
        model.occ.synchronize()
    return _relabelled(gmsh, path, labels) if labels else {}


def _sewn(gmsh: ModuleType, path: str, gap: float) -> int:
    """Import a file anew and sew it, or make solids of what closes as it is; return how many faces solids have."""
    gmsh.clear()
    gmsh.model.occ.importShapes(str(_private(path)), highestDimOnly=False)
    if gap:
        gmsh.model.occ.healShapes([], gap, sewFaces=True, makeSolids=True)
    else:
        _made_solid(gmsh.model)
    gmsh.model.occ.synchronize()
    return len({tag for solid in gmsh.model.getEntities(3) for tag in gmsh.model.getAdjacencies(*solid)[1]})


def _made_solid(model: ModuleType) -> None:
    """Make solids of faces that close as they are, single ones too: sewing loses poles, edges of no length."""
    model.occ.removeAllDuplicates()
    model.occ.synchronize()
    faces = model.getEntities(2)
    for tags in _connected({tag: set(model.getAdjacencies(2, tag)[1].tolist()) for _, tag in faces}):
        rim = model.getBoundary([(2, tag) for tag in tags], combined=True, oriented=False)
        if all(_is_point(model, edge) for edge in rim):
            model.occ.addVolume([model.occ.addSurfaceLoop(tags)])


def _connected(edges: dict[int, set[int]]) -> list[list[int]]:
    """Return the faces by the parts that they form, those that share edges in one."""
    parts: list[tuple[list[int], set[int]]] = []
    for face, own in edges.items():
        near = [part for part in parts if part[1] & own]
        parts = [part for part in parts if not part[1] & own]
        parts.append(([face, *(f for part in near for f in part[0])], own.union(*(part[1] for part in near))))
    return [sorted(faces) for faces, _ in parts]


def _is_point(model: ModuleType, edge: Entity) -> bool:
    return bool(model.occ.getMass(*edge) <= _SLACK * _diagonal(model))


def _relabelled(gmsh: ModuleType, path: str, labels: Labels) -> Labels:
    """Return labels of the healed model; the originals stand by meanwhile to be compared with."""
    model = gmsh.model
    new: Labels = {(3, tag): [f"solid{i}"] for i, (_, tag) in enumerate(model.getEntities(3), start=1)}
    pieces = {dim: model.getEntities(dim) for dim in (2, 1)}
    model.occ.importShapes(str(_private(path)), highestDimOnly=False)
    model.occ.synchronize()
    for dim, own in pieces.items():
        originals = sorted(set(model.getEntities(dim)) - set(own))
        names = dict(zip(originals, (names for entity, names in labels.items() if entity[0] == dim), strict=True))
        boxes = _boxes(model, originals)
        new.update({piece: _inherited(model, piece, originals, boxes, names) for piece in own})
    model.occ.remove(sorted(set(model.getEntities(2)) - set(pieces[2])), recursive=True)
    model.occ.synchronize()
    return new


# -- interfaces --------------------------------------------------------------------------------------------------------
def _conforming(gmsh: ModuleType, top: int, labels: Labels, problems: list[str]) -> Labels:
    """Make entities of dimension `top` that touch share their interface; return the labels of what they became.

    Copies are fragmented, so that the originals stand by to be compared with: gmsh's own map loses some faces.
    """
    model, tops = gmsh.model, gmsh.model.getEntities(top)
    if not _any_touch(model, tops):
        return labels
    images = _fragments(model, tops)
    if not all(images):
        problems.append(f"{len(tops)} {_WORDS[top]}s are not joined where they touch: OpenCASCADE fails to")
        return labels
    new: Labels = {}
    for old, image in zip(tops, images, strict=True):
        for piece in image:
            new.setdefault(piece, []).extend(labels[old])
    pieces, originals = list(new), tops
    for _ in range(top - 1):
        pieces, originals = (model.getBoundary(e, combined=False, oriented=False) for e in (pieces, originals))
        pieces, originals = sorted(set(pieces)), sorted(set(originals))
        boxes = _boxes(model, originals)
        new.update({piece: _inherited(model, piece, originals, boxes, labels) for piece in pieces})
    model.occ.remove(tops, recursive=True)
    model.occ.synchronize()
    return new


def _fragments(model: ModuleType, entities: list[Entity]) -> list[list[Entity]]:
    """Fragment copies of entities; return what each became, nothing for all of them if that loses any."""
    copies = model.occ.copy(entities)
    try:
        pieces, images = model.occ.fragment(copies[:1], copies[1:])
    except Exception:  # noqa: BLE001  gmsh raises plain exceptions
        pieces, images = copies, [[]]
    if not all(images):
        model.occ.remove(pieces, recursive=True)
        images = [[] for _ in entities]
    model.occ.synchronize()
    return images


def _boxes(model: ModuleType, entities: list[Entity]) -> Floats:
    """(n, 2, 3) lowest and highest coordinates."""
    return np.array([model.getBoundingBox(*entity) for entity in entities]).reshape(-1, 2, 3)


def _any_touch(model: ModuleType, entities: list[Entity]) -> bool:
    boxes = _boxes(model, entities)
    slack = _SLACK * np.ptp(boxes, axis=(0, 1)).max() if len(boxes) else 0.0
    apart = (boxes[:, None, 0] > boxes[None, :, 1] + slack).any(2)
    return bool((~(apart | apart.T)).sum() > len(entities))


def _inherited(model: ModuleType, piece: Entity, originals: list[Entity], boxes: Floats, labels: Labels) -> list[str]:
    """Return the names of the original entities that a point inside `piece` lies on."""
    point = _inner_point(model, *piece)
    if point is None:
        return []
    slack = _SLACK * np.ptp(boxes, axis=(0, 1)).max()
    near = ((boxes[:, 0] - slack <= point) & (point <= boxes[:, 1] + slack)).all(1)
    found = [labels[originals[i]] for i in np.flatnonzero(near) if _lies_on(model, originals[i], point, slack)]
    return list(dict.fromkeys(name for names in found for name in names))


def _inner_point(model: ModuleType, dim: int, tag: int) -> Floats | None:
    """Return a point inside an edge or a (trimmed) face, found on finer and finer grids of its parameters."""
    low, high = (np.array(b) for b in model.getParametrizationBounds(dim, tag))
    for count in (1, 4, 13, 40):
        steps = (np.arange(count) + 0.5) / count
        grid = np.stack(np.meshgrid(*[steps] * dim), axis=-1).reshape(-1, dim)
        for parameters in low + grid * (high - low):
            if dim == 1 or model.isInside(dim, tag, parameters, parametric=True):
                return np.array(model.getValue(dim, tag, parameters))
    return None


def _lies_on(model: ModuleType, entity: Entity, point: Floats, slack: float) -> bool:
    if entity[0] == 1 and _is_point(model, entity):
        return False
    closest, parameters = model.getClosestPoint(*entity, point)
    if np.linalg.norm(closest - point) > slack:
        return False
    return entity[0] == 1 or bool(model.isInside(*entity, parameters, parametric=True))


# -- meshing -----------------------------------------------------------------------------------------------------------
def _generate(gmsh: ModuleType, name: str, dim: int, size: float, labels: Labels) -> None:
    """Mesh; raise `MeshingError` with the faces and solids at fault where that fails."""
    faults = meshed(gmsh, dim)
    if faults is None:
        return
    faces, solids = (_named(labels, d, tags) for d, tags in ((2, faults.faces), (3, faults.solids)))
    where = "".join(f" {word} {', '.join(found[:8])}" for word, found in (("at", faces), ("in", solids)) if found)
    raise MeshingError(
        f"{name} does not mesh at size {size:.4g}{where} ({faults.reason}); repair the part (meshops view {name} "
        "shows where) or take another size."
    )


def _named(labels: Labels, dim: int, tags: Iterable[int]) -> list[str]:
    return sorted({label for tag in tags for label in labels.get((dim, tag), ())})


def faces(path: str, size: float, try_mesh: bool = True) -> dict[str, Any]:
    """Return the faces of a part that does not mesh, as arguments of `build.mesh_from_blocks`.

    Those at fault have their names; where gmsh tells none, all faces of a solid without cells have its name.
    """
    with imported(path) as gmsh:
        model = gmsh.model
        labels = _labels(model, _step_names(model, path))
        top = 3 if model.getEntities(3) else 2
        labels = _conforming(gmsh, top, labels, [])
        gmsh.option.setNumber("Mesh.MeshSizeMax", size)
        faults = meshed(gmsh, top) if try_mesh else None
        names = {tag: labels.get((2, tag), []) for tag in faults.faces} if faults else {}
        for solid in faults.solids if faults and not names else ():
            for tag in model.getAdjacencies(3, solid)[1]:
                names.setdefault(int(tag), []).extend(labels.get((3, solid), ()))
        return drawn(gmsh, names)


def _second_order(gmsh: ModuleType, dim: int, problems: list[str]) -> None:
    """Add mid-nodes on the true surfaces; where that inverts cells, all are made straight."""
    gmsh.model.mesh.setOrder(2)
    tags = np.concatenate([t for part in gmsh.model.getEntities(dim) for t in gmsh.model.mesh.getElements(*part)[1]])
    inverted = int((gmsh.model.mesh.getElementQualities(tags, "minDetJac") <= 0).sum())
    if inverted:
        gmsh.option.setNumber("Mesh.SecondOrderLinear", 1)
        gmsh.model.mesh.setOrder(1)
        gmsh.model.mesh.setOrder(2)
        problems.append(f"{inverted} curved cells would be inverted: all second-order cells are straight")
