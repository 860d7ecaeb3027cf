"""One picture of coloured triangles and lines by VTK, off-screen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from meshops.viz.camera import View
from meshops.viz.probe import egl

if TYPE_CHECKING:
    import pyvista

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Strokes:
    """Lines between pairs (n, 2) of points in one colour; those of a higher layer lie over those of a lower one."""

    pairs: Ints
    color: str
    width: float
    opacity: float = 1.0
    layer: int = 1


@dataclass(frozen=True, eq=False)
class Frame:
    """The rectangle to draw: its centre on the view's plane, pixels (width, height), length per pixel."""

    center: tuple[float, float]
    size: tuple[int, int]
    pixel: float


@dataclass(frozen=True, eq=False)
class Drawing:
    """Triangles (T, 3) of points (N, 3), coloured by `colors` (T, 3) bytes or by `values` (T, 3) at their corners.

    `shade` is the share of the light that depends on the angle: 0 shows the colours exactly.
    """

    points: Floats
    triangles: Ints
    colors: Bytes | None = None
    values: Floats | None = None
    colormap: str | None = None
    limits: tuple[float, float] | None = None
    strokes: tuple[Strokes, ...] = ()
    shade: float = 0.0


def render(drawing: Drawing, view: View, frame: Frame, *, samples: int = 2) -> Bytes:
    """Return the (height, width, 3) picture; `samples`² are averaged for each pixel."""
    import pyvista as pv

    size = (frame.size[0] * samples, frame.size[1] * samples)
    with egl():
        plotter = pv.Plotter(off_screen=True, window_size=size, lighting="none")
        try:
            plotter.enable_anti_aliasing("msaa", multi_samples=0)  # colours stay exact; `samples` smooth
            plotter.set_background("white")
            _light(plotter, view)
            _place(plotter, drawing, view, frame)
            _fill(plotter, drawing)
            for strokes in drawing.strokes:
                _stroke(plotter, drawing.points + view.toward * _lift(drawing, strokes), strokes, samples)
            plotter.renderer.ResetCameraClippingRange()
            image = np.asarray(plotter.screenshot(return_img=True))[..., :3]
        finally:
            plotter.close()
    parts = image.reshape(frame.size[1], samples, frame.size[0], samples, 3)
    return np.round(parts.mean((1, 3))).astype(np.uint8)


def _light(plotter: pyvista.Plotter, view: View) -> None:
    """Put a light over the viewer's shoulder; from below where the view is from below, so that nothing is dark."""
    import pyvista as pv

    height = 0.35 * float(np.clip(2 * view.toward[2], -1, 1))
    plotter.add_light(pv.Light(light_type="camera light", position=(0.2, height, 1.0), intensity=1.0))


def _place(plotter: pyvista.Plotter, drawing: Drawing, view: View, frame: Frame) -> None:
    depth = view.project(drawing.points)[:, 2]
    middle = frame.center[0] * view.right + frame.center[1] * view.top + depth.mean() * view.toward
    away = float(np.linalg.norm(np.ptp(drawing.points, axis=0))) * 2 or 1.0
    camera = plotter.camera
    camera.parallel_projection = True
    camera.focal_point = tuple(middle)
    camera.position = tuple(middle + away * view.toward)
    camera.up = tuple(view.top)
    camera.parallel_scale = frame.size[1] * frame.pixel / 2


def _lift(drawing: Drawing, strokes: Strokes) -> float:
    """Lines are moved towards the viewer, which a parallel view does not show, so that they lie on the surface."""
    return 2e-3 * strokes.layer * float(np.linalg.norm(np.ptp(drawing.points, axis=0)))


def _fill(plotter: pyvista.Plotter, drawing: Drawing) -> None:
    import pyvista as pv

    if not len(drawing.triangles):
        return
    count = len(drawing.triangles)
    corners = drawing.points[drawing.triangles].reshape(-1, 3)
    soup = pv.PolyData(corners, faces=np.insert(np.arange(3 * count).reshape(-1, 3), 0, 3, 1).ravel())
    # together 1, so that no colour saturates
    light = {"ambient": 1 - drawing.shade, "diffuse": drawing.shade, "specular": 0.0}
    look = {"lighting": drawing.shade > 0, **light}
    if drawing.values is None:
        soup.cell_data["color"] = drawing.colors
        plotter.add_mesh(soup, scalars="color", rgb=True, show_scalar_bar=False, **look)
        return
    soup.point_data["value"] = drawing.values.ravel()
    scale = {"cmap": drawing.colormap, "clim": drawing.limits, "n_colors": 256, "show_scalar_bar": False}
    plotter.add_mesh(soup, scalars="value", **scale, **look)


def _stroke(plotter: pyvista.Plotter, points: Floats, strokes: Strokes, samples: int) -> None:
    import pyvista as pv

    if not len(strokes.pairs) or strokes.opacity <= 0.01:
        return
    wires = pv.PolyData(points, lines=np.insert(strokes.pairs, 0, 2, 1).ravel())
    plotter.add_mesh(
        wires, color=strokes.color, line_width=strokes.width * samples, opacity=strokes.opacity, lighting=False
    )
