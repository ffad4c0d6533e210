"""Every hostile submission by its student's name, and what each class of attack is tried by."""

from __future__ import annotations

from hostile.files import FILES, NAMES
from hostile.forging import FORGING
from hostile.harm import HARM
from hostile.hooks import HOOKS
from hostile.kit import LAB, Attack
from hostile.oddities import ODDITIES
from hostile.reaching import REACHING

__all__ = ["ATTACKS", "CLASSES", "LAB", "NAMES", "ODDITIES", "TECHNIQUES"]

ATTACKS: dict[str, Attack] = {**FORGING, **HOOKS, **REACHING, **HARM, **FILES}


def _techniques() -> dict[str, str]:
    """Technique -> the submission that tries it; a submission without any is its own."""
    found: dict[str, str] = {}
    for student, attack in ATTACKS.items():
        for name in attack.techniques or (student,):
            assert name not in found, f"{name} twice"
            found[name] = student
    return found


TECHNIQUES = _techniques()

# What a submission may try, and the techniques that try it.
CLASSES: dict[str, tuple[str, ...]] = {
    "reading answers: disk, /proc, devices": (
        "reads_files", "reads_processes", "devices", "links_beside_the_notebook",
    ),
    "reading answers: memory, frames, gc, the request": (
        "reads_memory", "scans_memory", "reads_frames", "reads_its_request",
        "answers_of_the_visible_check",
    ),
    "reaching out: network, sockets, other students": (
        "speaks_to_its_own_channels", "meets_others", "meets_others_too",
    ),
    "breaking out: namespaces, system calls, signals": (
        "system_calls", "signals_everyone", "kills_all",
    ),
    "forging verdicts: outputs": ("printed", "shown", "acts_later"),
    "forging verdicts: messages on the kernel's channels": (
        "raw_messages", "guessed_nonce", "answers_before_the_driver",
        "signs_with_the_kernels_key", "patched_publisher", "mute",
    ),
    "forging verdicts: facts": (
        "no_facts", "facts_not_numbers", "huge_number_claimed", "nested_facts", "slow_shape",
        "facts_of_markup", "forged_minibatches", "forged_update", "gradient_claimed",
    ),
    "forging verdicts: hooks of IPython, of imports, of the interpreter": (
        "replaced_kernel", "import_hook", "patched_import", "module_named_autograde", "trace",
        "profile",
    ),
    "forging verdicts: what is patched": (
        "patched_builtins", "patched_torch", "torch_mode", "patched_numpy", "patched_check",
        "patched_comparison", "patched_encoder", "new_code_for_the_driver",
        "writes_the_drivers_memory",
    ),
    "forging verdicts: odd objects": (
        "odd_number", "odd_integer", "odd_tensor", "odd_dict", "lies_about_its_class",
    ),
    "changing tests: cells, inputs, metadata": (
        "cell_transform", "other_inputs", "metadata", "moved_marks",
    ),
    "breaking the grader: ends, loops, exceptions": (
        "exits", "aborts", "deep_recursion", "swallows_interrupts", "endless_iterator",
        "raises_in_odd_ways", "hostile_exception", "raises_interrupt", "no_print",
    ),
    "breaking the grader: memory, processes, disks": (
        "memory", "fork_bomb", "threads", "leaves_daemons", "fills_disks", "uses_up_files",
    ),
    "breaking the grader: floods and strange values": (
        "floods", "escape_codes", "clears", "many_widgets", "huge_results", "infinite",
        "strange_tensors", "contains_itself",
    ),
    "breaking the grader: the file": (
        "odd_file", "link", "pipe", "large", "many_cells", "much_text", "nested", "huge_number",
        "slow_text", "strange_text",
    ),
    "tampering with results: database, packages, feedback": (
        "tampers_with_results", "writes_everywhere", "markup",
    ),
    "detecting the grader, remembering inputs": (
        "other_where_graded", "right_for_the_visible_check", "right_the_first_time",
        "answers_by_count", "remembers_inputs",
    ),
}  # fmt: skip
