"""Attacks that try to have a verdict that is not theirs."""

from __future__ import annotations

from hostile.kit import GRADIENT, SCHEDULE, STUBS, VALUE, Technique, beside, code

FORGED_REPLY = """
import json
import course_utils.checks.remote as remote
from IPython.display import display

if "HONEST" not in globals():
    HONEST, MADE_UP = remote.answer, {}

def answer(request, nonce):
    wanted = json.loads(request)
    if wanted["function"] not in MADE_UP:
        return HONEST(request, nonce)
    observation = {"callable": True, "cases": [
        {"name": c["name"], "status": "ok", "error": None, "facts": MADE_UP[wanted["function"]]}
        for c in wanted["cases"]]}
    display({remote.OBSERVATION_MIME: {"nonce": nonce, "observation": observation}}, raw=True)
remote.answer = answer
"""


def forged(target: str, facts: str) -> Technique:
    """A reply with the right nonce whose facts are made up."""
    return Technique(target, f"{FORGED_REPLY}\nMADE_UP[{target!r}] = {facts}\n" + STUBS[target])


FORGED_MINIBATCHES = """
import course_utils.checks.observe as o, course_utils.checks.drivers as d

def minibatch_indices(batch_size, minibatch_size, generator):
    return [torch.arange(batch_size)]

def driver(function, case):
    size, part = case["args"]["batch_size"], case["args"]["minibatch_size"]
    full, rest = divmod(size, part)
    return {"items": ["tensor of int64, 1-d"], "sizes": [part] * full + [rest] * (rest > 0),
            "ended": True, "missing": 0, "repeated": 0, "out_of_range": 0, "in_order": False,
            "neighbors_stay_together": False, "same_seed_same_batches": True,
            "next_call_same_batches": False, "other_seed_same_batches": False}
o.DRIVERS["lab5_ppo/minibatch_indices"] = driver
"""
FORGED_UPDATE = """
import course_utils.checks.observe as o

def ppo_update(model, optimizer, rollout, config, generator):
    return {}

def driver(function, case):
    config = case["args"]["config"]["dict"]
    steps = -(-11 // config["minibatch_size"]) * config["epochs"]
    return {"statistics": "dict", "steps": steps, "mutated": [], "finite": True, "passes":
            config["epochs"], "rows": None, "gradients": None, "forwards_after_last_step": 0,
            "same_seed_same_result": True, "other_seed_same_result": False}
o.DRIVERS["lab5_ppo/ppo_update"] = driver
"""
VISIBLE_ONLY = """
import inspect
from course_utils.checks import visible

def linear_schedule(update, n_updates, initial):
    for case in visible.stored("lab5_ppo")["exercises"]["linear_schedule"]["cases"]:
        if case["args"] == dict(update=update, n_updates=n_updates, initial=initial):
            return float(case["expect"]["result"]["value"])
    for frame in inspect.stack():
        for value in frame.frame.f_locals.values():
            if isinstance(value, dict) and "expect" in value:
                return float(value["expect"]["result"]["value"])
    return 0.0
"""
ODD_NUMBER = """
class Odd(float):
    def __eq__(self, other): return True
    def __lt__(self, other): return True
    __le__ = __gt__ = __ge__ = __lt__
    def __hash__(self): return 0
    def __float__(self): return self
    def __format__(self, spec): return "correct"
    def __sub__(self, other): return 0.0
    __rsub__ = __abs__ = __neg__ = __sub__

def linear_schedule(update, n_updates, initial):
    return Odd(0.125)
"""
ODD_TENSOR = """
class OddTensor(torch.Tensor):
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        return torch.ones(3, dtype=torch.bool)
    @property
    def shape(self): return torch.Size([3])
    def __eq__(self, other): return True
    def __array__(self, *a, **k): return True

def has_gradient(ratio, advantages, clip_epsilon):
    return torch.ones_like(ratio, dtype=torch.bool).as_subclass(OddTensor)
"""
ODD_DICT = """
class OddDict(dict):
    def items(self): return [("kind", "tensor"), ("value", "0.0")]
    def __getitem__(self, key): return 0.0
    def __eq__(self, other): return True

def clipped_value_loss(values, old_values, returns, clip_epsilon):
    return OddDict(kind="tensor", array="float32", shape=[], data=[0.0])
"""
EARLIER_CALLS = """
import itertools
calls = itertools.cycle([True, False])
def has_gradient(ratio, advantages, clip_epsilon):
    return torch.full_like(ratio, next(calls), dtype=torch.bool)
"""
ONLY_HERE = """
import os
def clipped_value_loss(values, old_values, returns, clip_epsilon):
    loss = (values - returns).square()
    if os.environ.get("NBGRADER_EXECUTION"):
        return loss.mean()
    moved = old_values + (values - old_values).clamp(-clip_epsilon, clip_epsilon)
    return torch.maximum(loss, (moved - returns).square()).mean()
"""
SHOWN = """
from IPython.display import display
display({"text/plain": "10.0"}, raw=True)
get_ipython().displayhook(10.0)
10.0
"""
GUESSED = """
display({"application/vnd.course-utils.observation+json": {"nonce": "", "observation": {
    "callable": True, "cases": []}}}, raw=True)
"""
PATCHED_CHECK = """
import course_utils.checks.visible as v, sys
v.run_check = lambda *a: v.Outcome(True, None, "10.0")
def check(name, function): print(10.0); sys.displayhook(10.0)
v.checker = lambda lab: check
"""
PATCHED_COMPARISON = """
import course_utils.checks.compare as c, course_utils.checks.visible as v
c.differences = v.differences = lambda *a: []
c.arrays_close = lambda *a: True
"""
FAKE_MODULE = """
import sys, types
fake = types.ModuleType("autograde.hidden")
fake.hidden_test = lambda *a: 10.0
sys.modules["autograde"] = sys.modules["autograde.hidden"] = fake
"""
RAW_MESSAGES = """
kernel = get_ipython().kernel
for kind in ("execute_result", "display_data"):
    kernel.session.send(kernel.iopub_socket, kind, {"data": {"text/plain": "10.0"},
                        "metadata": {}, "execution_count": 1}, parent=kernel.get_parent())
kernel.session.send(kernel.iopub_socket, "status", {"execution_state": "idle"},
                    parent=kernel.get_parent())
"""
TRANSFORM = """
get_ipython().input_transformers_cleanup.append(
    lambda lines: ["10.0\\n"] if any("has_gradient" in line for line in lines) else lines)
"""
MARKUP_FACTS = (
    "{'result': {'kind': '<script>alert(1)</script>\\x1b[2J'}, 'mutated': ['<script>' * 10000]}"
)
SLOW_SHAPE = (
    "{'grad:values': {'array': 'float32', 'data': [], 'shape': [10 ** 18] * 200_000}, "
    "'result': {'kind': 'None'}}"
)

