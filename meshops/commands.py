"""The commands: each function that `COMMANDS` lists is one; its signature and docstring are its help."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Unpack

import geometries
from geometries.errors import MeshingError, MeshopsError, ReaderCrashed
from geometries.formats import Options
from meshops import console
from meshops.data_commands import check, export, import_
from meshops.listing_commands import equations, families, formats, operators, recipes
from meshops.solve_command import solve
from meshops.training_commands import refine, train


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
    from geometries.files import check_apart, check_target
    from meshops.equations.case_file import names_of

    check_target(output, formats.writable())
    check_apart(output, formats.geometry_files(cad), "the mesh")
    with console.working(f"meshing {cad.name}"):
        reading = formats.inspect(cad, **options)
    part = reading.mesh
    for name, selector in (names_of(names) if names else {}).items():
        part = part.with_boundary(name, selector)
    geometries.write(part, output)
    for problem in (*reading.problems, *formats.not_written(part, output)):
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
    from geometries.files import check_apart, check_target
    from meshops.equations.case_file import EXTENSIONS, converts_case, files_of

    check_target(target, (*formats.writable(), *EXTENSIONS))
    as_case = converts_case(source, target)
    read = files_of(source) if as_case else formats.geometry_files(source)
    check_apart(target, read, "the case" if as_case else "the mesh")
    if as_case:
        _convert_case(source, target, options)
        return
    with console.working(f"reading {source.name}"):
        reading = formats.inspect(source, **options)
    part = reading.mesh
    geometries.write(part, target)
    for problem in (*reading.problems, *formats.not_written(part, target)):
        console.say(f"note: {problem}")
    console.say(f"wrote {target} from {part.num_points} points, {part.num_cells} cells")


def _convert_case(source: Path, target: Path, options: Options) -> None:
    from meshops.equations import Case

    given = [f"--{name}" for name, value in options.items() if value]
    if given:
        raise MeshopsError(f"{', '.join(given)} is for meshes; a case file states it by itself.")
    case = Case.read(source)
    case.write(target)
    mesh = "" if target.suffix.lower() == ".inp" else f" and {target.with_suffix('.vtu')}"
    console.say(f"wrote {target}{mesh}: {case.equation.name}, {len(case.conditions)} conditions")


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
    from meshops.data.card import NAME
    from meshops.pictures import draw_card
    from meshops.viz import VizError

    chosen = Recipe.load(recipe, files=files)
    with console.progress("samples") as update:
        samples = run(chosen, output, count=count, seed=seed, workers=workers, scheduler=scheduler, progress=update)
    try:
        with console.working("drawing a few samples"):
            draw_card(samples)
    except VizError as error:  # the data and the card's text are whole
        console.say(f"note: {error}")
    console.say(
        f"wrote {output}: {len(samples)} samples, {len(samples.failed)} failed; look at {samples.folder / NAME}"
    )


def evaluate(run: Path, data: Path, *, split: str = "test", json: bool = False) -> None:
    """Compare a trained operator with the reference and with baselines, on one split of a data set.

    Example: meshops evaluate runs/brackets data/brackets

    Args:
        run: Folder of the run.
        data: Folder of the data set.
        split: test, validation or train, or a further one of the recipe.
        json: Print one JSON object.
    """
    from meshops.data import MeshDataset
    from meshops.evaluation import evaluate as compare
    from meshops.training import Surrogate

    surrogate, samples = Surrogate.load(run), MeshDataset.open(data)
    samples = samples.lifted() if surrogate.schema.lifting else samples
    with console.progress("evaluating") as update:
        result = compare(surrogate, samples.split(split), samples.split("train"), progress=update)
    if json:
        console.print_json({"split": split, **result.to_json()})
        return
    rows = [(result.operator, result.relative_l2), *((n, float(sum(e) / len(e))) for n, e in result.baselines.items())]
    console.table(f"relative L2 on {len(result.samples)} samples ({split})", ("", "mean"), rows)
    if result.by_field:
        console.table("by field", ("", "mean"), list(result.by_field.items()))
    if result.over_time:
        console.table("over time", ("output time", "mean"), list(enumerate(result.over_time, start=1)))


def bench(
    recipe: str,
    *,
    output: Path = Path("bench"),
    operators: str | None = None,
    budget: float = 3.0,
    seeds: int = 1,
    count: int = 1125,
    rates: str | None = None,
    json: bool = False,
) -> None:
    """Train operators for the same time on the same data, and compare them with baselines and the reference solver.

    Example: meshops bench corners --operators multigrid,beno --budget 20

    Args:
        recipe: A recipe file (YAML), or the name of a shipped one (see `meshops recipes`).
        output: Folder; data, runs and rows lie in a folder of the recipe's name in it, and are used again.
        operators: Names with commas between; all by default. NAME+lifting is the operator with the harmonic extension
            of the boundary's values, a classical solve, among its inputs: a hybrid.
        budget: Minutes of training for each operator and seed.
        seeds: Number of runs of each operator.
        count: Number of samples, four fifths of them to train.
        rates: Learning rates with commas between, that of `train` by default; each is tried, and validation chooses.
        json: Print one JSON object.
    """
    from geometries.files import atomic_write
    from meshops.evaluation.bench import Plan
    from meshops.evaluation.bench import bench as run
    from meshops.evaluation.table import brief, markdown

    plan = Plan(recipe, output / Path(recipe).stem, minutes=budget, seeds=seeds, count=count)
    plan = replace(plan, operators=tuple(operators.split(","))) if operators else plan
    plan = replace(plan, rates=_numbers(rates)) if rates else plan
    with console.progress("samples") as update:
        rows = run(plan, note=console.say, progress=update)
    page = plan.folder / "table.md"
    with atomic_write(page) as beside:
        beside.write_text(markdown(plan, rows), encoding="utf-8")
    if json:
        console.print_json({"recipe": recipe, "minutes": budget, "rows": [row.to_json() for row in rows]})
        return
    console.table(f"{Path(recipe).stem}, {budget:g} minutes of training each", *brief(rows))
    console.line(f"wrote {page}, with more columns")


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise MeshopsError(f"found {text!r}; expected numbers with commas between, such as 2e-3,5e-4.") from error


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
    from geometries.files import check_target
    from meshops.answer import scene_of
    from meshops.equations.case_file import names_of
    from meshops.highlight import only
    from meshops.viz import PAGES, PICTURES, interact, regions_scene
    from meshops.viz import html as write_html
    from meshops.viz import screenshot as write_png

    for path, extensions in ((screenshot, PICTURES), (html, PAGES)):
        if path:
            check_target(path, extensions)
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


def demo(*, output: Path = Path("demo"), pretrained: bool = False, json: bool = False) -> None:
    """Read the shipped bracket, train an operator on its siblings, solve the unseen bracket, compare, draw.

    Example: meshops demo

    Args:
        output: Folder for the data set, the run, fields and pictures.
        pretrained: Take the operator that is shipped; nothing is generated or trained.
        json: Print one JSON object.
    """
    from meshops.demo import run, run_pretrained

    result = run_pretrained(output) if pretrained else run(output)
    if json:
        console.print_json(result.to_json())
        return
    console.table("relative L2, mass-weighted, of the scaled field", ("", "unseen shapes", "the part"), result.rows())
    console.table("", ("stage", "seconds"), list(result.seconds.items()))
    for text in result.verdict:
        console.line(text)
    console.line(f"look at: {', '.join(str(p) for p in result.files)}")


Command = Callable[..., int | None]
COMMANDS: tuple[Command, ...] = (
    doctor, inspect, mesh, convert, generate, check, export, import_, train, refine, evaluate, bench, solve, view,
    operators, equations, families, formats, recipes, demo,
)  # fmt: skip
