"""Right solutions with something unusual, which is to cost nothing."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable

from hostile.kit import GRADIENT, SCHEDULE, VALUE, cell_of, new_cell

from autograde import demo
from autograde.demo import Material

# What stands before and after a solution in its cell, by name: (exercise, before, after).
AROUND = {
    "prints": (
        "probability_ratio",
        "import sys, warnings, logging\nprint('working')\nprint('!', file=sys.stderr)\n"
        "warnings.warn('careful')\nlogging.warning('log')\n",
        "\nprint(3.0)\n3.0",
    ),
    "threads": (
        "clipped_surrogate_loss",
        "import threading, time\nthreading.Thread(target=time.sleep, args=(600,), daemon=True)"
        ".start()\nthreading.Thread(target=print, args=('hello',)).start()\n",
        "",
    ),
    "figures": (
        GRADIENT,
        "import matplotlib.pyplot as plt\nplt.plot([1, 2]); plt.show()\nplt.figure()\n",
        "",
    ),
    "time": (VALUE, "%%time\n", ""),
    "capture": ("approx_kl", "%%capture captured\n", ""),
    "magics": (
        "minibatch_indices",
        "%matplotlib inline\n!ls\nx = !ls\n%load_ext autoreload\n",
        "\n%who\n",
    ),
    "await": (SCHEDULE, "import asyncio\nawait asyncio.sleep(0)\n", ""),
    "future": (
        "ppo_update",
        "from __future__ import annotations\n",
        "\nx: Unknown[int] | None = None",
    ),
}
STATE = {
    "silenced": (
        "probability_ratio",
        "import os, sys\nsys.stdout = open(os.devnull, 'w')\n",
        "",
    ),
    "processes": (
        "clipped_surrogate_loss",
        "import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'print(1)'])\n"
        "from torch.utils.data import DataLoader\n"
        "list(DataLoader(torch.arange(4), num_workers=2))\n",
        "",
    ),
    "all_values_shown": (
        GRADIENT,
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "InteractiveShell.ast_node_interactivity = 'all'\n",
        "",
    ),
    "warnings_are_errors": ("approx_kl", "import warnings\nwarnings.simplefilter('error')\n", ""),
    "names_of_pythons_own": (
        VALUE,
        "open = id = repr = input = dir = vars = hash = compile = None\n",
        "",
    ),
    "elsewhere": ("minibatch_indices", "import os\nos.chdir('/tmp')\nos.environ.clear()\n", ""),
    "handlers": (
        SCHEDULE,
        "import atexit, gc, signal, time\natexit.register(print)\ngc.disable()\ntime.sleep(1)\n"
        "signal.signal(signal.SIGALRM, lambda *a: None)\n",
        "",
    ),
    "busy_thread": (
        "ppo_update",
        "import threading, time\n"
        "threading.Thread(target=lambda: [time.sleep(0.01) for _ in range(10**4)], daemon=True)"
        ".start()\n",
        "",
    ),
}
MORE_AROUND = {
    "unicode_names": (
        "probability_ratio",
        "größe_β: float = 1.0\nラムダ = 'λ'\nprint(größe_β, ラムダ)\n",
        "",
    ),
    "globals": (
        "minibatch_indices",
        "torch.set_default_dtype(torch.float32)\ntorch.set_num_threads(2)\n"
        "torch.manual_seed(1)\nnp.seterr(all='ignore')\n_ = 5; In = Out = None\n",
        "",
    ),
}


def _around(cells: dict[str, tuple[str, str, str]]) -> Callable[[dict], None]:
    def change(nb: dict) -> None:
        for name, before, after in cells.values():
            cell = cell_of(nb, name)
            cell["source"] = before + cell["source"] + after

    return change


def _helpers(nb: dict) -> None:
    cell_of(nb, SCHEDULE)["source"] = (
        "def linear_schedule(update, n_updates, initial):\n"
        "    return initial * remaining(update, n_updates)"
    )
    index = nb["cells"].index(cell_of(nb, SCHEDULE))
    nb["cells"].insert(index + 1, new_cell("print(linear_schedule(1, 4, 1.0))\n1 / 0"))
    nb["cells"].insert(index, new_cell("def remaining(a, b):\n    return 1 - a / b"))


def _split(nb: dict) -> None:
    cell = cell_of(nb, SCHEDULE)
    index = nb["cells"].index(cell)
    first = {**copy.deepcopy(cell), "id": "first-half", "source": "LEFT = 1.0"}
    cell["source"] = (
        "def linear_schedule(update, n_updates, initial):\n"
        "    return initial * (LEFT - update / n_updates)"
    )
    nb["cells"].insert(index, first)


def _colab(nb: dict) -> None:
    nb["metadata"] = {
        "colab": {"provenance": [], "gpuType": "T4"},
        "accelerator": "GPU",
        "kernelspec": {"name": "python3", "display_name": "Python 3"},
    }
    for number, cell in enumerate(nb["cells"]):
        cell["metadata"] |= {"id": f"c{number}", "colab": {"base_uri": "https://localhost:8080/"}}
        cell.pop("id", None)
        cell["source"] = cell["source"].splitlines(keepends=True)


def _vscode(nb: dict) -> None:
    for cell in nb["cells"]:
        cell["metadata"] |= {"vscode": {"languageId": "python"}, "execution": {"busy": "now"}}


def _old(minor: int) -> Callable[[dict], None]:
    def change(nb: dict) -> None:
        nb["nbformat_minor"] = minor
        for cell in nb["cells"]:
            cell.pop("id", None)

    return change


def _outputs(nb: dict) -> None:
    nb["metadata"]["widgets"] = {
        "application/vnd.jupyter.widget-state+json": {"state": {}, "version_major": 2}
    }
    for cell in nb["cells"]:
        if cell["cell_type"] == "code":
            cell["execution_count"] = 3
            cell["outputs"] = [
                {"output_type": "stream", "name": "stderr", "text": "no\n" * 50},
                {"output_type": "error", "ename": "E", "evalue": "e", "traceback": []},
                {"output_type": "display_data", "metadata": {}, "data": {"text/html": "<b>"}},
            ]
        else:
            cell["attachments"] = {"a.png": {"image/png": "aGVsbG8="}}


def _tabs(nb: dict) -> None:
    cell = cell_of(nb, SCHEDULE)
    cell["source"] = "def linear_schedule(update, n_updates, initial):\n\treturn initial - initial * update / n_updates"  # fmt: skip # noqa: E501


def _crlf(m: Material) -> bytes:
    nb = demo.solved(m)
    for cell in nb["cells"]:
        cell["source"] = cell["source"].replace("\n", "\r\n")
    return json.dumps(nb, indent=1).replace("\n", "\r\n").encode()


def _kernel(nb: dict) -> None:
    nb["metadata"] = {
        "kernelspec": {"name": "my-env", "display_name": "Mine", "language": "python"}
    }


def _imports(nb: dict) -> None:
    setup = next(c for c in nb["cells"] if "checker(" in c["source"])
    setup["source"] = "import math as maths\nfrom torch import maximum\n" + setup["source"]
    cell = cell_of(nb, VALUE)
    cell["source"] = cell["source"].replace("torch.maximum", "maximum")


def _redefined(nb: dict) -> None:
    cell = cell_of(nb, GRADIENT)
    index = nb["cells"].index(cell)
    nb["cells"].insert(index + 1, new_cell(cell["source"]))
    cell["source"] = "def has_gradient(ratio, advantages, clip_epsilon):\n    return ratio > 0"


def _file(encoding: str, *changes: Callable[[dict], None]) -> Callable[[Material], bytes]:
    """The solved notebook after some changes, in an encoding."""

    def make(m: Material) -> bytes:
        made = copy.deepcopy(demo.solved(m))
        for change in changes:
            change(made)
        return json.dumps(made).encode(encoding)

    return make


# What a student whose name is odd hands in: the right solution, oddly.
ODDITIES: dict[str, Callable[[Material], bytes]] = {
    "good": _file("utf-8"),
    "=1+1": _file("utf-8", _around(AROUND)),
    "O'Connor": _file("utf-8", _around(STATE)),
    "o'brien; drop table": _file("utf-8", _around(MORE_AROUND), _helpers, _imports, _redefined),
    "a+b@c.de": _file("utf-8-sig", _colab, _old(0), _split),
    "Jané 李": _file("utf-16", _vscode, _old(2), _outputs, _tabs),
    "-rf": _crlf,
    "%s": _file("utf-8", _outputs, _kernel),
}
