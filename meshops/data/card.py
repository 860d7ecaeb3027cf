"""The card of a data set: `README.md` beside its shards, written from what is in them."""

from __future__ import annotations

from collections import Counter

import numpy as np

from geometries import yaml_file
from geometries.files import atomic_write
from meshops.data.dataset import MeshDataset
from meshops.equations import EQUATIONS

NAME = "README.md"
PICTURE = "samples.png"
_LOOK = 64  # samples that sizes and ranges are taken from
_REASONS = 5


def write_card(dataset: MeshDataset) -> None:
    """Write the card; it depends on nothing but the data set, and on whether a picture lies beside it."""
    with atomic_write(dataset.folder / NAME) as path:
        path.write_text(card(dataset), encoding="utf-8")


def card(dataset: MeshDataset) -> str:
    """Return the card as Markdown."""
    picture = f"![A few samples]({PICTURE})\n\n" if (dataset.folder / PICTURE).is_file() else ""
    cases = "  # .case(0) and .solution(0): what it was made of" if _has_cases(dataset) else ""
    return (
        f"# A data set of meshops\n\n{picture}{_origin(dataset)}"
        f"{_splits(dataset)}\n{_sizes(dataset)}\n{_failures(dataset)}"
        "## Reading it\n\n```python\nimport meshops as mo\n\n"
        'samples = mo.MeshDataset.open(".")  # this folder\n'
        f'graph = samples.split("train")[0]{cases}\n'
        "```\n\n`meshops check` compares every shard with its checksum, `meshops export` writes a sample as .vtu.\n"
    )


def _origin(dataset: MeshDataset) -> str:
    """Return what the samples are, and where they come from."""
    manifest = dataset.store.manifest
    what = f"solved cases of the equation `{manifest.schema.equation}`" if _has_cases(dataset) else "samples of fields"
    first = f"{len(dataset)} {what} in {manifest.schema.dim}-D, on {_shapes(dataset)} shapes, "
    if "imported" in manifest.recipe:
        return f"{first}imported from `{manifest.recipe['imported']}`.\n\n"
    return (
        f"{first}made by meshops from this recipe with seed {manifest.seed}:\n\n"
        f"```yaml\n{yaml_file.dump(manifest.recipe)}```\n\n"
        f"The same recipe, count ({manifest.count}) and seed give the same bytes again.\n\n"
    )


def _has_cases(dataset: MeshDataset) -> bool:
    """Whether the samples are of an equation; most imported ones are of none."""
    return dataset.schema.equation in EQUATIONS


def _shapes(dataset: MeshDataset) -> int:
    return len({r.geometry for r in dataset.store.manifest.samples if not r.failed})


def _splits(dataset: MeshDataset) -> str:
    rows = [f"| {name} | {len(dataset.split(name))} |" for name in dataset.store.manifest.splits]
    return "\n".join(["## Splits\n", "| split | samples |", "| --- | ---: |", *rows, ""])


def _sizes(dataset: MeshDataset) -> str:
    looked = (
        [dataset[i] for i in np.unique(np.linspace(0, len(dataset) - 1, _LOOK).astype(int))] if len(dataset) else []
    )
    if not looked:
        return ""
    points = [g.pos.shape[0] for g in looked]
    rows = [f"| points | {min(points)} | {int(np.median(points))} | {max(points)} |"]
    for column, name in enumerate(dataset.schema.y):
        means = [float(g.y[:, column].std()) for g in looked]
        rows.append(f"| spread of `{name}` | {min(means):.3g} | {np.median(means):.3g} | {max(means):.3g} |")
    scaled = "dimensionless" if _has_cases(dataset) else "as they were imported"
    head = ["## Sizes\n", f"Of {len(looked)} samples; fields are {scaled}.\n", "| | least | median | most |"]
    return "\n".join([*head, "| --- | ---: | ---: | ---: |", *rows, ""])


def _failures(dataset: MeshDataset) -> str:
    parts = []
    for title, found in (("could not be made", dataset.failed), ("needed a finer mesh", dataset.retried)):
        if found:
            reasons = Counter(found.values()).most_common(_REASONS)
            parts.append(f"{len(found)} samples {title}:\n\n" + "".join(f"- {n} × {reason}\n" for reason, n in reasons))
    return "## What failed\n\n" + "\n".join(parts) + "\n" if parts else ""
