"""Write `gallery.md` from the examples' docstrings. Run it with `make gallery`; a test compares."""

import ast
from pathlib import Path

HERE = Path(__file__).parent
HEAD = """\
# Gallery

Each example is a script that runs in the tests and asserts one number. This page is written from their docstrings by
`make gallery`.
"""


def page() -> str:
    """Return the page."""
    parts = [HEAD]
    for path in sorted((HERE.parent / "examples").glob("*.py")):
        text = path.read_text(encoding="utf-8")
        about = ast.get_docstring(ast.parse(text)) or ""
        title, _, rest = about.partition("\n")
        code = text.split('"""', 2)[2].strip()
        link = f"[examples/{path.name}](../examples/{path.name})"
        parts.append(f"\n## {title}\n{rest}\n\n{link}\n\n```python\n{code}\n```\n")
    return "".join(parts)


if __name__ == "__main__":
    (HERE / "gallery.md").write_text(page(), encoding="utf-8")
