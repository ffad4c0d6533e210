"""What a student gets with a lab: the files of its bundle, from an allow-list, and their zip."""

from __future__ import annotations

import ast
import hashlib
import io
import json
import re
import stat
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from autograde.course import Course
from autograde.errors import CourseError
from autograde.intake import declared_files

PACKAGE = "course_utils"
DOTTED = re.compile(rf"{PACKAGE}(\.\w+)+")
REPOSITORY = Path(__file__).resolve().parents[1]
TEMPLATES = Path(__file__).resolve().parent / "bundle_files"

# --- the allow-list ------------------------------------------------------------------------------
# Nothing else is ever in a bundle. Of course_utils: the modules that the notebooks of this lab and
# the earlier ones import, directly or not, those of the student's command, and
ASSETS = ("static/*.css", "static/*.js", "data/*.json", "data/*/*.json")
# but data named after a lab only up to this lab. A later bundle is unpacked over an earlier one and
# brings newer modules, so it has to bring the earlier labs' data as well.
COPIED = ("constraints.txt", "environment.yml")
COPIED_IF_THERE = ("LICENSE", "LICENSE.md", "LICENSE.txt")
MADE = (
    "README.md",
    "Makefile",
    "lab.py",
    "pyproject.toml",
    # Students see nbgrader's Validate and Assignment List, not the instructors' tools.
    "jupyter/labconfig/page_config.json",
    "jupyter/jupyter_server_config.json",
)
# What the repository needs and a student does not.
INSTRUCTORS_ONLY = ("jupytext", "rich")
INSTRUCTORS_CODE = ("autograde", "solutions", "tests", "benchmarks")


