"""XML that may come from anyone: no entities, and no files but those in its own folder."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from geometries.errors import ReadError
from geometries.files import existing


def parsed(path: Path) -> ElementTree.Element:
    """Return the root of an XML file in UTF-8; raises `ReadError` for a damaged one and for one that defines entities.

    Entities refer to other files and grow without limit. A document type without any is common; it is not loaded.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ReadError(f"{path.name} is not text in UTF-8; expected XML.") from None
    if "<!ENTITY" in text:
        raise ReadError(f"{path.name} defines entities; take its <!DOCTYPE ...> out.")
    try:
        return ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError, RecursionError) as error:
        raise ReadError(f"{path.name} is no whole XML ({error}); write it again.") from None


def beside(path: Path, given: str) -> Path:
    """Return the file that `path` names, in its folder or one inside it; raises `ReadError` for any other place."""
    name = Path(given)
    if "://" in given or "\\" in given or name.is_absolute() or ".." in name.parts:
        raise ReadError(f"{path.name} names {given!r}; expected a file in its own folder.")
    file = path.parent / name
    if not file.resolve().is_relative_to(path.parent.resolve()):
        raise ReadError(f"{path.name} names {given!r}, which leads out of its folder.")
    return existing(file)
