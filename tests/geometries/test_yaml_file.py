"""YAML files: what is written is read back; whatever is not plain data is refused with its line."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from geometries.errors import ReadError, SelectionError, SpecError, WriteError
from geometries.yaml_file import LARGEST, YamlFile, dump, load

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)
NUMBERS_AS_TEXT = st.sampled_from(
    ["1e4", "-.5E3", "on", "3", "~", "*", "&a", "!x", "1:30", "2020-01-01", "<<", "=", "a: b"]
)
SCALARS = st.none() | st.booleans() | st.integers(-(2**62), 2**62) | st.floats(allow_nan=False, allow_infinity=False)
PLAIN = st.recursive(
    SCALARS | TEXT | NUMBERS_AS_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT | NUMBERS_AS_TEXT, inner, max_size=4),
    max_leaves=12,
)


def written(folder: Path, text: str | bytes) -> Path:
    file = folder / "case.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


@given(data=st.dictionaries(TEXT | NUMBERS_AS_TEXT, PLAIN, min_size=1, max_size=4))
def test_what_is_dumped_is_loaded(tmp_path_factory: pytest.TempPathFactory, data: dict) -> None:
    text = dump(data)
    assert load(written(tmp_path_factory.getbasetemp(), text)) == data
    assert dump(data) == text


@given(text=st.text(alphabet="ab01:-,[]{}&*!'\"#|>%@ \n\t.e", max_size=60))
def test_any_text_is_read_as_pyyaml_does_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    try:
        found = load(written(tmp_path_factory.getbasetemp(), text))
    except ReadError as error:
        assert "\n" not in str(error)
        return
    try:
        expected = yaml.safe_load(text)
    except yaml.YAMLError:  # PyYAML's two parsers differ on some texts
        return
    assert len(found) == len(expected)


def test_keys_are_texts_and_exponents_numbers(tmp_path: Path) -> None:
    file = written(tmp_path, "3: 1e-3\non: [1, 2.5, yes, ~, 2020-01-01, '7']\n")
    assert load(file) == {"3": 1e-3, "on": [1, 2.5, True, None, "2020-01-01", "7"]}


def test_equal_objects_are_repeated(tmp_path: Path) -> None:
    shared = [1.0, 2.0]
    assert load(written(tmp_path, dump({"a": shared, "b": shared}))) == {"a": shared, "b": shared}


def test_lines_are_those_of_the_keys(tmp_path: Path) -> None:
    file = YamlFile.read(written(tmp_path, "# c\na:\n  b: 1\n  c:\n    - 5\n    - d: 6\n"))
    assert dict(file.lines) == {
        (): 1, ("a",): 2, ("a", "b"): 3, ("a", "c"): 4, ("a", "c", 0): 5, ("a", "c", 1): 6, ("a", "c", 1, "d"): 6
    }  # fmt: skip


def test_an_error_gets_file_line_and_the_longest_known_key(tmp_path: Path) -> None:
    file = YamlFile.read(written(tmp_path, "conditions:\n  bore:\n    neumann: abc\n"))
    error = file.locate(SpecError("found 'abc'", ("conditions", "bore", "neumann", "value")))
    assert str(error) == f"{file.path}:3: conditions.bore.neumann: found 'abc'"
    assert error.key == ("conditions", "bore", "neumann", "value")
    assert str(file.locate(SpecError("x", ("other",)))) == f"{file.path}:1: x"
    with pytest.raises(SpecError) as caught, file.at("conditions"), file.at("conditions", "bore"):
        raise SelectionError("finds nothing")
    assert str(caught.value) == f"{file.path}:2: conditions.bore: finds nothing"


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("a: 1\nb: &x 1\n", 2, "anchors"),
        ("a: &x [1]\nb: *x\n", 1, "anchors"),
        ("a: 1\n*: 2\n", 2, "quotes"),
        ("a: 1\nb: !!python/object/apply:os.system [id]\n", 2, "tag"),
        ("a: !mine {}\n", 1, "tag"),
        ("a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\n", 5, "'c' appears twice"),
        ("3: 1\n'3': 2\n", 2, "twice"),
        ("- 1\n- 2\n", 1, "at the top"),
        ("text", 1, "at the top"),
        ("# nothing\n", 2, "at the top"),
        ("a: 1\n---\nb: 2\n", 2, "second document"),
        ("a: 1\nb: [1, 2\n", 3, "not YAML"),
        ("? [1]\n: 2\n", 1, "as a key"),
        ("a: 1\nb: .inf\n", 2, "finite"),
        ("a: .nan\n", 1, "finite"),
        ("a: 1e999\n", 1, "finite"),
        ("a: " + "9" * 9999, 1, "cannot be read"),
        ("a: 0x_\n", 1, "cannot be read"),
        ("a: " + "[" * 200_000, 1, "deep"),
        ("{a: " * 200_000, 1, "deep"),
    ],
    ids=lambda v: str(v)[:20],
)
def test_what_is_refused(tmp_path: Path, text: str, line: int, said: str) -> None:
    file = written(tmp_path, text)
    start = time.perf_counter()
    with pytest.raises(ReadError) as caught:
        load(file)
    assert str(caught.value).startswith(f"{file}:{line}: ")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert time.perf_counter() - start < 2


@pytest.mark.parametrize(("data", "said"), [(b"a: \xff\n", "UTF-8"), (b"", "bytes"), (b"a: \x01\n", "not YAML")])
def test_bytes_that_are_no_text_are_refused(tmp_path: Path, data: bytes, said: str) -> None:
    with pytest.raises(ReadError, match=said):
        load(written(tmp_path, data))


def test_missing_and_large_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="no file"):
        load(tmp_path / "missing.yaml")
    with pytest.raises(ReadError, match=str(LARGEST)):
        load(written(tmp_path, b"#" * (LARGEST + 1)))


def test_only_plain_data_is_dumped() -> None:
    with pytest.raises(WriteError, match="plain"):
        dump({"a": object()})
