"""Laws of writing: a file is whole or as it was."""

import os

import pytest

from geometries.errors import WriteError
from geometries.files import atomic_write


def test_a_failed_write_damages_nothing(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    path.chmod(0o640)
    with pytest.raises(WriteError, match="No space"), atomic_write(path) as temporary:
        temporary.write_text("half")
        raise OSError(28, "No space left on device")
    with pytest.raises(ValueError, match="mine"), atomic_write(path) as temporary:
        raise ValueError("mine")
    assert path.read_text() == "old" and len(list(tmp_path.iterdir())) == 1
    with atomic_write(path) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "new" and path.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(("folder", "file"), [(0o755, 0o644), (0o700, 0o600)])
def test_who_reads_the_folder_reads_a_new_file(tmp_path, folder, file):
    tmp_path.chmod(folder)
    with atomic_write(tmp_path / "a.txt") as beside:
        beside.touch(0o600)
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == file
    assert len(os.listdir(tmp_path)) == 1  # noqa: PTH208
