"""pyproject.toml, constraints.txt and environment.yml say the same about what is installed."""

import re
import sys
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LINES = [
    line
    for line in (ROOT / "constraints.txt").read_text().splitlines()
    if line and not line.startswith("#")
]


def name_of(requirement: Requirement) -> str:
    return re.sub(r"[-_.]+", "-", requirement.name).lower()


PINS: dict[str, list[Requirement]] = {}
for text in LINES:
    PINS.setdefault(name_of(Requirement(text)), []).append(Requirement(text))


def test_every_constraint_is_an_exact_pin():
    for pins in PINS.values():
        for pin in pins:
            assert re.fullmatch(r"==[^,*]+", str(pin.specifier)), str(pin)


def test_every_requirement_is_pinned_within_its_range():
    extras = PROJECT["optional-dependencies"].values()
    for text in [*PROJECT["dependencies"], *(text for extra in extras for text in extra)]:
        requirement = Requirement(text)
        if requirement.name == PROJECT["name"]:  # an extra that holds others
            continue
        pins = PINS.get(name_of(requirement))
        assert pins, f"{text} is not in constraints.txt: make constraints"
        for pin in pins:
            version = str(pin.specifier).removeprefix("==")
            assert requirement.specifier.contains(version), f"{text} against {pin}"


def test_torch_is_the_same_everywhere():
    assert [str(pin.specifier) for pin in PINS["torch"]] == ["==2.13.0"]
    assert "torch==2.13.0" in PROJECT["dependencies"]


def test_every_supported_python_has_its_pin():
    """For each Python and the main platforms, at most one pin of a package applies."""
    for version in ("3.10", "3.11", "3.12", "3.13"):
        for system, platform in (("Linux", "linux"), ("Darwin", "darwin"), ("Windows", "win32")):
            environment = {
                "python_version": version,
                "python_full_version": f"{version}.9",
                "platform_system": system,
                "sys_platform": platform,
                "os_name": "nt" if platform == "win32" else "posix",
                "platform_machine": "x86_64",
                "implementation_name": "cpython",
                "platform_python_implementation": "CPython",
            }
            for name, pins in PINS.items():
                fits = [p for p in pins if p.marker is None or p.marker.evaluate(environment)]
                assert len(fits) <= 1, f"{name} on {platform}, Python {version}: {fits}"


def test_conda_installs_the_same_through_the_same_files():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    pip = next(item["pip"] for item in environment["dependencies"] if isinstance(item, dict))
    assert pip == ["--constraint constraints.txt", "--editable ."]
    python = next(
        item for item in environment["dependencies"] if str(item).startswith("python=")
    ).removeprefix("python=")
    assert SpecifierSet(PROJECT["requires-python"]).contains(f"{python}.0")


def test_what_is_installed_here_is_what_is_pinned():
    from importlib.metadata import version

    for name in ("torch", "gymnasium", "nbgrader", "jupyterlab", "anywidget", "numpy"):
        fits = [p for p in PINS[name] if p.marker is None or p.marker.evaluate()]
        assert len(fits) == 1
        assert fits[0].specifier.contains(version(name)), f"{name} {version(name)}: {fits[0]}"
