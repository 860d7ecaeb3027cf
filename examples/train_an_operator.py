"""Generate a small data set, train a small operator on it, and compare it with what needs no learning."""

import meshops as mo


def main() -> tuple[float, float]:
    """Return the relative L2 error of the operator and of the mean field, on unseen shapes."""
    recipe = mo.Recipe.from_spec(
        {
            "family": {"corners": {"cells": 16, "cuts": [1, 4], "sides": [2, 6]}},
            "equation": "heat",
            "conditions": {"outer": {"dirichlet": {"waves": {"amplitude": 1, "frequency": 1}}}},
        }
    )
    samples = mo.generate(recipe, "corners", count=160, workers=2)
    train, validation, test = (samples.split(name) for name in ("train", "validation", "test"))
    surrogate = mo.train(
        list(train),
        list(validation),
        schema=samples.schema,
        folder="run",
        settings=mo.Settings(epochs=8, batch_size=8, learning_rate=5e-3, progress=False),
        options={"width": 32, "cycles": 1},
    )
    result = mo.evaluate(surrogate, test, train)
    mean = sum(result.baselines["mean field"]) / len(test)
    print(f"relative L2: {result.relative_l2:.3f}, mean field {mean:.3f}")
    return result.relative_l2, mean


if __name__ == "__main__":
    ours, mean = main()
    assert ours < 0.5 * mean
