"""The instructor's commands and how they report: one line for a mistake, status 2.

Everything heavy (nbgrader, torch, the judge) is imported inside the command that needs it, so
that `--help` and a mistyped argument answer at once. Messages go to stderr, results to stdout.
"""

from __future__ import annotations

import sys

import click

from autograde.errors import CourseError

COURSE_OPTION = click.option(
    "--course",
    "course_dir",
    metavar="DIR",
    help="The course's folder (default: the one around the working directory).",
)
DB_OPTION = click.option(
    "--db", metavar="URL", help="Another gradebook, as a SQLAlchemy URL (default: SQLite)."
)


class LazyGroup(click.Group):
    """A command group whose `corpus` command is imported only when it is asked for."""

    LAZY = {"corpus": ("autograde.corpus", "corpus_command", "Measure the tests on the corpus.")}  # noqa: RUF012

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
    if stale:
        raise SystemExit(1)


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
