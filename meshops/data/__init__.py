"""Recipes, generation of data sets, their store, and the data set that operators are trained on."""

from meshops.data.cluster import GenerationError
from meshops.data.dataset import MeshDataset
from meshops.data.distributions import DISTRIBUTIONS
from meshops.data.generation import GenerationStopped, generate
from meshops.data.manifest import SPLITS, StoreError
from meshops.data.manufactured import Manufactured
from meshops.data.normalization import Normalization
from meshops.data.recipe import Recipe, recipes
from meshops.data.store import Store
from meshops.data.symmetries import Symmetry, Turning, turns

__all__ = [
    "DISTRIBUTIONS",
    "SPLITS",
    "GenerationError",
    "GenerationStopped",
    "Manufactured",
    "MeshDataset",
    "Normalization",
    "Recipe",
    "Store",
    "StoreError",
    "Symmetry",
    "Turning",
    "generate",
    "recipes",
    "turns",
]
