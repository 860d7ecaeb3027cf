"""Mesh files that gmsh reads and writes, in a child process."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

from geometries.build import Reading, mesh_from_blocks
from geometries.child import call
from geometries.errors import ReadError
from geometries.formats.base import unread
from geometries.gmsh_model import extract, session

_SHAPES = {
    "triangle": "Triangles", "quad": "Quadrangles", "tetra": "Tetrahedra", "hexahedron": "Hexahedra",
    "wedge": "Prisms", "pyramid": "Pyramids",
}  # fmt: skip


def read(path: Path, extension: str, *, dim: int | None = None) -> Reading:
    """Return the mesh in a file that gmsh takes for one of `extension`; physical groups become named sets.

    gmsh runs as a script what it does not recognise: check the first bytes before.
    """
    found = call("geometries.formats._by_gmsh:model", {"path": str(path), "extension": extension})
    return mesh_from_blocks(**found, dim=dim)


def model(path: str, extension: str) -> dict[str, Any]:
    """Read a mesh file by gmsh: the child's side of `read`."""
    # Alone in the private folder: gmsh runs the options beside a mesh.
    alone = shutil.copyfile(path, Path("mesh" + extension).absolute())
    with session() as gmsh:
        said = ""
        try:
            gmsh.merge(str(alone))
        except Exception as error:  # noqa: BLE001  gmsh raises plain exceptions
            said = str(error) or "gmsh cannot read it"
        errors = [line.removeprefix("Error: ") for line in gmsh.logger.get() if line.startswith("Error")]
        if said or errors:
            reason = (errors or [said])[0].rstrip(".").replace(str(alone), Path(path).name)
            raise ReadError(f"{Path(path).name} is damaged or beyond gmsh: {reason}.")
        found = extract()
        _check_whole(gmsh, found["blocks"], Path(path).name)
        groups = [gmsh.model.getPhysicalName(*group) or str(group[1]) for group in gmsh.model.getPhysicalGroups()]
        for block in found["blocks"]:
            block["names"] = {name: block["names"][name] for name in groups if name in block["names"]}
        fields = [gmsh.view.option.getString(view, "Name") for view in gmsh.view.getTags()]
        return {**found, "problems": unread(fields)}


def _check_whole(gmsh: ModuleType, blocks: list[dict[str, Any]], name: str) -> None:
    """Raise `ReadError` where gmsh gives fewer elements of a shape than it holds, as it does of mixed orders."""
    for shape, title in _SHAPES.items():
        got = sum(len(block["nodes"]) for block in blocks if block["kind"].startswith(shape))
        held = int(gmsh.option.getNumber(f"Mesh.Nb{title}"))
        if got != held:
            raise ReadError(
                f"{name} mixes types of {title.lower()} in one entity, of which gmsh gives {got} of {held}."
            )


def convert(path: str, to: str) -> dict[str, Any]:
    """Write a .msh of ours as gmsh writes the extension of `to`, cells without a group too; return the size."""
    written = Path("mesh").with_suffix(Path(to).suffix).absolute()  # its stem is the mesh's name in some formats
    with session() as gmsh:
        gmsh.merge(path)
        gmsh.option.setNumber("Mesh.SaveAll", 1)
        gmsh.write(str(written))
    shutil.copyfile(written, to)
    return {"bytes": written.stat().st_size}
