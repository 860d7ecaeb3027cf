"""The files in a run's folder, and how they are written."""

from meshops.data.manifest import atomic_write

LAST, METRICS = "last.ckpt", "metrics.jsonl"

__all__ = ["LAST", "METRICS", "atomic_write"]