@dataclass
class Bundle:
    """A lab's bundle: {path in it: bytes}, in order of path.

    problems: why it cannot be given out, one line each (a file is missing or a link).
    left_out: what lies in course_utils and is not on the list; for the instructor to see.
    """

    lab: str
    files: dict[str, bytes] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    @cached_property
    def archive(self) -> bytes:
        """The files as a zip: same files, same bytes (with one version of zlib)."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for name, data in self.files.items():
                info = zipfile.ZipInfo(name, date_time=_date(data))
                info.compress_type = zipfile.ZIP_DEFLATED
                info.create_system = 3  # Unix, so that the permissions count
                info.external_attr = (stat.S_IFREG | 0o644) << 16
                archive.writestr(info, data, compresslevel=9)
        with zipfile.ZipFile(buffer) as archive:
            if archive.testzip() or archive.namelist() != list(self.files):
                raise CourseError(f"{self.lab}: the zip cannot be read back", status=1)
        return buffer.getvalue()


def make(course: Course, lab: str) -> Bundle:
    """The bundle of a lab from what lies on disk now. Nothing is checked for answers here."""
    root = shared_root(course)
    bundle = Bundle(lab)
    files: dict[str, bytes] = {}

    def take(name: str, root: Path = root) -> bytes:
        try:
            data = read(root, name)
        except CourseError as error:
            bundle.problems.append(str(error))
            return b""
        return files.setdefault(name, data)

    notebook = course.release_path(lab).relative_to(course.root).as_posix()
    sources = [(notebook, take(notebook, course.root))]
    for other in labs_up_to(course, lab)[:-1]:
        if (path := course.release_path(other)).is_file():
            sources.append((path.name, path.read_bytes()))
    modules = _Modules(root)
    for name, data in sources:
        modules.add_notebook(name, data)
    for page in course.pages():  # the course map
        name = course.page_path(page).relative_to(course.root).as_posix()
        modules.add_notebook(name, take(name, course.root))
    if course.pages():
        modules.add_command()
    for name in sorted(modules.found):
        take(name)
    bundle.problems += modules.problems
    for name in _assets(root, labs_up_to(course, lab), course.labs()):
        take(name)
    checks = f"{PACKAGE}/data/visible/{lab}.json"
    if f"{PACKAGE}/checks/visible.py" in files and checks not in files:
        bundle.problems.append(f"{checks} is missing; run: python -m autograde checks")
    for name in COPIED:
        take(name)
    for name in COPIED_IF_THERE:
        if (root / name).exists():
            take(name)
    try:
        values = {**_values(root, lab), "pages": course.pages(), "files": _beside(sources[0][1])}
        files.update((name, _render(name, values)) for name in MADE)
    except CourseError as error:
        bundle.problems.append(str(error))
    bundle.files = dict(sorted(files.items()))
    bundle.left_out = [name for name in _lying_there(root) if name not in files]
    return bundle


def shared_root(course: Course) -> Path:
    """Where a course's bundles have what all labs share from: course_utils, constraints.txt, ...

    The course's folder or, where that has no course_utils (a demonstration), this repository.
    """
    return course.root if (course.root / PACKAGE).exists() else REPOSITORY


def in_order(labs: list[str]) -> list[str]:
    """Labs in the order of the course: by name, numbers in it by value (lab2 before lab10)."""

    def key(lab: str) -> list[str | int]:
        return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", lab)]

    return sorted(labs, key=key)


def labs_up_to(course: Course, lab: str) -> list[str]:
    """The labs of a course from its first to this one."""
    labs = in_order(course.labs())
    return labs[: labs.index(lab) + 1]


def read(root: Path, name: str) -> bytes:
    """The bytes of a regular file below `root`. CourseError if it is missing or behind a link."""
    path = root / name
    for part in (path, *path.parents):
        if part == root:
            break
        if part.is_symlink():
            raise CourseError(f"{part.relative_to(root)} is a link: put the file itself there")
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            raise CourseError(f"{name} is no regular file")
        return path.read_bytes()
    except FileNotFoundError:
        raise CourseError(f"{name} is missing") from None
    except OSError as error:
        raise CourseError(f"{name} cannot be read: {error.strerror}") from None


def _date(data: bytes) -> tuple[int, int, int, int, int, int]:
    """A date for a file in a zip that depends on its content only.

    Not one date for all: Python takes a cached module for up to date if its source has the same
    date and size, so that a second bundle unpacked over the first could go on with the old code.
    """
    seconds = int.from_bytes(hashlib.sha256(data).digest()[:4], "big") % 43_200 * 2
    return 2026, 1, 1, seconds // 3600, seconds // 60 % 60, seconds % 60


# --- course_utils --------------------------------------------------------------------------------


class _Modules:
    """The modules of course_utils that notebooks need, found by following their imports."""

    def __init__(self, root: Path):
        self.root = root
        self.found: set[str] = set()
        self.problems: list[str] = []

    def add_notebook(self, name: str, data: bytes) -> None:
        try:
            cells = json.loads(data)["cells"]
            texts = ["".join(c["source"]) for c in cells if c["cell_type"] == "code"]
        except (ValueError, KeyError, TypeError):
            if data:
                self.problems.append(f"{name} is no notebook")
            return
        for text in texts:
            plain = re.sub(r"^\s*[%!?].*$", "", text, flags=re.MULTILINE)
            self._follow(plain, name, "")

    def add_command(self) -> None:
        """What `python -m course_utils` needs."""
        self._add(f"{PACKAGE}.__main__", f"python -m {PACKAGE}")

    def _follow(self, code: str, where: str, package: str) -> None:
        try:
            tree = ast.parse(code)
        except (SyntaxError, ValueError):
            tree = ast.parse("")
            for module in re.findall(rf"\b{PACKAGE}(?:\.\w+)*", code):
                self._add(module, where, must=False)
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    self._add(alias.name, where)
            elif isinstance(node, ast.ImportFrom):
                base = package.split(".")[: len(package.split(".")) - node.level + 1]
                parts = [*(base if node.level else []), *filter(None, [node.module])]
                self._add(".".join(parts), where)
                for alias in node.names:  # a module, or a name in one
                    self._add(".".join([*parts, alias.name]), where, must=False)
            elif isinstance(node, ast.Constant) and DOTTED.fullmatch(str(node.value)):
                self._add(node.value, where, must=False)  # for importlib

    def _add(self, module: str, where: str, must: bool = True) -> None:
        top = module.split(".")[0]
        if top in INSTRUCTORS_CODE and must:
            self.problems.append(f"{where} imports {module}, which students do not have")
        if top != PACKAGE:
            return
        for end in range(1, module.count(".") + 2):
            parts = module.split(".")[:end]
            path = "/".join(parts)
            for name in (f"{path}.py", f"{path}/__init__.py"):
                if (self.root / name).exists() or (self.root / name).is_symlink():
                    self._read(
                        name, ".".join(parts if name.endswith("__init__.py") else parts[:-1])
                    )
                    break
            else:
                problem = f"{path}.py is missing, which {where} imports"
                if must and problem not in self.problems:
                    self.problems.append(problem)
                return

    def _read(self, name: str, package: str) -> None:
        if name not in self.found:
            self.found.add(name)
            try:
                code = read(self.root, name).decode("utf-8")
            except (CourseError, UnicodeDecodeError):
                return  # reported when it is taken
            self._follow(code, name, package)


def _assets(root: Path, ours: list[str], labs: list[str]) -> Iterator[str]:
    later = [lab for lab in labs if lab not in ours]
    for pattern in ASSETS:
        for path in sorted((root / PACKAGE).glob(pattern)):
            if not any(re.match(rf"{re.escape(lab)}(?![0-9A-Za-z])", path.name) for lab in later):
                yield path.relative_to(root).as_posix()


def _lying_there(root: Path) -> list[str]:
    paths = sorted((root / PACKAGE).rglob("*"))
    hidden = re.compile(r"(^|/)(__pycache__|\.[^/]*)(/|$)")
    names = [path.relative_to(root).as_posix() for path in paths if not path.is_dir()]
    return [name for name in names if not hidden.search(name)]


# --- what is made for students -------------------------------------------------------------------


def _beside(notebook: bytes) -> list[str]:
    """The files that students hand in beside a released notebook."""
    try:
        return list(declared_files(json.loads(notebook)).values())
    except (ValueError, KeyError, TypeError, AttributeError):
        return []  # not built, which is a problem of its own


def _values(root: Path, lab: str) -> dict:
    """What the templates say, from the repository's own pyproject.toml and environment.yml."""
    text = read(root, "pyproject.toml").decode("utf-8")
    try:
        settings = _toml(text)
        project = settings["project"]
        wanted = project["requires-python"]
        least, below = re.fullmatch(r">=3\.(\d+),<3\.(\d+)", wanted.replace(" ", "")).groups()
        minors = range(int(least), int(below))
        conda = re.search(r"^name:\s*(\S+)", read(root, "environment.yml").decode(), re.MULTILINE)
        return {
            "lab": lab,
            "version": project["version"],
            "requires_python": wanted,
            "python": f"3.{minors[0]} to 3.{minors[-1]}",
            "newest": f"3.{minors[-1]}",
            "pythons": " ".join(f"python3.{minor}" for minor in reversed(minors)),
            "least": f"(3, {minors[0]})",
            "below": f"(3, {minors[-1] + 1})",
            "dependencies": [json.dumps(d) for d in students_dependencies(project["dependencies"])],
            "build_requires": json.dumps(settings["build-system"]["requires"]),
            "build_backend": settings["build-system"]["build-backend"],
            "package_data": json.dumps(settings["tool"]["setuptools"]["package-data"][PACKAGE]),
            "conda_env": conda[1],
        }
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise CourseError(
            f"pyproject.toml or environment.yml lacks what a bundle needs ({error})"
        ) from None


def students_dependencies(dependencies: list[str]) -> list[str]:
    """Of the repository's requirements those that a student needs, in its order."""
    return [d for d in dependencies if requirement_name(d) not in INSTRUCTORS_ONLY]


def requirement_name(requirement: str) -> str:
    """The distribution that a requirement names, as package indexes spell it."""
    return re.sub(r"[-_.]+", "-", re.match(r"\s*([\w.-]+)", requirement)[1]).lower()


def _toml(text: str) -> dict:
    try:
        import tomllib
    except ImportError:  # Python 3.10; JupyterLab brings it there
        import tomli as tomllib
    return tomllib.loads(text)


def _render(name: str, values: dict) -> bytes:
    import jinja2

    if not (TEMPLATES / f"{name}.j2").is_file():
        return read(TEMPLATES, name)
    template = read(TEMPLATES, f"{name}.j2").decode("utf-8")
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    return environment.from_string(template).render(values).encode("utf-8")
