"""Answer a grader's request from inside the student's kernel: run the driver, send back data."""

from __future__ import annotations

import json

from course_utils.checks.observe import observe

OBSERVATION_MIME = "application/vnd.course-utils.observation+json"


def answer_file(path: str, nonce: str) -> None:
    """Answer the request that lies in a file (see ``answer``)."""
    with open(path, encoding="utf-8") as file:
        answer(file.read(), nonce)


def answer(request: str, nonce: str) -> None:
    """Observe the requested function and display the observation.

    ``request`` is JSON: ``{"exercise": id, "function": name, "cases": [...]}``. The function is
    looked up by name in the notebook's namespace. Displayed is one bundle of type
    ``OBSERVATION_MIME``; it carries ``nonce`` so that the grader knows which request it answers.
    """
    from IPython import get_ipython
    from IPython.display import display

    import course_utils.checks.drivers  # noqa: F401  registers the special drivers

    wanted = json.loads(request)
    namespace = get_ipython().user_ns
    if wanted["function"] not in namespace:
        observation: dict = {"callable": False, "type": "undefined", "cases": []}
    else:
        observation = observe(wanted["exercise"], namespace[wanted["function"]], wanted["cases"])
    display({OBSERVATION_MIME: {"nonce": nonce, "observation": observation}}, raw=True)
