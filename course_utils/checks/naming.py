"""Find the name of the mistake behind an observation, by recognizing its output."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from course_utils.checks.codec import array_from_plain, is_array
from course_utils.checks.compare import IGNORED_FACTS, Difference, differences, same_facts

Entries = Sequence[dict]


def recognize(observed: Entries, cases: list[dict], mistakes: dict[str, Entries]) -> str | None:
    """Return the id of the known mistake whose observation this is, or None.

    First the exact look: all facts of all cases are the same. Then the nearest: of the facts in
    which the student or the known mistake is wrong, the first agrees and at least half of all do.
    A student who takes another of the choices that the contract leaves open, or makes a second,
    smaller mistake, is still recognized by the main one.
    """
    wrong = _wrong_facts(observed, cases)
    if not wrong:
        return None
    # The name has to fit the numbers that the message shows, and it shows the first difference.
    first = _first_wrong(observed, cases)
    best: tuple[float, str] | None = None
    one = slice(first[0], first[0] + 1)
    for mistake, entries in mistakes.items():
        if len(entries) != len(observed):
            continue
        # Whatever differs in the first wrong case is neither the same nor near; the other cases
        # of such a mistake are not looked at, so that they need not have been run.
        near = _agree(observed[first[0]], entries[first[0]], first[1])
        if not near and not _same(observed[one], [entries[first[0]]], cases[one]):
            continue
        if _same(observed, entries, cases):
            return mistake
        theirs = _wrong_facts(entries, cases)
        if not near or first not in theirs:
            continue
        agree = sum(_agree(observed[n], entries[n], fact) for n, fact in wrong & theirs)
        share = agree / max(len(wrong | theirs), 1)
        if share >= NEAR and (best is None or share > best[0]):
            best = (share, mistake)
    return best[1] if best else None


NEAR = 0.5
"""Share of wrong facts that must agree with a known mistake's before its name is used."""


def _wrong_facts(entries: Entries, cases: list[dict]) -> set[tuple[int, str]]:
    return {
        (number, difference.fact)
        for number, (entry, case) in enumerate(zip(entries, cases, strict=True))
        for difference in differences(entry, case)
    }


def _first_wrong(entries: Entries, cases: list[dict]) -> tuple[int, str]:
    return next(
        (number, difference.fact)
        for number, (entry, case) in enumerate(zip(entries, cases, strict=True))
        for difference in differences(entry, case)
    )


def _agree(a: dict, b: dict, fact: str) -> bool:
    if fact == "status":
        return a["status"] == b["status"] and _error_type(a) == _error_type(b)
    return same_facts(a["facts"].get(fact), b["facts"].get(fact))


def _error_type(entry: dict) -> str | None:
    return (entry.get("error") or {}).get("type")


def _same(a: Entries, b: Entries, cases: list[dict]) -> bool:
    for one, two, case in zip(a, b, cases, strict=True):
        if one["status"] != two["status"] or _error_type(one) != _error_type(two):
            return False
        for fact in (*case["expect"], *case.get("compare", [])):
            if fact not in IGNORED_FACTS and not _agree(one, two, fact):
                return False
    return True


# These are true of a function whenever one case shows them.
_ALWAYS = (
    "not_defined",
    "not_written",
    "undefined_name",
    "returns_nothing",
    "does_not_return",
    "missing_entry",
    "ignores_generator",
)
# These are guesses from one pair of numbers: they count when every wrong value shows them.
_EVERYWHERE = ("sign_flipped", "inverted")


def general_mistake(
    found: list[Difference], observed: Entries, cases: list[dict]
) -> tuple[str | None, str | None]:
    """Return id and title of a mistake that the differences give away by themselves, or Nones.

    Only what holds for the case that is shown first may give the name, so that name and shown
    numbers belong together.
    """
    ids = [d.mistake for d in found if d.mistake]
    for mistake in _ALWAYS:
        if mistake in ids:
            return mistake, GENERAL_TITLES[mistake]
    values = [d for d in found if d.kind == "value"]
    for mistake in _EVERYWHERE:
        if values and all(d.mistake == mistake for d in values):
            return mistake, GENERAL_TITLES[mistake]
    relation = _relation(found, observed, cases)
    if relation is not None:
        return relation
    first = [d for d in found if d.case == found[0].case and d.mistake not in (None, *_EVERYWHERE)]
    right_value = not any(d.case == found[0].case and d.fact == "result" for d in found)
    for difference in first:
        if difference.mistake != "gradient_cut" or right_value:
            return difference.mistake, GENERAL_TITLES.get(difference.mistake)
    return _exception(found, cases)


