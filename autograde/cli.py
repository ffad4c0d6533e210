"""The instructor's commands and how they report: one line for a mistake, status 2.

Everything heavy (nbgrader, torch, the judge) is imported inside the command that needs it, so
that `--help` and a mistyped argument answer at once. Messages go to stderr, results to stdout.
"""

from __future__ import annotations

import sys

import click

from autograde.errors import CourseError, check_writable

COURSE_OPTION = click.option(
    "--course",
    "course_dir",
    metavar="DIR",
    help="The course's folder (default: the one around the working directory).",
)
DB_OPTION = click.option(
    "--db",
    metavar="URL",
    envvar="COURSE_DB",
    help="Another gradebook, as a SQLAlchemy URL (default: $COURSE_DB, else SQLite).",
)


class LazyGroup(click.Group):
    """A command group whose heavier commands are imported only when they are asked for."""

    LAZY = {  # noqa: RUF012
        "checks": ("autograde.stored_checks", "checks_command", "Generate the visible checks."),
        "collect": ("autograde.collect", "collect_command", "Take in what a class handed in."),
        "corpus": ("autograde.corpus", "corpus_command", "Measure the tests on the corpus."),
        "feedback": ("autograde.handback", "feedback_command", "Pack the pages for an LMS."),
        "leaderboard": ("autograde.leaderboard", "leaderboard_command", "Rank the class's agents."),
        "release": ("autograde.release", "release_command", "Make the bundle that students get."),
        "report": ("autograde.report", "report_command", "What the class got right and wrong."),
        "status": ("autograde.status", "status_command", "How far each lab has come."),
    }

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *(n for n in self.LAZY if self._exists(n))})

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name in self.LAZY and self._exists(name):
            import importlib

            module, attribute, _ = self.LAZY[name]
            return getattr(importlib.import_module(module), attribute)
        return super().get_command(ctx, name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = []
        for name in self.list_commands(ctx):
            if name in self.LAZY:
                rows.append((name, self.LAZY[name][2]))
            else:
                rows.append((name, super().get_command(ctx, name).get_short_help_str(70)))
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def _exists(self, name: str) -> bool:
        import importlib.util

        return importlib.util.find_spec(self.LAZY[name][0]) is not None


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
def cli() -> None:
    """Build labs, grade a class, measure the tests."""


@cli.command()
@click.argument("lab", required=False)
@click.option("--check", is_flag=True, help="Change nothing; exit 1 if notebooks/ is out of step.")
@COURSE_OPTION
def build(lab: str | None, check: bool, course_dir: str | None) -> None:
    """Make notebooks/LAB from solutions/LAB.py (default: every lab)."""
    from autograde import build as builder
    from autograde.course import Course

    course = Course.open(course_dir)
    labs = [course.check_lab(lab)] if lab else course.labs()
    if not labs:
        raise CourseError(f"no labs: {course.solutions} is empty")
    stale = 0
    for name in labs:
        if check:
            problem = builder.out_of_step(course, name)
            stale += problem is not None
            click.echo(problem or f"notebooks/{name}/{name}.ipynb is in step", err=bool(problem))
        else:
            path, changed = builder.build(course, name)
            shown = path.relative_to(course.root)
            click.echo(f"{shown} {'written' if changed else 'unchanged'}")
    for page in [] if lab else course.pages():
        if check:
            problem = builder.page_out_of_step(course, page)
            stale += problem is not None
            click.echo(problem or f"notebooks/{page}.ipynb is in step", err=bool(problem))
        else:
            path, changed = builder.build_page(course, page)
            shown = path.relative_to(course.root)
            click.echo(f"{shown} {'written' if changed else 'unchanged'}")
    if stale:
        raise SystemExit(1)


@cli.command()
@click.argument("lab")
@click.option("--json", "json_file", metavar="FILE", help="Write the results as JSON (-: stdout).")
@click.option("--student", "students", metavar="S", multiple=True, help="Only this student.")
@click.option(
    "--jobs", type=click.IntRange(1), metavar="N", help="Kernels at a time (default: all cores)."
)
@click.option("--force", is_flag=True, help="Grade again what has not changed since.")
@click.option(
    "--fresh-inputs",
    is_flag=True,
    help="Draw the hidden tests' inputs anew and grade everyone again with them.",
)
@click.option(
    "--unsandboxed", is_flag=True, help="Run students' code with your own rights. Dangerous."
)
@click.option(
    "--cell-seconds",
    type=click.IntRange(1),
    metavar="N",
    help="CPU seconds a cell may use (default: 60).",
)
@click.option("--no-feedback", is_flag=True, help="Do not write the students' feedback pages.")
@click.option(
    "--executor",
    metavar="WHERE",
    default="local",
    help="Where students' code runs: local (default), or dask://HOST:PORT, a Dask scheduler.",
)
@COURSE_OPTION
@DB_OPTION
def grade(
    lab: str,
    json_file: str | None,
    students: tuple[str, ...],
    jobs: int | None,
    force: bool,
    fresh_inputs: bool,
    unsandboxed: bool,
    cell_seconds: int | None,
    no_feedback: bool,
    executor: str,
    course_dir: str | None,
    db: str | None,
) -> int:
    """Grade every submission of LAB in autograde/submitted/<student>/LAB/.

    Marks go to the gradebook, executed notebooks to autograde/autograded, pages for the students
    to autograde/feedback. What has been graded and has not changed is not graded again, so that
    a stopped run goes on where it was. The hidden tests' inputs are drawn once and kept, so that
    everyone is asked the same and grading again gives the same marks. Exit status: 0 when every
    submission has a mark (0 points for one that cannot be read), 1 when some could not be given
    one, 2 for wrong arguments.
    """
    from autograde.course import Course

    if fresh_inputs and students:
        raise click.UsageError("--fresh-inputs is for the whole class: leave --student out.")
    course = Course.open(course_dir, db)
    course.check_lab(lab)
    limits = {}
    if cell_seconds:
        limits = {"cell_cpu_s": cell_seconds, "cell_wall_s": 4 * cell_seconds}
    return grade_and_report(
        course,
        lab,
        json_file,
        only=students,
        jobs=jobs,
        executor=executor,
        force=force,
        fresh_inputs=fresh_inputs,
        sandbox="none" if unsandboxed else "auto",
        limits=limits,
        feedback=not no_feedback,
    )


@cli.command()
@click.option("--keep", metavar="DIR", help="Where to make the course (default: a new folder).")
@click.option(
    "--jobs", type=click.IntRange(1), metavar="N", help="Kernels at a time (default: all cores)."
)
@click.option(
    "--unsandboxed", is_flag=True, help="Run the made-up students' code with your own rights."
)
@COURSE_OPTION
def demo(keep: str | None, jobs: int | None, unsandboxed: bool, course_dir: str | None) -> int:
    """Make a class of 24 (good, wrong, unfinished, broken, late) and grade it."""
    import tempfile
    from pathlib import Path

    from autograde import demo as maker
    from autograde.course import Course

    repository = Course.open(course_dir)
    folder = Path(keep).expanduser() if keep else Path(tempfile.mkdtemp(prefix="course-demo-"))
    course = maker.make_class(repository, folder.resolve())
    click.echo(f"a class of {len(maker.ROSTER)} in {course.root}", err=True)
    status = grade_and_report(
        course,
        maker.LAB,
        jobs=jobs,
        sandbox="none" if unsandboxed else "auto",
        limits={"cell_cpu_s": maker.CELL_SECONDS, "cell_wall_s": 6 * maker.CELL_SECONDS},
    )
    click.echo(
        f"\ngradebook:          {course.root / 'autograde/gradebook.db'}\n"
        f"executed notebooks: {course.autograded}\n"
        f"students' feedback: {course.feedback}\n"
        f"Again, unchanged ones are skipped: python -m autograde grade {maker.LAB} "
        f"--course {course.root}"
    )
    return status


def grade_and_report(
    course,
    lab: str,
    json_file: str | None = None,
    *,
    jobs: int | None = None,
    executor: str = "local",
    sandbox: str = "auto",
    **options,
) -> int:
    """grade_class with a progress bar and a line per submission on stderr, then the table."""
    from contextlib import ExitStack
    from pathlib import Path

    from autograde import executors
    from autograde.aside import Aside
    from autograde.intake import students
    from autograde.runstate import RunState

    if json_file and json_file != "-":
        check_writable(Path(json_file))
    with ExitStack() as stack:
        workers = executors.connect(executor, jobs)
        stack.callback(workers.close)
        sandbox = workers.wall(sandbox)
        graded = any(RunState(course, lab).graded.glob("*.json"))
        if students(course, lab) and (options.get("force") or not graded):
            # While this process imports nbgrader: both take seconds, and there is work for sure.
            workers.start(sandbox)
            aside = Aside(executors.beside(workers.jobs))
            stack.callback(aside.close)
            options["aside"] = aside
        options |= {"jobs": workers.jobs, "make_executor": workers.make, "sandbox": sandbox}
        if workers.execute is not None:
            options["execute"] = workers.execute
        return _grade_and_report(course, lab, json_file, **options)


def _grade_and_report(course, lab: str, json_file: str | None, **options) -> int:
    from pathlib import Path

    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    from autograde.build import write_atomically
    from autograde.intake import one_line, shown
    from autograde.sandbox.probe import probe

    console = Console(stderr=True, highlight=False)
    columns = (TextColumn("grading"), BarColumn(), MofNCompleteColumn(), Remaining())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("grading", total=None)

        def on_start(total: int) -> None:
            if options["sandbox"] != "auto":  # that is each worker's to find out
                text = escape(f"Isolation: {probe(options['sandbox'])}")
                progress.console.print(text, soft_wrap=True)
            progress.update(task, total=total)

        def on_row(row) -> None:
            mark = "no mark" if row.score is None else f"{row.score:g}/{row.max:g}"
            again = " (unchanged)" if row.unchanged else ""
            line = one_line(f"{shown(row.student)}: {mark}{again}  {row.what_went_wrong}").rstrip()
            progress.console.print(escape(line), soft_wrap=True)
            progress.advance(task)

        from autograde.grade import grade_class

        result = grade_class(
            course,
            lab,
            on_start=on_start,
            on_row=on_row,
            **options,
        )
    if json_file == "-":
        click.echo(result.to_json(), nl=False)
    else:
        if json_file:
            try:
                target = Path(json_file).resolve()
                if target.exists() and not target.is_file():  # a pipe
                    target.write_text(result.to_json(), encoding="utf-8")
                else:
                    write_atomically(target, result.to_json().encode())
            except OSError as error:
                raise CourseError(f"--json {json_file}: {error.strerror}") from None
        out = Console(highlight=False)
        out = out if out.is_terminal else Console(highlight=False, width=160)
        out.print(result.table())
        out.print(escape(result.legend()), soft_wrap=True)
    return 1 if result.failed else 0


def main(arguments: list[str] | None = None) -> int:
    """Run a command; its exit status. 2: the command was given something it cannot use."""
    try:
        result = cli.main(args=arguments, prog_name="python -m autograde", standalone_mode=False)
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "python -m autograde"
        click.echo(f"{error.format_message()} Type: {command} --help", err=True)
        return 2
    except click.ClickException as error:
        click.echo(error.format_message(), err=True)
        return 2
    except CourseError as error:
        click.echo(f"autograde: {error}", err=True)
        return error.status
    except (click.Abort, KeyboardInterrupt):
        click.echo("autograde: stopped; run the same command again to go on", err=True)
        return 130
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else 1
    return result if isinstance(result, int) else 0


if __name__ == "__main__":
    sys.exit(main())
