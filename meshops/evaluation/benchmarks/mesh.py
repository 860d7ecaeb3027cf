"""Seconds that a mesh of a million tetrahedra takes: `make bench-mesh`.

Each stage runs on a mesh that has derived nothing yet, three times; the first run, which also pays for fresh memory,
and the best are printed. Points are numbered along the axes, then at random: what a mesher gives lies between.
The edges are compared with torch_geometric's `FaceToEdge` on the same cells in the same process, on one thread each.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from torch_geometric.data import Data
from torch_geometric.transforms import FaceToEdge

from geometries.families.grid import Grid
from geometries.mesh import Mesh

_RUNS = 3
STAGES: dict[str, Callable[[Mesh], object]] = {
    "facets": lambda mesh: mesh.num_facets,
    "boundary (outer sides)": lambda mesh: mesh.outer,
    "adjacency (cells that share a facet)": lambda mesh: mesh.neighbors,
    "volumes": lambda mesh: mesh.measure,
    "normals of the outer sides": lambda mesh: mesh.side_geometry(mesh.outer),
}


def shuffled(mesh: Mesh) -> Mesh:
    """Return the mesh with its points and its cells in random order."""
    rng = np.random.default_rng(0)
    number = rng.permutation(mesh.num_points)
    points = np.empty_like(mesh.points)
    points[number] = mesh.points
    return Mesh(points=points, cells={kind: number[rng.permutation(cells)] for kind, cells in mesh.cells.items()})


def derived(mesh: Mesh) -> dict[str, float]:
    """Return the seconds of birth with its checks, and of each stage on what the ones before it derived."""
    start = time.perf_counter()
    fresh = Mesh(points=mesh.points, cells=mesh.cells)
    fresh.measure  # noqa: B018  checked at birth
    seconds = {"birth and its checks": time.perf_counter() - start}
    for name, stage in STAGES.items():
        start = time.perf_counter()
        stage(fresh)
        seconds[name] = time.perf_counter() - start
    return seconds | {"all of these": sum(seconds.values())}


def edges(mesh: Mesh) -> dict[str, float]:
    """Return the seconds of `Mesh.edges` and of `FaceToEdge`; raises `ValueError` if they find different edges."""
    (cells,) = mesh.cells.values()
    data = Data(face=torch.from_numpy(cells.T.copy()), num_nodes=mesh.num_points)
    fresh = Mesh(points=mesh.points, cells=mesh.cells)
    start = time.perf_counter()
    ours = fresh.edges
    middle = time.perf_counter()
    theirs = FaceToEdge()(data).edge_index
    end = time.perf_counter()
    up = theirs[:, theirs[0] < theirs[1]].numpy().T
    if not np.array_equal(ours, up):
        raise ValueError(f"{len(ours)} edges here and {len(up)} by FaceToEdge; expected the same ones.")
    return {"Mesh.edges": middle - start, "FaceToEdge": end - middle, "times faster": (end - middle) / (middle - start)}


def rows(run: Callable[[Mesh], dict[str, float]], mesh: Mesh) -> list[tuple[str, float, float]]:
    """Return (stage, first, best) over some runs; a ratio's best is that of the best times."""
    runs = [run(mesh) for _ in range(_RUNS)]
    best = {name: min(r[name] for r in runs) for name in runs[0]}
    if "times faster" in best:
        best["times faster"] = best["FaceToEdge"] / best["Mesh.edges"]
    return [(name, runs[0][name], best[name]) for name in runs[0]]


def main(shape: tuple[int, ...] = (56, 56, 56), plane: tuple[int, ...] = (708, 708)) -> None:
    """Write the tables for tetrahedra and, of the edges, for as many triangles."""
    torch.set_num_threads(1)
    solid, flat = Grid(shape=shape).mesh(), Grid(shape=plane).mesh()
    for order, change in (("points along the axes", lambda mesh: mesh), ("points at random", shuffled)):
        for part, run in ((solid, derived), (solid, edges), (flat, edges)):
            mesh = change(part)
            lines = [f"{mesh.num_cells:,} {next(iter(mesh.cells))} cells, {order}", f"{'':40}{'first':>10}{'best':>10}"]
            lines += [f"  {name:38}{first:10.3f}{best:10.3f}" for name, first, best in rows(run, mesh)]
            sys.stdout.write("\n".join(lines) + "\n\n")


if __name__ == "__main__":
    main()