def _family(fact: str) -> str:
    """Return a fact's name without the number of the step it belongs to."""
    return "the " + re.sub(r"^step \d+, ", "", fact).replace("_", " ")


def _relation(
    found: list[Difference], observed: Entries, cases: list[dict]
) -> tuple[str, str] | None:
    """Recognize a result that is the right one times the same factor in every case."""
    factors, sizes = [], []
    for entry, case in zip(observed, cases, strict=True):
        expected = case["expect"].get("result")
        got = entry["facts"].get("result")
        if case.get("aspect") != "value" or expected is None:
            continue
        a, b = _numbers(got), _numbers(expected)
        if a is None or b is None or a.shape != b.shape or not b.size:
            return None
        with np.errstate(all="ignore"):
            ratio = a / b
        if not np.isfinite(ratio).all() or np.ptp(ratio) > 2e-3 * abs(ratio).max():
            return None
        factors.append(float(ratio.flat[0]))
        sizes.append(_batch(case))
    if len(factors) < 2 or not any(d.fact == "result" for d in found):
        return None
    if np.allclose(factors, sizes, rtol=2e-3) and not np.allclose(factors, 1, rtol=2e-3):
        return "sum_not_mean", "It is the sum over the batch where the mean is due."
    if np.ptp(factors) <= 2e-3 * abs(factors[0]) and abs(factors[0] - 1) > 2e-3:
        return "constant_factor", f"It is {factors[0]:.4g} times what is due, on every input."
    return None


def _numbers(plain: Any) -> np.ndarray | None:
    if is_array(plain):
        try:
            return array_from_plain(plain).astype(np.float64)
        except ValueError:
            return None
    if isinstance(plain, dict) and (plain.get("kind") == "float" or plain.get("is") == "number"):
        return np.array([float(plain["value"])])
    return None


def _batch(case: dict) -> int:
    for value in case["args"].values():
        if isinstance(value, dict) and is_array(value.get("tensor")) and value["tensor"]["shape"]:
            return int(value["tensor"]["shape"][0])
    return 1


def _exception(found: list[Difference], cases: list[dict]) -> tuple[str | None, str | None]:
    """Say where it goes wrong when the rest is right: one fact only, or few of the cases."""
    facts = {_family(d.fact) for d in found}
    if len(facts) == 1 and len(cases[0]["expect"]) > 3:
        (fact,) = facts
        return "wrong_in_one_respect", f"Everything is right except one thing: {fact}."
    wrong = list(dict.fromkeys(d.case for d in found))
    if 2 * len(wrong) > len(cases):
        return None, None
    about = {case["name"]: case.get("about") or case["name"] for case in cases}
    where = "; ".join(about[name] for name in wrong[:2])
    more = f"; and {len(wrong) - 2} more" if len(wrong) > 2 else ""
    return "wrong_in_some_cases", f"It is right in most cases, but not here: {where}{more}."


