"""Random functions of arclength along the boundary of a 2-D mesh."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components, depth_first_order

from geometries.errors import SpecError
from geometries.mesh import Mesh
from meshops.data.distributions.base import Distribution, Named, Place, number_of, under
from meshops.data.distributions.numbers import ZERO, Constant

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_CUTOFF = Constant(8.0)
_MOST = 512  # harmonics
_95 = 1.386  # erf(1.386) = 0.95


@dataclass(frozen=True)
class Harmonics(Named):
    """Random harmonics in arclength on each closed loop of a 2-D mesh's outline.

    g(s) = `mean` + Σ_m σ_m (a_m cos 2πms + b_m sin 2πms), s from 0 to 1 around the loop, a and b independent and
    normal. σ is `spectrum`, from harmonic 0 on, where it is given; else σ_m² falls as exp(-(1.386 m/c)²), which leaves
    5 % of the energy above harmonic c = `cutoff`. With `zeros` = 2k the sum is multiplied by sin 2πk(s - s₀), s₀ at
    random, so that it vanishes at 2k equispaced points. Scaled to a largest absolute value of `amplitude` on the place.
    As in the data of BENO (arXiv 2401.09323), measured there.
    """

    key: ClassVar[str] = "harmonics"
    plain: ClassVar[tuple[str, ...]] = ("spectrum",)
    amplitude: Distribution
    cutoff: Distribution = _CUTOFF
    zeros: Distribution = ZERO
    mean: Distribution = ZERO
    spectrum: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Check the parameters."""
        super().__post_init__()
        with under("spectrum"):
            if not isinstance(self.spectrum, tuple | list) or len(self.spectrum) > _MOST:
                raise SpecError(f"found {self.spectrum!r}; expected a list of at most {_MOST} standard deviations.")
            object.__setattr__(self, "spectrum", tuple(number_of(v) for v in self.spectrum))

    def draw(self, rng: np.random.Generator, place: Place) -> Floats:
        """Draw a function of arclength on each loop."""
        amplitude, cutoff, zeros, mean = self.numbers(rng, place)
        loops, along = arclength(place.mesh)
        loop, along = loops[place.nodes], along[place.nodes]
        if place.mesh.space_dim != 2 or (loop < 0).any():
            raise SpecError("harmonics are for outer boundaries of 2-D meshes; use matern for other places.")
        deviations = self._deviations(cutoff)
        weights = rng.normal(size=(loops.max() + 1, 2, len(deviations)))[loop] * deviations
        angles = 2 * np.pi * along[:, None] * np.arange(len(deviations))
        values = (weights[:, 0] * np.cos(angles) + weights[:, 1] * np.sin(angles)).sum(1)
        if zeros:
            values *= np.sin(np.pi * zeros * (along - rng.uniform(size=loops.max() + 1)[loop]))
        return mean + amplitude * values / np.abs(values).max()

    def _deviations(self, cutoff: float) -> Floats:
        if self.spectrum:
            return np.asarray(self.spectrum)
        if not 0 < cutoff <= _MOST / 2:
            raise SpecError(f"a cutoff of {cutoff:g}; expected a number above 0, up to {_MOST // 2}.")
        return np.exp(-0.5 * (_95 * np.arange(np.ceil(2 * cutoff) + 1) / cutoff) ** 2)


@lru_cache(maxsize=4)
def arclength(mesh: Mesh) -> tuple[Ints, Floats]:
    """Return (N,) the loop of the outline that each point of a 2-D mesh is on, -1 inside, and its share of arclength.

    Loops are numbered by their lowest points, where arclength starts; it runs with the body on the left.
    """
    n = mesh.num_points
    steps = [points[:, [0, *range(2, points.shape[1]), 1]] for _, _, points in mesh.facets(mesh.outer)]
    pairs = np.concatenate([np.stack([s[:, :-1], s[:, 1:]], axis=-1).reshape(-1, 2) for s in steps])
    graph = csr_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    _, component = connected_components(graph, directed=False)
    loops, along = np.full(n, -1), np.zeros(n)
    starts = np.unique(component[np.unique(pairs)], return_index=True)[1]
    for number, start in enumerate(np.sort(np.unique(pairs)[starts])):
        order = depth_first_order(graph, start, return_predecessors=False)
        ends = mesh.points[np.append(order, start)]
        length = np.cumsum(np.linalg.norm(np.diff(ends, axis=0), axis=1))
        loops[order], along[order[1:]] = number, length[:-1] / length[-1]
    return loops, along
