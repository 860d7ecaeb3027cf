"""The graph of a case, its coarser levels, and reductions over its edges."""

from geometries.errors import MeshopsError, nearest
from meshops.equations import Case, Solution  # the types that a graph is built from, for the units above
from meshops.graph.build import build_graph, targets, to_graph, untargeted, with_essential
from meshops.graph.lifting import harmonic_extension, lift
from meshops.graph.mesh_graph import Level, MeshGraph, coarse_batch
from meshops.graph.pyg import from_pyg, to_pyg
from meshops.graph.schema import Schema, SchemaError, schema_of
from meshops.graph.segments import gather, segment_max, segment_mean, segment_sum

__all__ = [
    "Case",
    "Level",
    "MeshGraph",
    "MeshopsError",
    "Schema",
    "SchemaError",
    "Solution",
    "build_graph",
    "coarse_batch",
    "from_pyg",
    "gather",
    "harmonic_extension",
    "lift",
    "nearest",
    "schema_of",
    "segment_max",
    "segment_mean",
    "segment_sum",
    "targets",
    "to_graph",
    "to_pyg",
    "untargeted",
    "with_essential",
]
