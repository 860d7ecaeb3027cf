"""What the families that use gmsh share: a session for one shape, and the mesh of its model with named boundaries."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType, ModuleType
from typing import NamedTuple

from geometries.build import mesh_from_blocks
from geometries.errors import MeshopsError
from geometries.families.base import ShapeError
from geometries.gmsh_model import extract, session
from geometries.mesh import Mesh
from geometries.refine import second_order


class Names(NamedTuple):
    """The tags of the entities that form each boundary (dimension d - 1) and each region (dimension d)."""

    boundaries: Mapping[str, Sequence[int]]
    regions: Mapping[str, Sequence[int]] = MappingProxyType({})


Build = Callable[[ModuleType], Names]
# gmsh's algorithms to try in turn. HXT is quicker in these shapes, and leaves fewer slivers, than Delaunay.
_ALGORITHMS = {2: ("Mesh.Algorithm", (6, 5)), 3: ("Mesh.Algorithm3D", (10, 1))}


@contextmanager
def modelling() -> Iterator[ModuleType]:
    """Yield gmsh with an empty model; its failures become `ShapeError`."""
    with session() as gmsh:
        try:
            yield gmsh
        except MeshopsError:
            raise
        except Exception as error:  # gmsh raises nothing more special
            raise ShapeError(f"gmsh cannot build or mesh this shape ({error}); draw another one.") from error


def mesh_shape(build: Build, *, dim: int, size: float, order: int = 1, around: int = 0) -> Mesh:
    """Mesh what `build` makes of gmsh's empty model, with simplices of edge about `size`.

    Where surfaces are curved, a full circle gets at least `around` edges. Cells of order 2 are straight, so that none
    can be inverted. Raises `ShapeError` if every algorithm fails.
    """
    option, algorithms = _ALGORITHMS[dim]
    failures: list[MeshopsError] = []
    for algorithm in algorithms:
        options = {option: algorithm, "Mesh.MeshSizeMax": size, "Mesh.MeshSizeFromCurvature": around}
        try:
            mesh = _attempt(build, dim, options)
        except MeshopsError as error:
            failures.append(error)
        else:
            return second_order(mesh) if order == 2 else mesh
    raise ShapeError(str(failures[0]))


def _attempt(build: Build, dim: int, options: Mapping[str, float]) -> Mesh:
    with modelling() as gmsh:
        parts = build(gmsh)
        named = ((dim - 1, parts.boundaries), (dim, parts.regions))
        labels = {(d, tag): (name,) for d, sets in named for name, tags in sets.items() for tag in tags}
        for option, value in options.items():
            gmsh.option.setNumber(option, value)
        gmsh.model.mesh.generate(dim)
        return mesh_from_blocks(**extract(lambda *entity: labels.get(entity, ())), dim=dim).mesh
