"""CAD or mesh file in, field out: by finite elements, or by an operator trained on the part's siblings.

Names are imported when they are first used, so that `import meshops` and `meshops --help` are quick.
"""

from __future__ import annotations

import importlib

_HOMES = {
    "geometries": ("Dirichlet", "Expression", "Mesh", "MeshopsError", "Neumann", "Robin", "read", "select", "write"),
    "meshops.data": ("MeshDataset", "Recipe", "generate", "recipes"),
    "meshops.equations": ("Case", "Equation", "Heat", "Solution", "solve"),
    "meshops.evaluation": ("evaluate", "relative_l2"),
    "meshops.graph": ("MeshGraph", "Schema", "build_graph"),
    "meshops.operators": ("OPERATORS", "Operator"),
    "meshops.training": ("Settings", "Surrogate", "train"),
    "meshops.viz": ("html", "screenshot", "show"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> object:
    """Import `name` from its home."""
    if name not in _HOME:
        raise AttributeError(f"module 'meshops' has no attribute {name!r}; it has {__all__}")
    return getattr(importlib.import_module(_HOME[name]), name)
