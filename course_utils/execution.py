"""Where this code runs (graded, in a browser, headless) and how demo cells behave there."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from types import TracebackType
from typing import Any


def is_grading() -> bool:
    """True while nbgrader runs the notebook (it sets NBGRADER_EXECUTION), false for a student."""
    return bool(os.environ.get("NBGRADER_EXECUTION"))


def kernel_shell() -> Any | None:
    """The IPython shell of a Jupyter kernel, or None in plain Python and terminal IPython."""
    ipython = sys.modules.get("IPython")  # a kernel has imported it; plain Python stays light
    shell = ipython.get_ipython() if ipython is not None else None
    return shell if getattr(shell, "kernel", None) is not None else None


def has_frontend() -> bool:
    """True if somebody looks at this notebook in a program that can show widgets.

    There is no official way to ask. JupyterLab, Notebook and VS Code name the cell in every
    execution request (``metadata.cellId``); nbclient, and so nbconvert, nbgrader and papermill,
    send no metadata. Environment variables do not tell the two apart: a kernel that nbclient
    starts from a JupyterLab terminal or cell inherits JupyterLab's.
    """
    shell = kernel_shell()
    if shell is None or is_grading():
        return False
    if "google.colab" in sys.modules or "__vsc_ipynb_file__" in shell.user_ns:
        return True
    try:
        request = shell.kernel.get_parent("shell")
    except Exception:  # a kernel of another make: say no, the static figures still appear
        return False
    return bool((request or {}).get("metadata", {}).get("cellId"))


def display_html(html: str, text: str = "") -> None:
    """Show HTML in the notebook (``text`` where HTML cannot be shown); nothing in plain Python."""
    if kernel_shell() is None:
        return
    from IPython.display import display

    display({"text/html": html, "text/plain": text}, raw=True)


def unwritten_function(error: BaseException) -> str | None:
    """Name of the student's function that still is a stub, if that is what ``error`` says.

    A stub is a bare ``raise NotImplementedError()`` in the notebook. PyTorch and Gymnasium raise
    the same type for other reasons, with a text or from installed files: those return None.
    """
    if not isinstance(error, NotImplementedError) or error.args:
        return None
    trace: TracebackType | None = error.__traceback__
    if trace is None:
        return None
    while trace.tb_next is not None:
        trace = trace.tb_next
    code = trace.tb_frame.f_code
    if "site-packages" in code.co_filename or "dist-packages" in code.co_filename:
        return None
    if code.co_name in ("__init__", "forward") and "self" in trace.tb_frame.f_locals:
        return type(trace.tb_frame.f_locals["self"]).__name__  # what is to be written is a class
    name = getattr(code, "co_qualname", code.co_name)  # co_qualname: Python 3.11
    return name.rpartition("<locals>.")[2]


def todo_message(name: str) -> str:
    """The line a demo cell prints when it needs a function that is still a stub."""
    what = "A function this cell needs" if name.startswith("<") else name
    return f"{what} is not written yet: complete its cell above, then run this one again."


@contextlib.contextmanager
def todo_guard() -> Iterator[None]:
    """Let a demo cell that meets an unwritten function say so in one line instead of failing.

    Usable as ``with todo_guard():`` and as ``@todo_guard()``. Every other error passes through.
    """
    try:
        yield
    except NotImplementedError as error:
        name = unwritten_function(error)
        if name is None:
            raise
        print(todo_message(name))
