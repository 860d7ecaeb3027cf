"""The Fourier type of attention without softmax."""

from __future__ import annotations

from typing import ClassVar

from meshops.operators.galerkin import Galerkin


class Fourier(Galerkin):
    """Attention without softmax: an integral whose kernel is the product of normalized queries and keys.

        h_i = MLP(x_i, features of i)
        h ← h + attention(h);  h ← h + MLP(h), `layers` times
        attention: z_i = Σ_j w_j (q_i · k_j) v_j,  w_j = m_j / Σ m,  q and k normalized in each head
        u_i = MLP(h_i)

    `galerkin` but for what is normalized. The paper evaluates (Q Kᵀ) V / n in O(N²); here the same product is
    associated as Q (Kᵀ W V), with the mean by mass: linear in memory and time. (`fno` is the Fourier neural operator.)
    """

    name: ClassVar[str] = "fourier"
    normalized: ClassVar[tuple[str, str]] = ("query", "key")
