"""gmsh's .geo: a program that draws and meshes a shape. It is run only on request, in a child process."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

from geometries.build import Reading, mesh_from_blocks
from geometries.child import call
from geometries.errors import CadError, ReadError
from geometries.formats.base import Format
from geometries.gmsh_model import extract, session

_NAMED = re.compile(rb'"([^"/\\\r\n]+)"')


def read(
    path: Path, *, size: float | None = None, dim: int | None = None, order: int | None = None, trust: bool = False
) -> Reading:
    """Run a .geo script and return its mesh; its physical groups become regions and boundaries.

    A script can run any command with the user's rights: without `trust` it is refused. It runs on a copy in a private
    folder, beside copies of the files in its own folder that it names. As in gmsh, cells in no group are left out
    where there are groups of that dimension. `size` is the largest edge length.
    Raises `ReadError` without `trust` and for errors in the script, `CadError` where the shape does not mesh.
    """
    if not trust:
        raise ReadError(
            f"{path.name} is a program, which can run any command on this machine: read it with trust=True (--trust) "
            "if you know where it comes from, or have gmsh write a .msh of it."
        )
    values = {"path": str(path), "size": size, "dim": dim, "order": order}
    return mesh_from_blocks(**call("geometries.formats.geo:model", values))


# -- the child's side --------------------------------------------------------------------------------------------------
def model(path: str, size: float | None, dim: int | None, order: int | None) -> dict[str, Any]:
    """Run a script that is trusted and mesh its model; return arguments of `mesh_from_blocks`."""
    script, problems = _copied(Path(path)), []
    with session() as gmsh:
        _run(gmsh.merge, str(script), ReadError(f"{Path(path).name} does not run"), gmsh.logger.get)
        dim = dim or gmsh.model.getDimension()
        if size is not None:
            gmsh.option.setNumber("Mesh.MeshSizeMax", size)
        if not any(len(gmsh.model.mesh.getElements(*e)[1]) for e in gmsh.model.getEntities(dim)):
            _run(gmsh.model.mesh.generate, dim, CadError(f"{Path(path).name} does not mesh"), gmsh.logger.get)
        if order is not None:
            gmsh.model.mesh.setOrder(order)
        groups = gmsh.model.getPhysicalGroups(dim)
        grouped = {(dim, int(e)) for group in groups for e in gmsh.model.getEntitiesForPhysicalGroup(*group)}
        spare = [e for e in gmsh.model.getEntities(dim) if e not in grouped] if grouped else []
        if spare:
            problems.append(f"{len(spare)} parts of dimension {dim} in no physical group: left out")
            gmsh.model.mesh.clear(spare)
        return {**extract(), "dim": dim, "problems": problems}


def _run(function: Any, given: Any, failure: ReadError, log: Any) -> None:  # noqa: ANN401  gmsh has no types
    """Call gmsh, and raise `failure` with its words where it or its log tells of an error."""
    said = ""
    try:
        function(given)
    except Exception as error:  # noqa: BLE001  gmsh raises plain exceptions
        said = str(error) or "gmsh does not say why"
    errors = [line.removeprefix("Error: ") for line in log() if line.startswith("Error")]
    if said or errors:
        raise type(failure)(f"{failure} ({(errors or [said])[0].rstrip('.')}).")


def _copied(path: Path) -> Path:
    """Copy a script, and the files beside it that it and they name, into the current (private) folder."""
    waiting, done = [path.name], set()
    while waiting:
        name = waiting.pop()
        done.add(name)
        content = Path(shutil.copyfile(path.parent / name, name)).read_bytes()
        if name == path.name or name.endswith((".geo", ".geo_unrolled")):
            named = {found.decode("utf-8", "replace") for found in _NAMED.findall(content)}
            waiting += [n for n in named - done - set(waiting) if (path.parent / n).is_file()]
    return Path(path.name).absolute()


FORMAT = Format("geo", (".geo", ".geo_unrolled"), "physical groups; only with trust", read=read, takes=("trust",))
