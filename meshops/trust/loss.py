"""Losses of training that read no labels: those of `physics` as shares of each sample's own energy.

A loss rebuilds a sample's linear system and its hierarchy from the sample's case when it meets it first, and keeps them
while there is room; then it costs a product with the matrix and one V-cycle a sample and step.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array
from torch import Tensor

from geometries.errors import nearest
from meshops.equations import Case, LinearSystem
from meshops.graph import MeshGraph
from meshops.trust.certificate import energy_norm, near_kernel, provable
from meshops.trust.diffusion import system_of
from meshops.trust.errors import TrustError
from meshops.trust.hierarchy import Hierarchy
from meshops.trust.physics import dual_norm, ritz

Floats = NDArray[np.float64]
CYCLES = 3  # that find a solution's energy, well enough to weigh samples by it
FLOOR = 1e-3  # of a field that varies by its scale over the domain: a constant solution has no energy
ROOM = 2_000_000  # unknowns whose systems are kept, about 1 GB


@dataclass(frozen=True, eq=False)
class Problem:
    """A linear system as losses see it: dimensionless fields (N, C) in, shares of the solution's energy out.

    The unknowns are u = offset + scale v. `energy` is about ‖u‖²_A of the solution, as `energy_norm` counts it, and
    `least` about its Ritz energy: what `CYCLES` V-cycles make of them, no labels.
    """

    system: LinearSystem
    hierarchy: Hierarchy
    offset: float
    scale: float
    energy: float
    least: float

    @classmethod
    def of(cls, case: Case) -> Problem:
        """Assemble a case, and coarsen it.

        Raises `TrustError` where it is not linear, steady and symmetric positive definite in one field, and where
        unknowns are tied.
        """
        require_definite(case)
        system, components = system_of(case), len(case.equation.fields[0].parts(case.mesh.space_dim))
        if system.ties is not None:
            raise TrustError(
                "unknowns are tied (periodic boundaries, oblique rollers), which these losses do not know; train on "
                "labels (--loss labels)."
            )
        hierarchy = Hierarchy.build(system, components=components, mesh=case.mesh)
        offset, scale = case.equation.scaling(case).quantities[case.equation.field]
        values = near_solution(system, hierarchy)
        found = energy_norm(csr_array(system.matrix), near_kernel(system, components), values) ** 2
        unit = scale**2 * system.matrix.trace() * len(system.rhs) ** (-2.0 / case.mesh.dim)
        least = float(ritz(torch.from_numpy(values), system))
        return cls(system, hierarchy, offset, scale, max(found, FLOOR**2 * unit), least)

    def unknowns(self, fields: Tensor) -> Tensor:
        """Return (n,) the unknowns of dimensionless fields (N, C), in float64 on the CPU, as torch differentiates."""
        return self.offset + self.scale * fields.cpu().double().reshape(-1)

    def dual_norm(self, fields: Tensor) -> Tensor:
        """Return (rᵀB r)^½ over the solution's energy norm: about the relative error in the energy norm."""
        square = dual_norm(self.unknowns(fields), self.hierarchy, self.system) / self.energy
        return square.clamp_min(torch.finfo(square.dtype).tiny).sqrt()

    def ritz(self, fields: Tensor) -> Tensor:
        """Return the Ritz energy above its least, twice over the solution's energy: about that error's square."""
        return 2.0 * (ritz(self.unknowns(fields), self.system) - self.least) / self.energy

    def normal_equations(self, fields: Tensor, basis: Tensor) -> tuple[Floats, Floats]:
        """Return G (m, m) and g (m,) with ‖u_h - u - P w‖²_A = ‖u_h - u‖²_A + wᵀG w - 2 gᵀw, as shares of the energy.

        P w is the dimensionless `basis` (N, C, m) times w. The error's energy is the residual's norm in H⁻¹, with A⁻¹
        and not B: G = PᵀA P and g = Pᵀr hold no inverse.
        """
        system = self.system
        given = self.scale * basis.detach().cpu().double().flatten(0, 1).numpy()
        columns = np.where(system.fixed[:, None], 0.0, given)
        values = np.where(system.fixed, system.fixed_value, self.unknowns(fields.detach()).numpy())
        residual = system.rhs - system.matrix @ values
        return columns.T @ (system.matrix @ columns) / self.energy, columns.T @ residual / self.energy


def require_definite(case: Case) -> None:
    """Raise `TrustError` where these losses do not hold."""
    if not provable(case):
        raise TrustError(
            f"{case.equation.name} is here no linear, steady, symmetric positive definite problem in one field, so it "
            "has no such energy; train on labels (--loss labels)."
        )


def near_solution(system: LinearSystem, hierarchy: Hierarchy) -> Floats:
    """Return (n,) what `CYCLES` V-cycles make of 0 with the fixed values imposed."""
    values = np.where(system.fixed, system.fixed_value, 0.0)
    for _ in range(CYCLES):
        residual = np.where(system.fixed, 0.0, system.rhs - system.matrix @ values)
        values = values + hierarchy.cycle(residual)
    return values


LOSSES: dict[str, Callable[[Problem, Tensor], Tensor]] = {"dual-norm": Problem.dual_norm, "ritz": Problem.ritz}


@dataclass(frozen=True, eq=False)
class PhysicsLoss:
    """One of `LOSSES` for training: `cases` gives the case of a sample by its number, the graph's `sample`.

    Raises `TrustError` for an unknown name, and as `Problem.of` for a sample that has no such loss.
    """

    name: str
    cases: Callable[[int], Case]
    labels: ClassVar[bool] = False
    _kept: OrderedDict[int, Problem] = field(default_factory=OrderedDict)

    def __post_init__(self) -> None:
        """Check the name."""
        if self.name not in LOSSES:
            raise TrustError(f"no loss is called {self.name!r}; {nearest(self.name, LOSSES)}")

    def __call__(self, prediction: Tensor, graph: MeshGraph, undo: Callable[[Tensor], Tensor]) -> Tensor:
        """Return (B,) the loss of each graph of a batch; `undo` makes a prediction dimensionless."""
        counts = torch.bincount(graph.graph_of_node, minlength=graph.size).tolist()
        parts = undo(prediction).split(counts)
        loss = LOSSES[self.name]
        found = [loss(self.problem(i), part) for i, part in zip(graph.sample.tolist(), parts, strict=True)]
        return torch.stack(found).to(graph.mass)

    def problem(self, sample: int) -> Problem:
        """Return the problem of a sample, built now or before."""
        if sample not in self._kept:
            self._kept[sample] = Problem.of(self.cases(sample))
            while sum(len(p.system.rhs) for p in self._kept.values()) > ROOM and len(self._kept) > 1:
                self._kept.popitem(last=False)
        self._kept.move_to_end(sample)
        return self._kept[sample]
