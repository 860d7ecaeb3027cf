"""Scenes written to files: pictures, and pages that a browser opens on its own."""

from __future__ import annotations

import base64
import html as _html
import json
import os
import sys
import tempfile
import webbrowser
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geometries.files import atomic_write
from meshops.viz.camera import is_flat, views
from meshops.viz.colors import UNNAMED, lookup
from meshops.viz.page import caption, compose
from meshops.viz.paint import PAPER, PLAIN, Painted, on_points, paint
from meshops.viz.probe import VizError, require
from meshops.viz.scenes import Panel, Scene

PAGES = (".html", ".htm")
PICTURES = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg"}
_SMALLEST, _LARGEST = 200, 8000


def screenshot(scene: Scene, path: str | Path, *, size: tuple[int, int] = (1600, 1000)) -> None:
    """Write the scene as a picture of `size` pixels, .png or .jpg; an existing file is replaced when it is whole.

    Raises `VizError` for another extension, an unreasonable size, and where this machine cannot draw.
    """
    kind = PICTURES.get(Path(path).suffix.lower())
    if kind is None:
        raise VizError(f"cannot write a picture {Path(path).name!r}; expected {', '.join(PICTURES)}.")
    if not all(_SMALLEST <= s <= _LARGEST for s in size):
        raise VizError(f"picture size is {size}; expected {_SMALLEST} to {_LARGEST} pixels each way.")
    require()
    figure = compose(scene, size)
    with atomic_write(path) as beside:
        figure.savefig(beside, format=kind)


def html(scene: Scene, path: str | Path) -> None:
    """Write the scene as one HTML file with everything in it: turn, zoom, names and values under the pointer.

    It needs a browser with WebGL 2 and no network; writing it needs no graphics.

    Raises `VizError` for another extension than .html or .htm, and for fields on a 1-D mesh.
    """
    if Path(path).suffix.lower() not in PAGES:
        raise VizError(f"cannot write a page {Path(path).name!r}; expected {', '.join(PAGES)}.")
    if scene.mesh.dim == 1 and scene.panels:
        raise VizError("a page shows no fields on 1-D meshes; write a picture.")
    head, tail = Path(__file__).with_name("viewer.html").read_text(encoding="utf-8").split("{{data}}")
    # "<" never closes the script element that holds the data
    data = json.dumps(_content(paint(scene)), allow_nan=False).replace("<", "\\u003c")
    title = _html.escape(scene.title or "mesh")
    with atomic_write(path) as beside:
        beside.write_text(head.replace("{{title}}", title) + data + tail, encoding="utf-8")


def interact(scene: Scene) -> Path:
    """Open the scene in the user's browser, as a page in the folder for temporary files; return its path.

    Raises `VizError` where there is no screen or no browser.
    """
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise VizError("there is no screen to show a scene on; write a picture or a page instead.")
    path = Path(tempfile.mkdtemp(prefix="meshops-")) / "view.html"
    html(scene, path)
    if not webbrowser.open(path.as_uri()):
        raise VizError(f"no browser opens; open {str(path)!r} yourself.")
    return path


def _content(painted: Painted) -> dict[str, object]:
    scene, drawn = painted.scene, painted.surface
    middle = (drawn.points.min(0) + drawn.points.max(0)) / 2
    bare = UNNAMED if painted.on_facets else PAPER if scene.groups else PLAIN
    return {
        "title": scene.title,
        "caption": caption(scene.mesh),
        "flat": is_flat(scene.mesh),
        "toward": views(scene.mesh)[0].toward.tolist(),
        "center": middle.tolist(),
        "points": _pack(drawn.points - middle, np.float32),
        "triangles": _pack(drawn.triangles, np.uint32),
        "edges": _pack(painted.outline, np.uint32),
        "sharp": _pack(painted.sharp, np.uint32),
        "group": _pack(painted.group[drawn.facet] + 1, np.uint32),
        "bare": bare,
        "shade": painted.shade(field=bool(scene.panels)),
        "groups": [{"name": g.name, "color": g.color, "seen": i in painted.shown} for i, g in enumerate(scene.groups)],
        "strokes": [
            {"pairs": _pack(pairs, np.uint32), "group": _pack(owner + 1, np.uint32), "width": width}
            for pairs, owner, width in painted.named_lines()
        ],
        "maps": {p.colormap: _pack(lookup(p.colormap), np.uint8) for p in scene.panels},
        "panels": [_panel(painted, p) for p in scene.panels],
    }


def _panel(painted: Painted, panel: Panel) -> dict[str, object]:
    points = on_points(painted.scene.mesh, panel)
    values = panel.values if points else panel.values[painted.surface.cell]
    return {
        "title": panel.title,
        "label": panel.label,
        "note": panel.note,
        "limits": list(panel.limits),
        "map": panel.colormap,
        "on": "points" if points else "triangles",
        # relative to the lower limit: small differences of large numbers survive in 32 bits
        "values": _pack(values - panel.limits[0], np.float32),
    }


def _pack(array: NDArray[np.generic], kind: type[np.generic]) -> str:
    little = np.dtype(kind).newbyteorder("<")
    return base64.b64encode(np.ascontiguousarray(array, dtype=little).tobytes()).decode()