GENERAL_TITLES = {
    "not_written": "The function is not written yet.",
    "undefined_name": "It uses a name that is not defined.",
    "missing_entry": "An entry of the result is missing.",
    "truth_of_a_tensor": "It asks a whole tensor for one yes or no.",
    "operator_order": "An operator takes hold of the wrong operands.",
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
    "not_a_pair": "It does not return a pair.",
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
    "no_pair": "It does not return a pair.",
    "wrong_logits_shape": "Its logits have the wrong shape.",
    "wrong_values_shape": "Its values have the wrong shape.",
    "values_keep_a_dimension": "Its values keep a dimension: one number per observation is due.",
    "another_answer_each_time": "The same observation gets another answer each time.",
    "values_are_constant": "Its values do not depend on the observation.",
    "logits_are_constant": "Its logits do not depend on the observation.",
    "values_from_logits": "Its values are computed from the logits: the critic has no weights.",
    "activation_on_the_critic": "An activation at the end of the critic cuts its values short.",
    "dead_critic": "No gradient reaches the critic: it can never learn.",
    "dead_actor": "No gradient reaches the actor: it can never learn.",
    "too_slow": "It takes far more steps than there are samples.",
    "never_ends": "It goes on for ever instead of ending after one pass.",
    "wrong_items": "It does not hand out one-dimensional tensors of int64.",
    "out_of_range": "Some indices lie outside the batch.",
    "repeated_indices": "Some samples are used twice while others wait.",
    "missing_indices": "Some samples are never used.",
    "wrong_sizes": "The minibatches have the wrong sizes.",
    "not_shuffled": "The order is not shuffled.",
    "barely_shuffled": "The order is changed a little, not shuffled.",
    "shuffled_in_blocks": "Neighbors in time stay together in one minibatch.",
    "ignores_generator": "Its randomness does not come from the generator that is passed in.",
    "ignores_seed": "Its outcome does not depend on the generator that is passed in.",
    "same_order_every_call": "It uses the same order at every call.",
    "wrong_step_count": "The optimizer makes the wrong number of steps.",
    "wrong_minibatches": "The minibatches have the wrong sizes.",
    "samples_left_out": "Some samples are left out of an epoch, or used twice in it.",
    "same_order_each_epoch": "Every epoch uses the same minibatches again.",
    "nan_for_one": "A minibatch of one sample turns the parameters into NaN.",
    "no_early_stop": "It does not stop when the approximate KL passes target_kl.",
    "stop_leaves_inner_loop_only": "The early stop ends the epoch but not the update.",
    "not_two_things": "It does not return two things, as the docstring says.",
    "wrong_actions": "Its actions are not int64, one for each row of logits.",
    "actions_out_of_range": "Some of its actions do not exist.",
    "not_random": "It does not draw: the same actions come whatever the generator says.",
    "rows_not_independent": "The rows of the batch do not get draws of their own.",
    "draws_uniformly": "Every action comes equally often, whatever the logits say.",
    "wrong_distribution": "Its actions do not come with the probabilities of the policy.",
    "same_actions_every_call": "The same actions come at every call with one generator.",
    "wrong_log_probs": "It does not return one float32 log-probability for each action.",
    "log_prob_of_another_draw": "Its log-probability is not that of the action it returns.",
    "uses_global_stream": "It draws from a global random stream, not from the generator alone.",
    "results_share_memory": "A later call changes results that were handed out before.",
    "normalizes_whole_batch": "It normalizes over the whole batch instead of each minibatch.",
    "weight_shape": "The weight does not have the shape [n_out, n_in], or not the type float32.",
    "not_orthogonal": "The weight is not orthogonal.",
    "bias_not_zero": "The bias does not start at zero.",
    "bias_missing": "There is no bias of the right form.",
    "not_trainable": "Training cannot move all of its weights.",
    "always_the_same_layer": "Every layer of one size gets the same weights.",
    "resets_environments": "It resets environments that are in the middle of their episodes.",
    "wrong_number_of_steps": "It plays another number of steps than n_steps.",
    "wrong_form_of_actions": "The actions are stored in the wrong form.",
    "other_actions": "The actions stored are not those that the environments got.",
    "wrong_form_of_log_probs": "The log-probabilities are stored in the wrong form.",
    "other_log_probs": "The log-probabilities stored are not those of the actions taken.",
    "one_draw_for_all": "All environments get the same action.",
    "one_draw_for_all_steps": "Every step gets the same random numbers.",
    "wrong_shares": "Actions do not come as often as the policy's probabilities say.",
    "does_not_repeat": "Its outcome does not follow from the seeds.",
    "depends_on_order": "An episode's return depends on more than its own seed.",
    "same_luck_everywhere": "Different episodes have the same luck.",
    "wrong_spread": "The returns differ too much or too little from seed to seed.",
    "bounds_swapped": "The lower bound is above the upper one.",
    "interval_width": "The interval has a width where it should have none.",
    "interval_place": "The bounds are not the quantiles that are asked for.",
    "no_module": "It is no nn.Module.",
    "no_logits": "forward returns something else than logits.",
    "no_parameters": "Its layers are hidden from the optimizer: it has no parameters.",
    "layers_in_forward": "It makes layers in forward, where no optimizer will ever see them.",
    "other_logits_each_time": "The same observation gets other logits each time.",
    "mixes_observations": "The observations of a batch influence each other.",
    "softmax_at_the_end": "It returns probabilities where logits are due.",
    "unregistered_layers": "Some of its weights are not among its parameters.",
    "no_activation": "Without an activation between them, its layers are one linear function.",
    "squashed_logits": "Something after the last layer keeps the logits close together.",
    "activation_last": "An activation after the last layer cuts logits off at zero.",
    "starts_at_zero": "All its weights start at zero, and there they stay.",
    "peaked_start": "At the start it is far from trying all actions.",
    "no_gradient_at_the_step": "When the step is made, the policy has no gradients.",
    "hidden_ignored": "Its width does not depend on hidden.",
}
"""What to call a general mistake in the student's words, by id."""
