"""Laws of VTK's family beyond .vtu: round trips, parts in several files, nothing read from elsewhere."""

from dataclasses import replace

import numpy as np
import pytest
import pyvista
from hypothesis import given, settings

import geometries as geo
from geometries.errors import ReadError
from geometries.families.grid import Grid
from geometries.formats import inspect
from geometries.mesh import Mesh
from tests.geometries.meshes import arrays_equal, meshes


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("vtk")


@given(mesh=meshes())
@settings(max_examples=6)
def test_legacy_vtk_keeps_everything(folder, mesh):
    geo.write(mesh, folder / "a.vtk")
    read = geo.read(folder / "a.vtk")
    np.testing.assert_array_equal(mesh.points, read.points)
    for part in ("cells", "regions", "boundaries", "point_data", "cell_data"):
        arrays_equal(getattr(mesh, part), getattr(read, part))


def test_poly_data_strips_and_grids(folder):
    sphere = pyvista.Sphere(theta_resolution=8, phi_resolution=8)
    sphere["material"] = (np.arange(sphere.n_cells) % 2).astype(np.int32)
    sphere.save(folder / "s.vtp")
    mesh = geo.read(folder / "s.vtp")
    assert mesh.measure.sum() == pytest.approx(sphere.area) and set(mesh.regions) == {"0", "1"}
    sphere.strip().save(folder / "strip.vtp")
    strips = geo.read(folder / "strip.vtp")
    corners = strips.points[strips.cells["triangle"]]
    assert strips.measure.sum() == pytest.approx(sphere.area)
    assert np.linalg.det(corners).sum() / 6 == pytest.approx(sphere.volume, rel=1e-5)  # turned alike
    disc = pyvista.Disc(inner=0.5, outer=1, r_res=1, c_res=6).append_polydata(pyvista.Polygon(n_sides=7))
    disc.save(folder / "disc.vtp")
    assert geo.read(folder / "disc.vtp").measure.sum() == pytest.approx(disc.area)
    for data, extension in [
        (pyvista.ImageData(dimensions=(3, 4, 5)), "vti"),
        (pyvista.ImageData(dimensions=(3, 4, 1)), "vtk"),
    ]:
        data.save(folder / f"i.{extension}")
        read = geo.read(folder / f"i.{extension}")
        assert read.num_cells == data.n_cells and read.dim == (3 if extension == "vti" else 2)


# -- multiblock --------------------------------------------------------------------------------------------------------
def test_parts_are_merged_with_their_names(folder):
    left = Grid(shape=(2, 2, 2), cell="tetra").mesh()
    right = replace(left, points=left.points + np.array([1, 0, 0]), boundaries={}, regions={"core": [0, 1]})
    facets = next(nodes for _, _, nodes in left.facets(left.boundaries["right"]))
    wall = Mesh(points=right.points, cells={"triangle": facets})
    (folder / "parts").mkdir()
    geo.write(left, folder / "parts/l.vtu")
    geo.write(right, folder / "parts/r.vtu")
    geo.write(wall, folder / "parts/w.vtu")
    block = '<DataSet index="{}" name="{}" file="parts/{}"/>'
    files = block.format(0, "left", "l.vtu") + f'<Block name="far">{block.format(0, "wall", "w.vtu")}</Block>'
    (folder / "m.vtm").write_text(
        f'<VTKFile type="vtkMultiBlockDataSet"><vtkMultiBlockDataSet>{files}{block.format(2, "right", "r.vtu")}'
        "</vtkMultiBlockDataSet></VTKFile>"
    )
    mesh = geo.read(folder / "m.vtm")
    assert mesh.num_cells == 96 and mesh.num_points == 45
    assert {k: len(v) for k, v in mesh.regions.items()} == {"left": 48, "core": 2, "right": 48}
    assert len(mesh.outer) == 2 * 48 - 16 and set(mesh.boundaries) == {*left.boundaries, "wall"}
    centers, _, areas = mesh.side_geometry(mesh.boundaries["wall"])
    assert areas.sum() == pytest.approx(1.0) and np.allclose(centers[:, 0], 2.0)


def test_parts_keep_the_data_that_all_have(folder):
    left = replace(Grid(shape=(2, 2)).mesh(), boundaries={})
    right = replace(left, points=left.points + np.array([1, 0]))
    fields = [{"T": mesh.points[:, 0], "U": mesh.points} for mesh in (left, right)]
    del fields[1]["U"]
    for name, mesh, data in zip("lr", (left, right), fields, strict=True):
        geo.write(replace(mesh, point_data=data), folder / f"{name}.vtu")
    files = "".join(f'<DataSet index="{i}" name="{n}" file="{n}.vtu"/>' for i, n in enumerate("lr"))
    kind = "vtkMultiBlockDataSet"
    (folder / "d.vtm").write_text(f'<VTKFile type="{kind}"><{kind}>{files}</{kind}></VTKFile>')
    reading = inspect(folder / "d.vtm")
    assert list(reading.mesh.point_data) == ["T"] and reading.mesh.num_points == 15
    np.testing.assert_array_equal(reading.mesh.point_data["T"], reading.mesh.points[:, 0])
    assert "data that not all parts have are left out: U" in reading.problems


@pytest.mark.parametrize(
    "name", ["/etc/passwd.vtu", "../x.vtu", "http://h/x.vtu", "file:///x.vtu", "link.vtu", "a.exe"]
)
def test_parts_elsewhere_are_refused(tmp_path, name):
    (tmp_path / "in").mkdir()
    geo.write(Grid(shape=(2, 2)).mesh(), tmp_path / "x.vtu")
    (tmp_path / "in/link.vtu").symlink_to(tmp_path / "x.vtu")
    (tmp_path / "in/a.exe").write_text("x")
    (tmp_path / "in/m.vtm").write_text(f'<VTKFile><M><DataSet index="0" file="{name}"/></M></VTKFile>')
    with pytest.raises(ReadError, match=r"folder|expected"):
        geo.read(tmp_path / "in/m.vtm")


def test_entities_are_refused(tmp_path):
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
    for name in ("b.vtm", "b.xdmf"):
        (tmp_path / name).write_text(f'<?xml version="1.0"?>{bomb}<VTKFile><M name="&b;"/></VTKFile>')
        with pytest.raises(ReadError, match="entities"):
            geo.read(tmp_path / name)
        (tmp_path / name).write_bytes(f"{bomb}<VTKFile/>".encode("utf-16"))
        with pytest.raises(ReadError, match="UTF-8"):
            geo.read(tmp_path / name)


def test_an_image_of_any_size_is_refused_before_its_cells_are_made(folder):
    (folder / "huge.vtk").write_text(
        "# vtk DataFile Version 3.0\nx\nASCII\nDATASET STRUCTURED_POINTS\nDIMENSIONS 90000 90000 9\n"
        "ORIGIN 0 0 0\nSPACING 1 1 1\n"
    )
    with pytest.raises(ReadError, match="cells"):
        geo.read(folder / "huge.vtk")
