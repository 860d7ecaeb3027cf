"""A mesh with nothing named but what is to be shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fnmatch import fnmatchcase

import numpy as np

from geometries.errors import SelectionError, nearest
from geometries.mesh import Mesh, Selector

FIELD = "selected"


def only(mesh: Mesh, selectors: Mapping[str, Selector], patterns: str | None) -> tuple[Mesh, str | None]:
    """Return `mesh` with the selected boundaries and those whose names match alone, and the field to show.

    `patterns` are separated by commas. Where they match no boundary but regions, such as the faces of a part that is
    meshed in two dimensions, these cells are 1 in the cell field "selected". Raises `SelectionError` for a pattern
    without a match, and where nothing is selected.
    """
    for name, selector in selectors.items():
        mesh = mesh.with_boundary(name, selector)
    wanted = [p.strip() for p in (patterns or "").split(",") if p.strip()]
    known = [*mesh.boundaries, *mesh.regions]
    for pattern in wanted:
        if not _matching(dict.fromkeys(known), [pattern]):
            raise SelectionError(
                f"no boundary and no region has a name that matches {pattern!r}; {nearest(pattern, known)}"
            )
    sides, cells = (_matching(names, wanted) for names in (mesh.boundaries, mesh.regions))
    shown = {name: found for name, found in mesh.boundaries.items() if name in selectors or name in sides}
    bare = replace(mesh, boundaries=shown, point_data={}, cell_data={})
    if shown:
        return bare, None
    if not cells:
        raise SelectionError("nothing is selected: the case file names no `boundaries`, and no pattern is given.")
    values = np.zeros(mesh.num_cells)
    values[np.concatenate([mesh.regions[name] for name in cells])] = 1.0
    return replace(bare, cell_data={FIELD: values}), FIELD


def _matching(names: Mapping[str, object], patterns: list[str]) -> list[str]:
    return [name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns)]
