"""Metrics, baselines and the tables that compare operators with them."""

from meshops.evaluation.baselines import BASELINES, Baseline, fit_baselines
from meshops.evaluation.evaluate import Evaluation, baseline_errors, error_of, evaluate
from meshops.evaluation.metrics import norm, relative_l2

__all__ = [
    "BASELINES", "Baseline", "Evaluation", "baseline_errors", "error_of", "evaluate", "fit_baselines", "norm",
    "relative_l2",
]  # fmt: skip
