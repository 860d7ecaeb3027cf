"""Checkpoints: written whole or not at all, read without running anything in them."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from meshops.training.errors import TrainingError
from meshops.training.files import atomic_write

_KEYS = {"run", "done", "state", "state_dict", "optimizer_states"}


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes beside the file and replaces it when whole; Lightning's own goes through another file system's TMPDIR."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: object = None) -> None:
        """Write a checkpoint."""
        with atomic_write(path) as beside:
            torch.save(checkpoint, beside)

    def load_checkpoint(
        self, path: str | Path, map_location: Callable | None = None, weights_only: bool | None = True
    ) -> dict[str, Any]:
        """Read a checkpoint; tensors and plain values only."""
        return read_checkpoint(Path(path))


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Return what `path` holds; raises `TrainingError` where it is missing, damaged or no checkpoint of ours."""
    if not path.is_file():
        raise TrainingError(f"no checkpoint {str(path)!r} to go on from; train without resume.")
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        found = torch.load(path, map_location="cpu", weights_only=True) if damaged is None else None
    except Exception as error:  # the reader of a foreign file raises anything
        raise TrainingError(f"{str(path)!r} cannot be read as a checkpoint: {str(error).splitlines()[0]}") from error
    if not isinstance(found, Mapping) or not set(found) >= _KEYS:
        raise TrainingError(f"{str(path)!r} is damaged or no checkpoint of meshops; train without resume, elsewhere.")
    return dict(found)
