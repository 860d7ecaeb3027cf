"""The published data of BENO (arXiv 2401.09323): RHS, SOL and BC arrays on a cell-centred grid.

Δu = f on squares without corners, u = g on the boundary, by finite volumes: the neighbour that a boundary face lacks
has the value 2g - u (a half cell away). Two defects of the published arrays are mended here: x and y are swapped in BC,
and its last quarter repeats the third, so one side's values are absent. They are recovered from the solution: at a cell
with such a face, Σ_faces (neighbour - u) = h² f holds for one g only. Measured on the ten published samples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from math import isqrt
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geometries.conditions import Dirichlet
from geometries.mesh import Mesh
from meshops.data.imports.base import Floats, Importer, ImportFailure, Made, Sample, load
from meshops.equations import Case, Solution, equation

Ints = NDArray[np.int64]
_STEPS = np.array([(0, -1), (1, 0), (0, 1), (-1, 0)])  # to the neighbours below, right, above, left


@dataclass(frozen=True, eq=False)
class Cells:
    """The cells of a sample: `inside` (n, n) by x, then y; `source` and `values` (n, n); `faces` (n, n, 4) g or NaN."""

    inside: NDArray[np.bool_]
    source: Floats
    values: Floats
    faces: Floats

    @property
    def open(self) -> NDArray[np.bool_]:
        """(n, n, 4) whether a face of a cell inside is on the boundary."""
        padded = np.pad(self.inside, 1)
        n = len(self.inside)
        beside = [padded[1 + i : 1 + i + n, 1 + j : 1 + j + n] for i, j in _STEPS]
        return self.inside[..., None] & ~np.stack(beside, axis=-1)


def read_cells(rhs: Floats, sol: Floats, bc: Floats) -> Cells:
    """Return the cells of one sample: RHS (n², 4), SOL (n², 1), BC (4n, 4); missing boundary values are recovered.

    Raises `ImportFailure` for cells outside the unit square, and where boundary values cannot be recovered.
    """
    n = round(len(rhs) ** 0.5)
    if not ((rhs[:, :2] >= 0) & (rhs[:, :2] < 1)).all():
        raise ImportFailure("the middle of a cell is outside the unit square; expected x and y from 0 to 1 in RHS.")
    at = tuple(np.floor(rhs[:, :2] * n).astype(int).T)
    grids = np.zeros((3, n, n))
    grids[0][at], grids[1][at], grids[2][at] = rhs[:, 3] == 0, rhs[:, 2], sol.ravel()
    bare = Cells(grids[0] > 0, grids[1], grids[2], np.full((n, n, 4), np.nan))
    return _recovered(Cells(bare.inside, bare.source, bare.values, _faces(bare, bc[: 3 * n])))


def _faces(cells: Cells, bc: Floats) -> Floats:
    """Put the boundary values, given by y, x and g at the middles of faces, at the cells that have those faces."""
    n = len(cells.inside)
    faces = np.full((n, n, 4), np.nan)
    where = np.argwhere(cells.open)
    middles = (where[:, :2] + 0.5 + 0.5 * _STEPS[where[:, 2]]) * 2  # whole numbers: half cells
    keys = {tuple(m): tuple(w) for m, w in zip(middles.astype(int).tolist(), where.tolist(), strict=True)}
    for x, y, g in zip(*np.round(bc[:, [1, 0]].T * 2 * n).astype(int).tolist(), bc[:, 2].tolist(), strict=True):
        if (x, y) in keys:
            faces[keys[x, y]] = g
    return faces


def _recovered(cells: Cells) -> Cells:
    """Fill boundary values that are missing, where a cell has one such face."""
    n = len(cells.inside)
    u = np.pad(cells.values, 1)
    beside = np.stack([u[1 + i : 1 + i + n, 1 + j : 1 + j + n] for i, j in _STEPS], axis=-1)
    missing = cells.open & np.isnan(cells.faces)
    if (missing.sum(-1) > 1).any():
        raise ImportFailure(f"{int((missing.sum(-1) > 1).sum())} cells lack the boundary values of two faces.")
    known = np.where(cells.open, 2 * np.nan_to_num(cells.faces) - cells.values[..., None], beside)
    rest = cells.source / n**2 - ((known - cells.values[..., None]) * ~missing).sum(-1)
    found = (rest[..., None] + 2 * cells.values[..., None]) / 2
    return Cells(cells.inside, cells.source, cells.values, np.where(missing, found, cells.faces))


def to_solution(cells: Cells) -> Solution:
    """Return the sample as a solved case of -∇·∇u = -f on the mesh of `mesh_of`."""
    n, inside = len(cells.inside), cells.inside
    total, count = np.zeros((2 * n + 1, 2 * n + 1, 2)), np.zeros((2 * n + 1, 2 * n + 1, 1))

    def add(at: Ints, own: Floats) -> None:
        np.add.at(total, tuple(at.T), own)
        np.add.at(count, tuple(at.T), 1.0)

    add(2 * np.argwhere(inside) + 1, np.stack([cells.values[inside], cells.source[inside]], axis=1))
    where = np.argwhere(cells.open)
    middle, step = 2 * where[:, :2] + 1 + _STEPS[where[:, 2]], np.abs(_STEPS[where[:, 2]])[:, ::-1]
    on_faces = np.stack([cells.faces[tuple(where.T)], cells.source[tuple(where[:, :2].T)]], axis=1)
    for at in (middle, middle - step, middle + step):
        add(at, on_faces)
    values, source = np.moveaxis(total / np.maximum(count, 1), -1, 0)
    mesh, at = mesh_of(inside)
    boundary = mesh.nodes(mesh.outer)
    case = Case(
        mesh,
        equation("heat"),
        conditions={"outer": Dirichlet(values[at][boundary])},
        coefficients={"conductivity": 1.0},
        source=-source[at],
    )
    return case.solution(values[at], solver="BENO's finite volumes")


def mesh_of(inside: NDArray[np.bool_]) -> tuple[Mesh, tuple[Ints, Ints]]:
    """Return the mesh of the points at which there are values, and where each is on the lattice of half cells.

    Points are the middles of cells and of boundary faces, and the corners of the domain, where the mean of the two
    faces is taken. Quadrilaterals: of four cells about a vertex inside, of two cells and their faces along a straight
    side, of a cell, two faces and a corner, and two of those kinds at a corner that points inwards.
    """
    n = len(inside)
    around = np.pad(inside, 1)
    vertex = np.stack(np.meshgrid(np.arange(n + 1), np.arange(n + 1), indexing="ij"), axis=-1)
    own = np.stack([around[:-1, :-1], around[1:, :-1], around[1:, 1:], around[:-1, 1:]], axis=-1)  # counter-clockwise
    turn = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])
    count, quads = own.sum(-1), []

    def add(where: NDArray[np.bool_], *steps: tuple[int, int]) -> None:
        quads.append(2 * vertex[where][:, None] + np.array(steps))

    add(count == 4, *map(tuple, turn))
    for k in range(4):
        a, b = tuple(turn[k]), tuple(turn[(k + 1) % 4])
        between = tuple((turn[k] + turn[(k + 1) % 4]) // 2)
        before, after = tuple((turn[k] + turn[k - 1]) // 2), tuple((turn[(k + 1) % 4] + turn[(k + 2) % 4]) // 2)
        alone, both = own[..., k], own[..., k] & own[..., (k + 1) % 4]
        add((count == 2) & both, before, a, b, after)
        add((count == 1) & alone, (0, 0), before, a, between)
        add((count == 3) & ~own[..., (k + 3) % 4], (0, 0), before, a, b)
        add((count == 3) & ~own[..., (k + 2) % 4], (0, 0), a, b, after)
    lattice = np.concatenate(quads)
    keys, cells = np.unique(lattice.reshape(-1, 2), axis=0, return_inverse=True)
    mesh = Mesh(points=keys / (2 * n), cells={"quad": cells.reshape(-1, 4)})
    return mesh.named(boundaries={"outer": mesh.outer}), (keys[:, 0], keys[:, 1])


def _files(source: Path) -> list[Path]:
    return sorted(source.glob("RHS_*.npy")) if source.is_dir() else []


def _samples(source: Path) -> Iterator[Sample]:
    for file in _files(source):
        rhs, sol, bc = (load(file.with_name(file.name.replace("RHS", kind, 1))) for kind in ("RHS", "SOL", "BC"))
        if not _alike(rhs.shape, sol.shape, bc.shape):
            raise ImportFailure(f"{file.name}: RHS {rhs.shape}, SOL {sol.shape}, BC {bc.shape}; not as in BENO.")
        for i in range(len(rhs)):
            read: Callable[[], Made] = partial(_read, rhs, sol, bc, i)
            yield f"{file.stem} {i}", read


def _alike(rhs: tuple[int, ...], sol: tuple[int, ...], bc: tuple[int, ...]) -> bool:
    """Whether the shapes are (S, n², 4), (S, n², 1) and (S, 4n, 4), as `read_cells` takes them."""
    n = isqrt(rhs[1]) if len(rhs) == 3 else 0
    return n > 0 and rhs[1:] == (n * n, 4) and sol == (*rhs[:2], 1) and bc == (rhs[0], 4 * n, 4)


def _read(rhs: Floats, sol: Floats, bc: Floats, i: int) -> Solution:
    return to_solution(read_cells(np.asarray(rhs[i]), np.asarray(sol[i]), np.asarray(bc[i])))


IMPORTER = Importer("beno", "BENO's RHS_*.npy, SOL_*.npy and BC_*.npy", lambda source: bool(_files(source)), _samples)
