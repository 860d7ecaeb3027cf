"""Laws of healing and of units: surfaces that close become the solid that they bound; lengths follow their unit."""

from __future__ import annotations

import numpy as np
import pytest

from geometries import units
from geometries.errors import NoVolumeCells, ReadError
from geometries.formats import inspect
from geometries.gmsh_model import session


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Files of surfaces: a plate with a hole, its sides 1e-4 apart from it, one side missing, a box beside a sheet."""
    out = tmp_path_factory.mktemp("healing")

    def plate(occ) -> None:
        occ.cut([(3, occ.addBox(0, 0, 0, 4, 3, 1))], [(3, occ.addCylinder(2, 1.5, 0, 0, 0, 1, 1))])

    def gaps(occ) -> None:
        occ.addBox(0, 0, 0, 1, 1, 1)
        occ.synchronize()
        faces = occ.copy(occ.getEntities(2))
        occ.remove(occ.getEntities(3), recursive=True)
        occ.translate(faces[:1], -1e-4, 0, 0)

    def open_box(occ) -> None:
        gaps(occ)
        occ.synchronize()
        occ.remove(occ.getEntities(2)[-1:])

    def beside(occ) -> None:
        occ.addBox(0, 0, 0, 1, 1, 1)
        occ.addRectangle(3, 0, 0.5, 1, 1)

    def bare(occ) -> None:
        occ.synchronize()
        occ.copy(occ.getEntities(2))
        occ.remove(occ.getEntities(3), recursive=True)

    def ball(occ) -> None:
        occ.addSphere(0, 0, 0, 1)
        bare(occ)

    def cone(occ) -> None:
        occ.addCone(0, 0, 0, 0, 0, 1, 1, 0)
        bare(occ)

    def ring(occ) -> None:
        occ.addTorus(0, 0, 0, 2, 0.5)
        occ.addBox(9, 0, 0, 1, 1, 1)
        bare(occ)

    parts = {"plate": plate, "gaps": gaps, "open": open_box, "beside": beside, "ball": ball}
    parts |= {"cone": cone, "ring": ring}
    for name, build in parts.items():
        with session() as gmsh:
            build(gmsh.model.occ)
            gmsh.model.occ.synchronize()
            gmsh.write(str(out / f"{name}.iges"))
            gmsh.write(str(out / f"{name}.step"))
    return out


def test_surfaces_that_close_become_a_solid(folder) -> None:
    with pytest.raises(NoVolumeCells, match="--heal"):
        inspect(folder / "plate.iges")
    reading = inspect(folder / "plate.iges", heal=True, size=0.25)
    mesh = reading.mesh
    assert mesh.dim == 3 and mesh.measure.sum() == pytest.approx(12 - np.pi, rel=0.01)
    assert reading.problems[0].startswith("healed: 7 faces sewn into 1 solids")


@pytest.mark.parametrize("name", ["plate", "beside"])
def test_healed_faces_keep_their_names(folder, name) -> None:
    mesh = inspect(folder / f"{name}.iges", heal=True, size=0.25).mesh
    surfaces = inspect(folder / f"{name}.iges", dim=2, size=0.25).mesh
    assert len(mesh.boundaries) == len(surfaces.regions) - (name == "beside")
    for name in mesh.boundaries:
        cells = surfaces.regions[name]
        area = mesh.side_geometry(mesh.sides(name))[2].sum()
        assert area == pytest.approx(surfaces.measure[cells].sum(), rel=0.02)
        np.testing.assert_allclose(
            mesh.points[mesh.nodes(mesh.sides(name))].max(0),
            surfaces.points[surfaces.cells["triangle"][cells]].max((0, 1)),
            atol=1e-3,
        )


def test_gaps_are_closed_and_told(folder) -> None:
    reading = inspect(folder / "gaps.step", heal=True)
    assert reading.mesh.measure.sum() == pytest.approx(1, rel=1e-3)
    assert "gaps up to 0.00017" in reading.problems[0]


@pytest.mark.parametrize(
    ("name", "volumes"), [("ball", [4 / 3 * np.pi]), ("cone", [np.pi / 3]), ("ring", [np.pi**2, 1])]
)
def test_faces_that_close_by_themselves_become_solids(folder, name: str, volumes: list[float]) -> None:
    reading = inspect(folder / f"{name}.step", heal=True, size=0.15)
    mesh = reading.mesh
    found = [mesh.measure[cells].sum() for cells in mesh.regions.values()]
    assert sorted(found) == pytest.approx(sorted(volumes), rel=0.04)
    assert f"sewn into {len(volumes)} solids" in reading.problems[0]
    assert len(mesh.boundaries) == {"ball": 1, "cone": 2, "ring": 7}[name]


def test_what_does_not_close_is_an_error(folder) -> None:
    with pytest.raises(NoVolumeCells, match="5 faces into no solid"):
        inspect(folder / "open.step", heal=True)


def test_faces_of_no_solid_are_left_out_and_told(folder) -> None:
    reading = inspect(folder / "beside.iges", heal=True)
    assert reading.mesh.measure.sum() == pytest.approx(1)
    assert "healed: 1 of 7 faces are part of no solid: left out" in reading.problems


def test_solids_need_no_healing(folder) -> None:
    assert "nothing to heal" in inspect(folder / "plate.step", heal=True).problems[0]


# -- units -------------------------------------------------------------------------------------------------------------
def _inches(text: str) -> str:
    inch = "#9001=(CONVERSION_BASED_UNIT('INCH',#9002)LENGTH_UNIT()NAMED_UNIT(#9003));\n"
    inch += "#9002=LENGTH_MEASURE_WITH_UNIT(LENGTH_MEASURE(25.4),#9004);\n"
    inch += "#9003=DIMENSIONAL_EXPONENTS(1.,0.,0.,0.,0.,0.,0.);\n"
    inch += "#9004=(LENGTH_UNIT()NAMED_UNIT(*)SI_UNIT(.MILLI.,.METRE.));\nENDSEC;\nEND-ISO"
    old = next(line for line in text.split("\n") if "LENGTH_UNIT" in line).split("=")[0].strip()
    context = text.index("GLOBAL_UNIT_ASSIGNED_CONTEXT")
    head, tail = text[:context], text[context:]
    return head + tail.replace(f"({old},", "(#9001,", 1).replace("ENDSEC;\nEND-ISO", inch, 1)


def test_inches_are_read_and_asked_for(folder) -> None:
    (folder / "inch.step").write_text(_inches((folder / "plate.step").read_text()))
    reading = inspect(folder / "inch.step")
    assert (reading.unit, reading.file_unit) == ("mm", "in")
    assert np.ptp(reading.mesh.points[:, 0]) == pytest.approx(4 * 25.4)
    asked = inspect(folder / "inch.step", unit="in", size=0.5)
    assert asked.unit == "in" and np.ptp(asked.mesh.points[:, 0]) == pytest.approx(4)
    edges = np.linalg.norm(np.diff(asked.mesh.points[asked.mesh.edges], axis=1)[:, 0], axis=1)
    assert 0.3 < edges.mean() < 0.6


@pytest.mark.parametrize(
    ("given", "unit"),
    [("SI_UNIT($,.METRE.)", "m"), ("SI_UNIT ( .CENTI. , .METRE. )", "cm"), ("SI_UNIT(.MICRO.,.METRE.)", "um"),
     ("SI_UNIT(.MILLI.,.METRE.)", "mm"),
     ("CONVERSION_BASED_UNIT('FOOT',#2)", "ft"), ("CONVERSION_BASED_UNIT('cubit',#2)", None)],
)  # fmt: skip
def test_units_of_step(given: str, unit: str | None) -> None:
    angle = "#3=(NAMED_UNIT(*) PLANE_ANGLE_UNIT() SI_UNIT($,.RADIAN.) );"
    context = "#9=( GEOMETRIC_REPRESENTATION_CONTEXT(3) GLOBAL_UNIT_ASSIGNED_CONTEXT((#3,#1)) );"
    assert units.of_step(f"{angle}\n#1=( LENGTH_UNIT() NAMED_UNIT(*) {given} );\n{context}") == unit


@pytest.mark.parametrize(
    ("head", "entries", "unit"),
    [("1H,,1H;,", "1.,2,2HMM,1", "mm"), ("1H,,1H;,", "1.,1,4HINCH,1", "in"), (",,", "1.,6,1HM,1", "m"),
     ("1H,,1H;,", "1.,3,2HFT,1", "ft"), ("1H//1H;/", "1./10/2HCM/1", "cm"), ("1H,,1H;,", "1.", None)],
)  # fmt: skip
def test_units_of_iges(head: str, entries: str, unit: str | None) -> None:
    between = "3Ha,b,4Hf.ig,2Hme,1H7,32,38,6,38,15,1Hp,"
    text = head + (between if "/" not in head else between.replace("a,b", "a.b").replace(",", "/")) + entries + ";"
    lines = [text[i : i + 72].ljust(72) + f"G{i // 72 + 1:7d}" for i in range(0, len(text), 72)]
    assert units.of_iges("\n".join([" " * 72 + "S0000001", *lines])) == unit


def test_factors() -> None:
    assert units.factor("m", "mm") == (pytest.approx(1e-3), "m")
    assert units.factor("in:mm", "m") == (pytest.approx(25.4), "mm")
    assert units.factor("mm", "mm") == (1.0, "mm")
    for wanted, known, said in (
        ("m", None, "both, such as mm:m"),
        ("mmm", None, "unknown unit 'mmm'"),
        ("parsec", "mm", "unknown unit"),
        ("mm:", "mm", "unknown"),
    ):
        with pytest.raises(ReadError, match=said):
            units.factor(wanted, known)


def test_a_mesh_file_is_scaled_where_its_unit_is_said(folder) -> None:
    import geometries as geo

    geo.write(inspect(folder / "plate.step").mesh, folder / "plate.msh")
    with pytest.raises(ReadError, match="does not tell its unit"):
        geo.read(folder / "plate.msh", unit="m")
    reading = inspect(folder / "plate.msh", unit="mm:m")
    assert reading.unit == "m" and np.ptp(reading.mesh.points[:, 0]) == pytest.approx(0.004)
    with pytest.raises(ReadError, match="heal does not apply"):
        geo.read(folder / "plate.msh", heal=True)
