"""What importers share: a sample of fields on a mesh without an equation, and its graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geometries.errors import MeshopsError
from geometries.mesh import Mesh
from meshops.equations import Solution
from meshops.graph import MeshGraph, Schema, to_graph
from meshops.graph.build import edges_on, point_normals
from meshops.graph.levels import coarsen, directed, level_arrays

Floats = NDArray[np.float64]
IMPORTED = "imported"  # stands for the equation's name


class ImportFailure(MeshopsError):
    """Data of another program cannot be read."""


@dataclass(frozen=True, eq=False)
class Fields:
    """A sample without a case: `inputs` and `outputs` {name: (N, c)} on the points of `mesh`."""

    mesh: Mesh
    inputs: Mapping[str, Floats]
    outputs: Mapping[str, Floats]

    @property
    def schema(self) -> Schema:
        """What the graph's columns are: one for each component."""
        dim = self.mesh.space_dim
        return Schema(
            equation=IMPORTED,
            dim=dim,
            x=_columns(self.inputs),
            boundary_x=(*(f"normal.{axis}" for axis in "xyz"[:dim]), "weight"),
            y=_columns(self.outputs),
        )

    @property
    def graph(self) -> MeshGraph:
        """Its graph: lengths over the mesh's, fields as they are, nothing fixed."""
        mesh, length = self.mesh, self.mesh.length
        pos, mass = (mesh.points - mesh.centroid) / length, mesh.mass / length**mesh.dim
        edge_index = directed(mesh.edges)
        y = _joined(self.outputs, mesh.num_points)
        arrays: dict[str, NDArray[np.generic]] = {"pos": pos, "edge_index": edge_index, "mass": mass, "y": y}
        arrays |= {"x": _joined(self.inputs, mesh.num_points), "theta": np.zeros((1, 0))}
        arrays |= {"fixed": np.zeros(y.shape, bool), "fixed_value": np.zeros(y.shape)} | _boundary(mesh, length)
        return to_graph(arrays | level_arrays(coarsen(pos, mass, edge_index)))


Made = Solution | Fields
Sample = tuple[str, Callable[[], Made]]  # a name to speak of it by, and what reads it


@dataclass(frozen=True)
class Importer:
    """One kind of source: `matches` tells whether a path is of it, `samples` reads it one by one."""

    name: str
    about: str
    matches: Callable[[Path], bool]
    samples: Callable[[Path], Iterator[Sample]]


def load(path: Path) -> NDArray[np.generic]:
    """Return the array of a .npy file, memory-mapped.

    Raises `ImportFailure` for pickled objects, for what is not real numbers, and for damaged files.
    """
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        if "pickle" in str(error).lower() or "object" in str(error).lower():
            raise ImportFailure(f"{path} holds pickled objects: {PICKLE}") from None
        raise ImportFailure(f"{path} is no array in numpy's .npy format ({error}).") from None
    if array.dtype.kind not in "biuf":
        raise ImportFailure(f"{path} is of the type {array.dtype}; expected real numbers.")
    return array


PICKLE = (
    "reading them runs whatever code they contain, so they are refused; "
    "load them where you trust them and save plain arrays by numpy.save, or meshes as .vtu."
)


def _columns(fields: Mapping[str, Floats]) -> tuple[str, ...]:
    sizes = {name: values.shape[1] for name, values in fields.items()}
    return tuple(name if size == 1 else f"{name}.{c}" for name, size in sizes.items() for c in range(size))


def _joined(fields: Mapping[str, Floats], n: int) -> Floats:
    return np.concatenate([np.empty((n, 0)), *fields.values()], axis=1)


def _boundary(mesh: Mesh, length: float) -> dict[str, NDArray[np.generic]]:
    nodes, (normal, weight) = mesh.nodes(mesh.outer), point_normals(mesh, mesh.outer)
    features = np.column_stack([normal, weight / length ** (mesh.dim - 1)])[nodes]
    return {
        "boundary_index": nodes,
        "boundary_x": features,
        "boundary_mass": features[:, -1],
        "boundary_edge_index": edges_on(mesh, mesh.outer),
    }
