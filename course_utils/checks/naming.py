"""Find the name of the mistake behind an observation, by recognizing its output."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from course_utils.checks.compare import IGNORED_FACTS, Difference, differences, same_facts

Entries = list[dict]


def recognize(observed: Entries, cases: list[dict], mistakes: dict[str, Entries]) -> str | None:
    """Return the id of the known mistake whose observation this is, or None.

    Three looks, from narrow to wide: all facts of all cases; the returned values of all cases;
    the returned values of the cases of aspect ``value``. A mistake is only considered in a look
    in which it differs from what is right, so that a harmless trait is not given its name.
    """
    looks: list[Callable[[dict, str], bool]] = [
        lambda case, fact: True,
        lambda case, fact: fact in ("result", "status"),
        lambda case, fact: fact in ("result", "status") and case.get("aspect") == "value",
    ]
    for look in looks:
        if not _wrong(observed, cases, look):
            continue
        for mistake, entries in mistakes.items():
            if _same(observed, entries, cases, look) and _wrong(entries, cases, look):
                return mistake
    return None


def _wrong(entries: Entries, cases: list[dict], look: Callable[[dict, str], bool]) -> bool:
    return any(
        look(case, difference.fact)
        for entry, case in zip(entries, cases, strict=True)
        for difference in differences(entry, case)
    )


def _same(a: Entries, b: Entries, cases: list[dict], look: Callable[[dict, str], bool]) -> bool:
    if len(a) != len(b):
        return False
    for one, two, case in zip(a, b, cases, strict=True):
        if not any(look(case, fact) for fact in (*case["expect"], "status")):
            continue
        if one["status"] != two["status"]:
            return False
        if (one.get("error") or {}).get("type") != (two.get("error") or {}).get("type"):
            return False
        for fact in (*case["expect"], *case.get("compare", [])):
            if (
                fact not in IGNORED_FACTS
                and look(case, fact)
                and not same_facts(one["facts"].get(fact), two["facts"].get(fact))
            ):
                return False
    return True


def general_mistake(found: Iterable[Difference]) -> str | None:
    """Return the id of the first general mistake that a difference gives away by itself."""
    order = ["not_written", "undefined_name", "returns_nothing", "does_not_return"]
    ids = [d.mistake for d in found if d.mistake]
    return next((i for i in order if i in ids), ids[0] if ids else None)


GENERAL_TITLES = {
    "not_written": "The function is not written yet.",
    "undefined_name": "It uses a name from outside instead of its own arguments.",
    "returns_nothing": "It returns nothing.",
    "does_not_return": "It does not come to an end in the time allowed.",
    "modifies_input": "It changes one of its inputs.",
    "leaves_pytorch": "It leaves PyTorch in the middle of the computation.",
    "signature": "Its arguments are not those of the stub.",
    "shapes_do_not_fit": "Its shapes fit only some inputs.",
    "only_one_element": "It works for a batch of one only.",
    "raises_error": "It stops with an error.",
    "wrong_kind": "It returns the wrong kind of thing.",
    "wrong_dtype": "It returns the right numbers in the wrong type.",
    "no_reduction": "It returns one number per sample where one for the batch is due.",
    "broadcast_to_square": "A column met a row and both were spread to a square.",
    "extra_dimension": "It returns one dimension too many.",
    "reduced_too_far": "It returns one number where one per entry is due.",
    "wrong_shape": "It returns the wrong shape.",
    "inverted": "It says yes where no is right, and no where yes is.",
    "not_a_number": "It produces NaN.",
    "infinite": "It produces infinity.",
    "sign_flipped": "The sign is the wrong way round.",
    "keeps_the_graph": "It returns a tensor that keeps its graph alive.",
    "gradient_leak": "The gradient flows into an argument that is a constant.",
    "gradient_cut": "No gradient arrives where one is due.",
    "not_defined": "There is no function of that name.",
    "too_slow": "It takes far more steps than there are samples.",
    "never_ends": "It goes on for ever instead of ending after one pass.",
    "wrong_items": "It does not hand out one-dimensional tensors of int64.",
    "out_of_range": "Some indices lie outside the batch.",
    "repeated_indices": "Some samples are used twice while others wait.",
    "missing_indices": "Some samples are never used.",
    "wrong_sizes": "The minibatches have the wrong sizes.",
    "not_shuffled": "The order is not shuffled.",
    "shuffled_in_blocks": "Neighbors in time stay together in one minibatch.",
    "ignores_generator": "Its randomness does not come from the generator that is passed in.",
    "ignores_seed": "Its outcome does not depend on the generator that is passed in.",
    "same_order_every_call": "It uses the same order at every call.",
    "wrong_step_count": "The optimizer makes the wrong number of steps.",
    "wrong_minibatches": "The minibatches have the wrong sizes.",
    "samples_left_out": "Some samples are left out of an epoch, or used twice in it.",
    "nan_for_one": "A minibatch of one sample turns the parameters into NaN.",
    "no_early_stop": "It does not stop when the approximate KL passes target_kl.",
    "stop_leaves_inner_loop_only": "The early stop ends the epoch but not the update.",
    "normalizes_whole_batch": "It normalizes over the whole batch instead of each minibatch.",
}
"""What to call a general mistake in the student's words, by id."""
