"""The commands: each function that `COMMANDS` lists is one; its signature and docstring are its help."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Unpack

import geometries
from geometries.errors import MeshingError, MeshopsError, ReaderCrashed
from geometries.formats import Options
from meshops import console
from meshops.data_commands import check, export, import_


def doctor() -> None:
    """Tell what this machine lacks, and the one line that installs it.

    Example: meshops doctor
    """
    from meshops.doctor import diagnose

    findings = diagnose()
    rows = [("ok" if f.ok else "missing", f.name, f.detail) for f in findings]
    console.table("", ("", "what", "found"), rows)
    for remedy in dict.fromkeys(f.remedy for f in findings if not f.ok and f.remedy):
        console.line(f"run: {remedy}")


def inspect(file: Path, *, json: bool = False, **options: Unpack[Options]) -> None:
    """Show a CAD or mesh file: cells, boundaries, regions, unit, quality, problems, and names to choose from.

    Example: meshops inspect bracket.step

    Args:
        file: CAD or mesh file. A CAD file is meshed to count its facets.
        json: Print one JSON object.
    """
    from geometries import formats
    from meshops import inspection

    with console.working(f"reading {file.name}"):
        reading = formats.inspect(file, **options)
    if json:
        console.print_json(inspection.report(reading))
    else:
        inspection.tables(reading, file.name)


def mesh(cad: Path, *, output: Path, names: Path | None = None, **options: Unpack[Options]) -> None:
    """Mesh a CAD file, keeping the names of its faces and solids.

    Example: meshops mesh bracket.step -o bracket.vtu --size 2

    Args:
        cad: STEP, IGES or BREP file; .geo with --trust.
        output: Mesh file to write; its extension chooses the format.
        names: A case file whose `boundaries` section names more faces.
    """
    from geometries import formats
    from meshops.equations.case_file import names_of

    with console.working(f"meshing {cad.name}"):
        reading = formats.inspect(cad, **options)
    part = reading.mesh
    for name, selector in (names_of(names) if names else {}).items():
        part = part.with_boundary(name, selector)
    geometries.write(part, output)
    for problem in reading.problems:
        console.say(f"note: {problem}")
    console.say(
        f"wrote {output}: {part.num_points} points, {part.num_cells} cells, boundaries {', '.join(part.boundaries)}"
    )


def convert(source: Path, target: Path, **options: Unpack[Options]) -> None:
    """Convert a mesh file, or a case between a case file and a deck, keeping names; the extensions choose the formats.

    Example: meshops convert part.msh part.vtu

    Args:
        source: Mesh file, case file (.yaml) or deck (.inp) to read.
        target: Mesh file, case file or deck to write. A case file or deck gets the conditions too.
    """
    from geometries import formats
    from meshops.equations.case_file import converts_case

    if converts_case(source, target):
        _convert_case(source, target, options)
        return
    with console.working(f"reading {source.name}"):
        reading = formats.inspect(source, **options)
    part = reading.mesh
    geometries.write(part, target)
    for problem in reading.problems:
        console.say(f"note: {problem}")
    console.say(f"wrote {target}: {part.num_points} points, {part.num_cells} cells")


def _convert_case(source: Path, target: Path, options: Options) -> None:
    from meshops.equations import Case

    given = [f"--{name}" for name, value in options.items() if value]
    if given:
        raise MeshopsError(f"{', '.join(given)} is for meshes; a case file states it by itself.")
    case = Case.read(source)
    case.write(target)
    console.say(f"wrote {target}: {case.equation.name}, {len(case.conditions)} conditions")


def generate(
    recipe: str,
    *,
    output: Path,
    count: int = 400,
    workers: int | None = None,
    seed: int = 0,
    scheduler: str | None = None,
    files: Path | None = None,
) -> None:
    """Generate a data set: shapes, conditions and reference solutions. Run it again to resume.

    Example: meshops generate bracket -o data/brackets --count 400

    Args:
        recipe: A recipe file (YAML), or the name of a shipped one (see `meshops recipes`).
        output: Folder of the data set.
        count: Number of samples.
        workers: Number of processes; one a core by default.
        seed: Every sample follows from it and its number, whatever the number of workers.
        scheduler: Address of a Dask scheduler; a local cluster by default.
        files: Folder of parts, or file of a part, that shapes are taken from, for recipes that read some.
    """
    from meshops.data import Recipe
    from meshops.data import generate as run
    from meshops.pictures import draw_card

    chosen = Recipe.load(recipe, files=files)
    with console.progress("samples") as update:
        samples = run(chosen, output, count=count, seed=seed, workers=workers, scheduler=scheduler, progress=update)
    with console.working("drawing a few samples"):
        card = draw_card(samples)
    console.say(f"wrote {output}: {len(samples)} samples, {len(samples.failed)} failed; look at {card}")


def train(
    data: Path,
    *,
    output: Path,
    operator: str = "multigrid",
    config: Path | None = None,
    epochs: int | None = None,
    minutes: float | None = None,
    resume: bool = False,
    seed: int = 0,
) -> None:
    """Train an operator on the training split of a data set; validation picks the best epoch.

    Example: meshops train data/brackets -o runs/brackets --minutes 10

    Args:
        data: Folder of the data set.
        output: Folder of the run: the surrogate and what resuming needs.
        operator: See `meshops operators`.
        config: YAML file with the operator's options, such as `width: 96`.
        epochs: Number of passes over the training set; give this or minutes.
        minutes: Training time; 10 by default.
        resume: Continue the run in the output folder.
        seed: Of the weights and of the order of samples.
    """
    from geometries import yaml_file
    from meshops.data import MeshDataset
    from meshops.training import Settings
    from meshops.training import train as run

    if epochs is not None and minutes is not None:
        raise MeshopsError("found both --epochs and --minutes; give one of them.")
    samples = MeshDataset.open(data)
    run(
        samples.split("train"),
        samples.split("validation"),
        folder=output,
        settings=Settings(epochs=epochs, minutes=10.0 if epochs is None and minutes is None else minutes, seed=seed),
        operator=operator,
        options=yaml_file.load(config) if config else {},
        resume=resume,
    )
    console.say(f"wrote {output}; next: meshops evaluate {output} {data}")


def evaluate(run: Path, data: Path, *, split: str = "test", json: bool = False) -> None:
    """Compare a trained operator with the reference and with baselines, on one split of a data set.

    Example: meshops evaluate runs/brackets data/brackets

    Args:
        run: Folder of the run.
        data: Folder of the data set.
        split: test, validation or train.
        json: Print one JSON object.
    """
    from meshops.data import MeshDataset
    from meshops.evaluation import evaluate as compare
    from meshops.training import Surrogate

    samples = MeshDataset.open(data)
    with console.progress("evaluating") as update:
        result = compare(Surrogate.load(run), samples.split(split), samples.split("train"), progress=update)
    if json:
        console.print_json(result.to_json())
        return
    rows = [(result.operator, result.relative_l2), *((n, float(sum(e) / len(e))) for n, e in result.baselines.items())]
    console.table(f"relative L2 on {len(result.samples)} samples ({split})", ("", "mean"), rows)


def solve(
    case: Path, *, output: Path, surrogate: Path | None = None, compare: bool = False, json: bool = False
) -> None:
    """Solve a case by the reference solver, or by a trained operator, and write fields that ParaView opens.

    Example: meshops solve case.yaml -o answer.vtu

    Args:
        case: Case file (YAML).
        output: File to write, .vtu.
        surrogate: Folder of a run; its operator answers instead of the reference solver.
        compare: Also solve by the reference, write both and their difference, and tell the relative error.
        json: Print one JSON object.
    """
    from meshops.answer import answer, report

    with console.working(f"solving {case.name}"):
        found = answer(case, run=surrogate, compare=compare)
    found.solution.with_derived().save(output)
    if json:
        console.print_json(report(found))
        return
    rows = [(n, *s.values()) for n, s in found.solution.summary().items()]
    console.table(f"{case.name} → {output.name}", ("field", "min", "max", "mean"), rows)
    if found.solution.quantities:
        console.table("", ("quantity", "value"), list(found.solution.quantities.items()))
    console.table("", ("stage", "seconds"), list(found.seconds.items()))
    if found.relative_l2 is not None:
        console.line(f"relative L2 against the reference: {found.relative_l2:.4g}")


def view(
    file: Path,
    *,
    field: str | None = None,
    names: Path | None = None,
    select: str | None = None,
    screenshot: Path | None = None,
    html: Path | None = None,
    **options: Unpack[Options],
) -> None:
    """Show a CAD, mesh or solution file: its boundaries by name, or a field, beside its reference where both are there.

    Of a CAD file that does not mesh it shows the faces at fault.

    Example: meshops view answer.vtu --field temperature --screenshot answer.png

    Args:
        file: CAD file, mesh file, or a solution that `solve` wrote.
        field: Point field to show; by default the file's only one, else the boundaries.
        names: A case file: show what its `boundaries` section selects, and nothing else.
        select: Show only the boundaries of these names, or else the regions, such as "inlet,bore*".
        screenshot: PNG file to write.
        html: HTML file to write, which a browser opens without a server.
    """
    from geometries.cad import EXTENSIONS, faces_at_fault
    from meshops.answer import scene_of
    from meshops.equations.case_file import names_of
    from meshops.highlight import only
    from meshops.viz import html as write_html
    from meshops.viz import interact, regions_scene
    from meshops.viz import screenshot as write_png

    with console.working(f"reading {file.name}"):
        try:
            part = geometries.read(file, **options)
            if names or select:
                part, field = only(part, names_of(names) if names else {}, select)
            scene = scene_of(part, field, title=file.name)
        except (MeshingError, ReaderCrashed) as error:
            if file.suffix.lower() not in EXTENSIONS:
                raise
            console.say(str(error))
            scene = regions_scene(faces_at_fault(file), title=f"{file.name}: what does not mesh")
    if screenshot:
        write_png(scene, screenshot)
        console.say(f"wrote {screenshot}")
    if html:
        write_html(scene, html)
        console.say(f"wrote {html}")
    if not screenshot and not html:
        interact(scene)


def operators(*, json: bool = False) -> None:
    """List the operators.

    Example: meshops operators

    Args:
        json: Print one JSON object.
    """
    from meshops.operators import OPERATORS, describe

    if json:
        console.print_json({"operators": [describe(name) for name in OPERATORS]})
        return
    columns = ("name", "what", "cost", "reference")
    console.table("", ("operator", *columns[1:]), [[describe(name)[c] for c in columns] for name in OPERATORS])


def equations() -> None:
    """List the equations, with their coefficients and conditions.

    Example: meshops equations
    """
    from meshops.equations import EQUATIONS

    rows = [
        (
            e.name,
            e.title,
            ", ".join(f"{c.name} [{c.unit}]" for c in e.coefficients),
            ", ".join(c.key for c in e.terms),
        )
        for e in EQUATIONS.values()
    ]
    console.table("", ("equation", "", "coefficients", "conditions"), rows)


def families() -> None:
    """List the random families of shapes.

    Example: meshops families
    """
    from geometries.families import FAMILIES

    rows = [
        (name, str(f.dim) if isinstance(f.dim, int) else "1 to 3", (f.__doc__ or "").strip().splitlines()[0])
        for name, f in FAMILIES.items()
    ]
    console.table("", ("family", "dim", "what"), rows)


def formats() -> None:
    """List the file formats.

    Example: meshops formats
    """
    from geometries.formats import FORMATS

    rows = [
        (f.name, " ".join(f.extensions), "yes" if f.read else "–", "yes" if f.write else "–", f.keeps)
        for f in FORMATS.values()
    ]
    console.table("", ("format", "extensions", "read", "write", "kept"), rows)


def recipes() -> None:
    """List the shipped recipes for data sets.

    Example: meshops recipes
    """
    from meshops.data import Recipe
    from meshops.data import recipes as shipped

    console.table("", ("recipe", "what"), [(name, Recipe.load(path).about) for name, path in shipped().items()])


def demo(*, output: Path = Path("demo"), json: bool = False) -> None:
    """Read the shipped bracket, train an operator on its siblings, solve the unseen bracket, compare, draw.

    Example: meshops demo

    Args:
        output: Folder for the data set, the run, fields and pictures.
        json: Print one JSON object.
    """
    from meshops.demo import run

    result = run(output)
    if json:
        console.print_json(result.to_json())
        return
    console.table("relative L2, mass-weighted, of the scaled field", ("", "unseen shapes", "the part"), result.rows())
    console.table("", ("stage", "seconds"), list(result.seconds.items()))
    console.line(f"look at: {', '.join(str(p) for p in result.files)}")


Command = Callable[..., None]
COMMANDS: tuple[Command, ...] = (
    doctor, inspect, mesh, convert, generate, check, export, import_, train, evaluate, solve, view,
    operators, equations, families, formats, recipes, demo,
)  # fmt: skip
