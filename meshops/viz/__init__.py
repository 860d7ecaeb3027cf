"""Pictures of meshes and fields: a scene says what to show, `screenshot` and `html` write it."""

from meshops.viz.export import PAGES, PICTURES, html, interact, screenshot
from meshops.viz.probe import VizError, probe
from meshops.viz.scenes import (
    Group,
    Panel,
    Scene,
    boundaries_scene,
    comparison_scene,
    field_scene,
    mesh_scene,
    regions_scene,
    show,
)

__all__ = [
    "PAGES",
    "PICTURES",
    "Group",
    "Panel",
    "Scene",
    "VizError",
    "boundaries_scene",
    "comparison_scene",
    "field_scene",
    "html",
    "interact",
    "mesh_scene",
    "probe",
    "regions_scene",
    "screenshot",
    "show",
]
