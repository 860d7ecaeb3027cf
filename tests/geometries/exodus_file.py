"""A small writer of Exodus files, by the layout of its manual (SAND92-2137), as other programs write them."""

import h5py
import numpy as np
from scipy.io import netcdf_file


def write_exodus(path, points, blocks, side_sets, node_sets):
    """Blocks {name: (type, (C, k) from 1)}, side sets {name: (elements, sides)}, node sets {name: nodes}."""
    with netcdf_file(path, "w", version=2) as file:
        file.api_version, file.version = np.float32(5.1), np.float32(5.1)
        file.floating_point_word_size, file.file_size, file.title = np.int32(8), np.int32(1), b"part"
        sizes = {"time_step": None, "len_string": 33, "len_name": 33, "len_line": 81, "four": 4}
        sizes |= {"num_dim": points.shape[1], "num_nodes": len(points)}
        sizes["num_elem"] = sum(len(nodes) for _, nodes in blocks.values())
        for name, size in sizes.items():
            file.createDimension(name, size)
        file.createVariable("time_whole", "d", ("time_step",))
        for axis, values in zip("xyz", points.T, strict=False):
            file.createVariable(f"coord{axis}", "d", ("num_nodes",))[:] = values
        for what, short, sets in (
            ("el_blk", "eb", blocks),
            ("side_sets", "ss", side_sets),
            ("node_sets", "ns", node_sets),
        ):
            _heads(file, f"num_{what}", short, list(sets))
        for i, (kind, nodes) in enumerate(blocks.values(), 1):
            _array(file, f"connect{i}", (f"num_el_in_blk{i}", f"num_nod_per_el{i}"), nodes).elem_type = kind.encode()
        for i, (elements, sides) in enumerate(side_sets.values(), 1):
            _array(file, f"elem_ss{i}", (f"num_side_ss{i}",), np.array(elements))
            file.createVariable(f"side_ss{i}", "i", (f"num_side_ss{i}",))[:] = sides
        for i, nodes in enumerate(node_sets.values(), 1):
            _array(file, f"node_ns{i}", (f"num_nod_ns{i}",), np.array(nodes))


def _heads(file, size, short, names):
    file.createDimension(size, len(names))
    file.createVariable(f"{short}_status", "i", (size,))[:] = 1
    numbers = file.createVariable(f"{short}_prop1", "i", (size,))
    numbers[:] = 10 * np.arange(1, len(names) + 1)
    numbers.name = b"ID"
    letters = [np.frombuffer(name.encode().ljust(33, b"\0"), "S1") for name in names]
    file.createVariable(f"{short}_names", "c", (size, "len_name"))[:] = np.array(letters)


def _array(file, name, dimensions, values):
    for dimension, size in zip(dimensions, values.shape, strict=True):
        file.createDimension(dimension, size)
    variable = file.createVariable(name, "i", dimensions)
    variable[:] = values
    return variable


def add_results(path, names):
    """Add one result each at nodes (`nod`) and in the elements of the first block (`elem`), zero at the first time."""
    with netcdf_file(path, "a") as file:
        for place, name in names.items():
            file.createDimension(f"num_{place}_var", 1)
            letters = np.frombuffer(name.encode().ljust(33, b"\0"), "S1")
            file.createVariable(f"name_{place}_var", "c", (f"num_{place}_var", "len_name"))[:] = letters[None]
        file.createVariable("vals_nod_var1", "d", ("time_step", "num_nodes"))[0] = 0.0
        file.createVariable("vals_elem_var1eb1", "d", ("time_step", "num_el_in_blk1"))[0] = 0.0
        file.variables["time_whole"][0] = 0.0


def as_hdf5(path, to):
    """Copy an Exodus file to HDF5, as netCDF-4 lays it out: dimensions are scales of the arrays."""
    with netcdf_file(path, mmap=False) as old, h5py.File(to, "w") as new:
        new.attrs.update(_plain(old._attributes))
        for number, (name, size) in enumerate(old.dimensions.items()):
            scale = new.create_dataset(name, (size or 0,), "f4", maxshape=(size,))
            scale.make_scale(f"This is a netCDF dimension but not a netCDF variable. {size or 0:9d}")
            scale.attrs["_Netcdf4Dimid"] = np.int32(number)
        for name, variable in old.variables.items():
            values = np.array(variable[:])
            array = new.create_dataset(name, data=values.astype(values.dtype.newbyteorder("=")))
            array.attrs.update(_plain(variable._attributes))
            for axis, dimension in zip(array.dims, variable.dimensions, strict=True):
                axis.attach_scale(new[dimension])


def _plain(attributes):
    return {k: np.bytes_(v) if isinstance(v, bytes) else np.asarray(v).astype(v.dtype.newbyteorder("="))
            for k, v in attributes.items()}  # fmt: skip
