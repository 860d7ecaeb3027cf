"""Distributions of numbers and of random fields. A new one is one class and one entry in `DISTRIBUTIONS`.

A distribution is written `{key: what the class reads}`, for example `{uniform: [0, 1]}`; a number or an expression
stands for itself, a list for a vector.
"""

from meshops.data.distributions.base import DISTRIBUTIONS, Distribution, Draw, Place, read_distribution
from meshops.data.distributions.boundary import Harmonics
from meshops.data.distributions.composite import Exponential, Formula, PerRegion, Vector
from meshops.data.distributions.fields import Trigonometric, Waves
from meshops.data.distributions.matern import Matern
from meshops.data.distributions.numbers import Choice, Constant, LogUniform, Normal, Uniform
from meshops.data.distributions.sources import Discs, Gaussians

_NUMBERS = (Constant, Uniform, LogUniform, Normal, Choice)
_FIELDS = (Waves, Trigonometric, Matern, Harmonics, Discs, Gaussians)
_COMPOSITE = (Vector, Formula, Exponential, PerRegion)
DISTRIBUTIONS.update({d.key: d for d in (*_NUMBERS, *_FIELDS, *_COMPOSITE)})

__all__ = ["DISTRIBUTIONS", "Constant", "Distribution", "Draw", "Place", "read_distribution"]
