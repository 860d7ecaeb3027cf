"""The commands about data sets that are already there; see `meshops.commands`."""

from __future__ import annotations

from pathlib import Path

import geometries
from meshops import console


def check(data: Path) -> None:
    """Compare every shard of a data set with its checksum.

    Example: meshops check data/brackets

    Args:
        data: Folder of the data set.
    """
    from meshops.data import MeshDataset

    samples = MeshDataset.open(data)
    with console.working(f"checking {data}"):
        samples.check()
    rows = [(name, len(samples.split(name))) for name in samples.store.manifest.splits]
    console.table(f"{data}: whole", ("split", "samples"), [*rows, ("failed", len(samples.failed))])


def export(data: Path, number: int, *, output: Path) -> None:
    """Write one sample of a data set, its mesh, names and fields, to a mesh file.

    Example: meshops export data/brackets 17 -o sample17.vtu

    Args:
        data: Folder of the data set.
        number: Number of the sample, from 0.
        output: Mesh file to write, .vtu (or .vtk, .xdmf).
    """
    from geometries.files import check_target
    from geometries.formats import writable
    from meshops.data import Store

    check_target(output, writable(fields=True))
    Store.open(data).export(number, output)
    mesh = geometries.read(output)
    console.say(f"wrote {output}: {', '.join(mesh.point_data)} on {mesh.num_points} points")


def import_(source: Path, *, output: Path, kind: str = "") -> None:
    """Turn data of another program into a data set: folders of VTU or VTP files, BENO's arrays, .npy arrays, PLAID.

    Example: meshops import simulations/ -o data/simulations

    Args:
        source: Folder or file to read.
        output: Folder of the data set to write.
        kind: What the source is, such as vtk, beno, npy or plaid; found out by default.
    """
    from meshops.data.imports import import_data

    with console.progress("samples") as update:
        samples = import_data(source, output, kind=kind, progress=update)
    console.say(f"wrote {output}: {len(samples)} samples, {len(samples.failed)} left out")


import_.__name__ = "import"
