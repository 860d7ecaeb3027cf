"""Names of faces in the text of a STEP file."""

import pytest

from geometries.errors import CadError
from geometries.step_names import Face, solids, with_names


def test_names_of_step_faces_are_read_and_written():
    solid = "#9=MANIFOLD_SOLID_BREP('',#1);#1=CLOSED_SHELL('',(#3,#2));"
    text = (
        solid
        + "#2=ADVANCED_FACE('it''s; (#7)',(#5),#4,.T.);#3 = ADVANCED_FACE ( 'caf\\X2\\00E9\\X0\\', (#5), #6, .F.);"
    )
    text += "#4=PLANE('',#8);#6=CYLINDRICAL_SURFACE('',#8,1.);"
    assert solids(text) == [[Face("café", "Cylinder"), Face("it's; (#7)", "Plane")]]
    assert [face.name for part in solids(with_names(text, ["new", "o'ld"])) for face in part] == ["new", "o'ld"]
    with pytest.raises(CadError, match="3 names for 2 faces"):
        with_names(text, ["a", "b", "c"])
    assert solids("#1=CLOSED_SHELL('',(#1));#2=MANIFOLD_SOLID_BREP('',#1);") == [[]]
