"""A mesh to a file and back, in a process that answers many calls: the child's side of test_round_trips."""

from pathlib import Path
from types import MappingProxyType

import numpy as np

import geometries as geo
from geometries.errors import WriteError
from geometries.formats import inspect, msh
from tests.geometries.damage import calls_stay_here

BACK = f"{__name__}:back"


def parts(mesh: geo.Mesh) -> dict:
    """Return the arrays of a mesh."""
    return {k: dict(v) if isinstance(v, MappingProxyType) else v for k, v in vars(mesh).items() if k in PARTS}


PARTS = ("points", "cells", "regions", "boundaries")


def back(path: str, given: dict) -> dict:
    """Write a mesh to the file `path` and read it; return what came back, or the refusal to write it."""
    calls_stay_here()
    mesh = geo.Mesh(**{k: _whole(v) if isinstance(v, dict) else v for k, v in given.items()})
    for old in Path().glob("a*"):
        old.unlink()
    try:
        if path.endswith("2.2.msh"):
            msh.write(mesh, path, version="2.2")
        else:
            geo.write(mesh, path)
    except WriteError as error:
        return {"refused": str(error), "left": [p.name for p in Path().glob("a*")]}
    reading = inspect(path)
    return {"mesh": parts(reading.mesh), "problems": list(reading.problems)}


def _whole(sets: dict) -> dict:
    return {name: np.asarray(values) for name, values in sets.items()}
