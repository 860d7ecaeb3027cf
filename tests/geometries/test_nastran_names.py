"""Names in the comments of a Nastran deck."""

import pytest

import geometries as geo

PAIR = """GRID,1,,0.,0.,0.
GRID,2,,1.,0.,0.
GRID,3,,0.,1.,0.
GRID,4,,0.,0.,1.
GRID,5,,1.,1.,1.
CTETRA,1,1,1,2,3,4
CTETRA,2,2,2,3,4,5
"""


@pytest.mark.parametrize(
    ("properties", "comments", "regions"),
    [
        ((1, 2), '$HMNAME COMP  1"air" 2 "p" 5\n$HMNAME COMP  2"steel" 1 "q" 5\n', {"steel": [0], "air": [1]}),
        ((1, 2), '$HMNAME COMP  1"air"\n$HMNAME PROP  2"q" 5\n', {"air": [0], "q": [1]}),
        (
            (7, 7),
            "$HMMOVE        1\n$              1\n$\n$HMMOVE        7\n$              2THRU          12\n"
            '$HMNAME COMP                   1"air"\n$HMNAME COMP                   7"steel"\n',
            {"air": [0], "steel": [1]},
        ),
        (
            (4, 7),
            '$HMMOVE        4\n$              2\n$HMNAME COMP  4"air"\n$HMNAME PROP  7"solid"\n',
            {"air": [1], "solid": [1], "pid 4": [0]},
        ),
    ],
)
def test_components_of_hypermesh_are_told_by_property_or_elements(tmp_path, properties, comments, regions):
    text = f"BEGIN BULK\n{PAIR}{comments}ENDDATA\n".replace("CTETRA,1,1", f"CTETRA,1,{properties[0]}")
    text = text.replace("CTETRA,2,2", f"CTETRA,2,{properties[1]}")
    (tmp_path / "hm.bdf").write_text(text)
    mesh = geo.read(tmp_path / "hm.bdf")
    assert {name: cells.tolist() for name, cells in mesh.regions.items()} == regions
