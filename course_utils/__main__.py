"""The student's command: python -m course_utils check LAB."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from course_utils import progress


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """What a student can ask without JupyterLab, in VS Code's terminal or in Colab."""


@main.command()
@click.argument("lab", required=False)
@click.option(
    "--notebook", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The notebook, if it does not lie at notebooks/LAB/LAB.ipynb.",
)  # fmt: skip
def check(lab: str | None, notebook: Path | None) -> None:
    """Run the checks of LAB in your notebook and say which exercises pass.

    Save the notebook first. Exit status: 0 when every exercise passes, 1 when one does not, 2
    when there is nothing to check.
    """
    from tqdm import tqdm

    if notebook is None:
        labs = [entry["lab"] for entry in progress.course_map()]
        if lab not in labs:
            named = f"there is no lab {lab!r}" if lab else "name a lab"
            raise click.UsageError(f"{named}; labs: {', '.join(labs)}")
        notebook = progress.find_notebook(lab)
        if notebook is None:
            raise click.UsageError(
                f"there is no notebooks/{lab}/{lab}.ipynb here or above: go to the course's "
                "folder, or name the file: --notebook FILE"
            )
    bar = tqdm(desc="checking", unit="cell", leave=False, file=sys.stderr)

    def on_cell(done: int, total: int) -> None:
        bar.total = total
        bar.update(done - bar.n)

    try:
        state = progress.check(notebook, on_cell)
    except progress.NotebookProblem as problem:
        raise click.UsageError(str(problem)) from None
    finally:
        bar.close()
    if not state.exercises:
        raise click.UsageError(f"{notebook} has no exercises: is it a lab of this course?")
    width = max(len(exercise.name) for exercise in state.exercises)
    for exercise in state.exercises:
        word = "passes" if exercise.passed else "not yet" if exercise.written else "not written"
        click.echo(f"{exercise.name:<{width}}  {word}")
    for exercise in state.exercises:
        if exercise.written and not exercise.passed:
            click.echo(f"\n{exercise.message}")
    click.echo(f"\n{state.passed} of {len(state.exercises)} exercises pass their visible check.")
    if state.unanswered:
        click.echo("One question still needs an answer in your own words.")
    if state.next:
        click.echo(f"Next: {state.next}")
        raise SystemExit(1)


if __name__ == "__main__":
    main(prog_name="python -m course_utils")
