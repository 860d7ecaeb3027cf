"""What can go wrong when a field is judged or polished."""

from __future__ import annotations

from geometries.errors import MeshopsError


class TrustError(MeshopsError):
    """A field cannot be judged, polished or calibrated as asked."""