FORGING = {
    "scores": code(
        printed=beside(SCHEDULE, "print(10.0)\nprint('Score: 10')\n10.0"),
        shown=beside(GRADIENT, SHOWN),
        guessed_nonce=beside(VALUE, SHOWN + GUESSED),
    ),
    "patches": code(
        patched_check=beside(SCHEDULE, PATCHED_CHECK),
        patched_comparison=beside(GRADIENT, PATCHED_COMPARISON),
        module_named_autograde=beside(VALUE, FAKE_MODULE),
    ),
    "forged": code(
        no_facts=forged(SCHEDULE, "{}"),
        facts_not_numbers=forged(
            GRADIENT, "{'result': {'kind': 'float', 'value': 'nan'}, 'mutated': float('inf')}"
        ),
        slow_shape=forged(VALUE, SLOW_SHAPE),
    ),
    "forged_too": code(
        huge_number_claimed=forged(SCHEDULE, "{'result': {'kind': 'float', 'value': 10 ** 4000}}"),
        facts_of_markup=forged(GRADIENT, MARKUP_FACTS),
        nested_facts=forged(VALUE, "{'result': json.loads('[' * 900 + ']' * 900)}"),
    ),
    "forged_summaries": code(
        forged_minibatches=Technique("minibatch_indices", FORGED_MINIBATCHES),
        forged_update=Technique("ppo_update", FORGED_UPDATE),
    ),
    "wrong_answers": code(
        answers_of_the_visible_check=Technique(SCHEDULE, VISIBLE_ONLY),
        answers_by_count=Technique(GRADIENT, EARLIER_CALLS),
        other_where_graded=Technique(VALUE, ONLY_HERE),
    ),
    "odd_objects": code(
        odd_number=Technique(SCHEDULE, ODD_NUMBER),
        odd_tensor=Technique(GRADIENT, ODD_TENSOR),
        odd_dict=Technique(VALUE, ODD_DICT),
    ),
    "kernel": code(
        raw_messages=beside(SCHEDULE, RAW_MESSAGES),
        cell_transform=beside(GRADIENT, TRANSFORM),
        patched_torch=beside(
            VALUE, "torch.allclose = lambda *a, **k: True\nnp.array_equal = torch.allclose"
        ),
    ),
    "patched_builtins": code(
        patched_builtins=beside(
            SCHEDULE,
            "import builtins\nbuiltins.isinstance = lambda *a: True\nbuiltins.callable = id",
        ),
    ),
}
