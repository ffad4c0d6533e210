"""Where code runs, and how demo cells meet functions that are not written yet."""

import subprocess
import sys

import nbformat
import pytest
import torch
from nbclient import NotebookClient

from course_utils import execution
from course_utils.execution import has_frontend, is_grading, todo_guard, unwritten_function


class FakeShell:
    """The parts of a kernel's shell that are looked at."""

    def __init__(self, metadata, user_ns=None):
        self.user_ns = user_ns or {}
        self.kernel = self
        self.metadata = metadata

    def get_parent(self, channel):
        assert channel == "shell"
        return {"metadata": self.metadata}


@pytest.fixture
def shell(monkeypatch):
    def use(metadata, **options):
        monkeypatch.setattr(execution, "kernel_shell", lambda: FakeShell(metadata, **options))

    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    return use


@pytest.mark.parametrize("mode", ["autograde", "validate"])
def test_nbgrader_is_grading(monkeypatch, mode):
    monkeypatch.setenv("NBGRADER_EXECUTION", mode)
    assert is_grading()
    monkeypatch.delenv("NBGRADER_EXECUTION")
    assert not is_grading()


def test_plain_python_has_no_frontend():
    assert execution.kernel_shell() is None
    assert not has_frontend()


def test_jupyterlab_names_the_cell(shell):
    shell({"cellId": "c0", "trusted": True})
    assert has_frontend()
    shell({})
    assert not has_frontend()


def test_no_frontend_while_grading(shell, monkeypatch):
    shell({"cellId": "c0"})
    monkeypatch.setenv("NBGRADER_EXECUTION", "validate")
    assert not has_frontend()


def test_vscode_is_a_frontend(shell):
    shell({}, user_ns={"__vsc_ipynb_file__": "lab.ipynb"})
    assert has_frontend()


def test_import_course_utils_is_cheap():
    code = (
        "import sys, course_utils; heavy = {'torch', 'numpy', 'matplotlib', 'gymnasium', 'IPython'}"
        "; print(sorted(heavy & set(sys.modules)), course_utils.__version__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["[]", "0.1.0"]


def my_loss(x):
    raise NotImplementedError()


def caller():
    return my_loss(1)


def test_todo_guard_names_the_innermost_stub(capsys):
    with todo_guard():
        caller()
    assert capsys.readouterr().out == (
        "my_loss is not written yet: complete its cell above, then run this one again.\n"
    )


def test_todo_guard_names_methods_and_decorates(capsys):
    class Net:
        def __init__(self, written=False):
            if not written:
                raise NotImplementedError

        def forward(self):
            raise NotImplementedError

    @todo_guard()
    def cell(written):
        Net(written).forward()

    for written in (False, True):  # to a student both are the class that is not written
        cell(written)
        assert capsys.readouterr().out.startswith("Net is not written yet")


def test_todo_guard_lets_other_errors_through():
    with pytest.raises(ZeroDivisionError), todo_guard():
        _ = 1 / 0
    with pytest.raises(NotImplementedError, match="no kernel for"), todo_guard():
        raise NotImplementedError("no kernel for this type")


def test_an_error_of_a_library_is_not_a_stub():
    try:
        torch.nn.Module()(1)  # raises NotImplementedError because forward is missing
    except NotImplementedError as error:
        assert unwritten_function(error) is None
    assert unwritten_function(ValueError()) is None


def test_a_stub_in_the_cell_itself_has_no_odd_name(capsys):
    with todo_guard():
        exec(compile("raise NotImplementedError()", "cell", "exec"), {})
    assert "<module>" not in capsys.readouterr().out


NOTEBOOK = """
import os
from course_utils.execution import has_frontend, kernel_shell
from course_utils.training import Monitor
print(has_frontend(), kernel_shell() is not None)
with Monitor(1000, goal=5, title='a < "b"', window=10) as monitor:
    for step in range(100, 1100, 100):
        monitor.episodes([1.0, float(step)], step)
        monitor.log(entropy=0.5)
"""


@pytest.mark.parametrize("grading", [False, True])
def test_nbclient_gets_one_figure_and_grading_none(monkeypatch, grading):
    # What a kernel inherits when nbclient is started from a cell or terminal of JupyterLab.
    monkeypatch.setenv("JPY_SESSION_NAME", "lab.ipynb")
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    if grading:
        monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(NOTEBOOK)])
    NotebookClient(notebook, timeout=60, shutdown_kernel="immediate").execute()
    outputs = notebook.cells[0].outputs
    assert outputs[0].text == "False True\n"
    assert [o.output_type for o in outputs] == ["stream"] + ["display_data"] * (not grading)
    if not grading:
        page = outputs[1].data["text/html"]
        assert page.count("<img ") == 1
        assert 'alt="Learning curve of a &lt; &quot;b&quot;. Solved (goal 5) after' in page
        assert "application/vnd.jupyter.widget-view+json" not in outputs[1].data
