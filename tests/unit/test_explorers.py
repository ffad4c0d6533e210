"""The epsilon explorer shows the function it was given, right or wrong, and says what is off."""

import json
import math
import re
import time
import warnings

import numpy as np
import pytest
import torch

from course_utils import explorers, figures, slider_figure, widgets
from course_utils.explorers import (
    ADVANTAGES,
    EPSILONS,
    RATIOS,
    ClipExplorer,
    Note,
    clip_explorer,
    evaluate,
    first_fact_off,
    y_range,
)


@pytest.fixture(autouse=True)
def not_grading(monkeypatch):
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)


@pytest.fixture
def few_epsilons(monkeypatch):
    """A sixth of the grid: enough for everything but the grid's own properties."""
    monkeypatch.setattr(explorers, "EPSILONS", np.array([0.1, 0.2, 0.3]))


def right(new, old, advantages, epsilon):
    ratio = torch.exp(new - old)
    return -torch.min(ratio * advantages, ratio.clamp(1 - epsilon, 1 + epsilon) * advantages).mean()


def right_with_where(new, old, advantages, epsilon):
    ratio = (new - old).exp()
    past = torch.where(advantages > 0, ratio > 1 + epsilon, ratio < 1 - epsilon)
    bound = 1 + epsilon * advantages.sign()
    return -(torch.where(past, bound, ratio) * advantages).mean()


def right_as_max_in_float64(new, old, advantages, epsilon):
    ratio = (new.double() - old.double()).exp()
    losses = [-ratio * advantages, -ratio.clamp(1 - epsilon, 1 + epsilon) * advantages]
    return torch.stack(losses).max(dim=0).values.mean().float()


def with_ratio(change, combine=torch.min):
    """A wrong loss: the clipped ratio is ``change(ratio, epsilon)``."""

    def loss(new, old, advantages, epsilon):
        ratio = (new - old).exp()
        return -combine(ratio * advantages, change(ratio, epsilon) * advantages).mean()

    return loss


def both_sides(ratio, epsilon):
    return ratio.clamp(1 - epsilon, 1 + epsilon)


def test_the_grid_has_its_corners_on_nodes():
    for epsilon in EPSILONS:
        for corner in (1 - epsilon, 1 + epsilon):
            assert abs(RATIOS - corner).min() < 1e-9
    assert 0.2 in EPSILONS
    assert (RATIOS * explorers.OLD_PROBABILITY < 1).all()


@pytest.mark.parametrize("loss", [right, right_with_where, right_as_max_in_float64])
def test_a_right_function_has_no_fact_off(loss, few_epsilons):
    picture = evaluate(loss)
    assert first_fact_off(picture) == ("", 0.2)
    e = list(explorers.EPSILONS).index(0.2)
    for ratio, for_positive, for_negative in [(0.5, 1.0, -1.6), (1.0, 2, -2), (1.5, 2.4, -3.0)]:
        r = list(RATIOS).index(ratio)
        np.testing.assert_allclose(
            picture.objective[e, :, r], [for_positive, for_negative], atol=1e-5
        )
        np.testing.assert_allclose(
            picture.slope[e, :, r],  # between this ratio and the next
            [0.0 if ratio > 1.1 else 2.0, 0.0 if ratio < 0.7 else -2.0],
            atol=1e-5,
        )


def test_the_widget_carries_the_arrays():
    widget = clip_explorer(right)
    assert isinstance(widget, ClipExplorer)
    picture = evaluate(right)
    stored = np.frombuffer(widget.objective, "<f4").reshape(picture.objective.shape)
    np.testing.assert_allclose(stored, picture.objective, atol=1e-6)
    stored = np.frombuffer(widget.slope, "<f4").reshape(picture.slope.shape)
    np.testing.assert_allclose(stored, picture.slope, atol=1e-5)
    assert (widget.fact, widget.epsilon, tuple(widget.advantages)) == ("", 0.2, ADVANTAGES)
    low, high = widget.y_range
    assert low < -4
    assert high > 4
    state = widget.get_state()
    arrays = {k: v for k, v in state.items() if isinstance(v, (bytes, memoryview))}
    plain = {k: v for k, v in state.items() if k not in arrays}
    assert sum(len(bytes(v)) for v in arrays.values()) + len(json.dumps(plain)) < 200_000


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (lambda *a: -right(*a), "at ratio 1, .* is the advantage, .2.00; yours is -2.00"),
        (with_ratio(both_sides, torch.max), "A > 0 the curve is flat right of 1"),
        (with_ratio(both_sides, lambda a, b: b), "A < 0 the curve has slope A = .2.00 right of"),
        (with_ratio(lambda r, e: r.clamp(min=1 - e)), "A > 0 the curve is flat right of"),
        (with_ratio(lambda r, e: r.clamp(max=1 + e)), "A < 0 the curve is flat left of"),
        (with_ratio(lambda r, e: r), "A > 0 the curve is flat right of"),
        (with_ratio(lambda r, e: r.clamp(-e, e)), "at ratio 1, .* yours is .0.40"),
        (lambda n, o, a, e: right(n.detach(), o, a, e), "autograd's gradient disagree"),
        (lambda n, o, a, e: right(n, o, a.clamp(-e, e), e), "yours is .0.20"),
        (lambda n, o, a, e: right(o, n, a, e), "slope A = .2.00 inside the band"),
        (
            lambda n, o, a, e: right(n, n, a, e),
            "slope A = .2.00 inside the band; yours has slope 0",
        ),
        (lambda n, o, a, e: right(n, o, a, e) * math.nan, "not finite"),
        (lambda n, o, a, e: right(n, o, a, e) * 1e39, "not finite"),
        (lambda n, o, a, e: right(n, o, (a - a.mean()) / a.std(), e), "not finite"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_a_wrong_function_shows_its_own_picture_and_one_fact(loss, expected, few_epsilons):
    widget = clip_explorer(loss)
    assert isinstance(widget, ClipExplorer)
    assert widget.fact.startswith("At epsilon = 0.200: ")
    assert re.search(expected, widget.fact), widget.fact
    assert widget.fact.count("At epsilon") == 1


def test_a_fixed_epsilon_is_shown_where_it_fails(few_epsilons):
    widget = clip_explorer(lambda n, o, a, e: right(n, o, a, 0.2))
    assert widget.epsilon != 0.2
    assert widget.fact.startswith(f"At epsilon = {widget.epsilon:.3f}: ")


def stub(*_):
    raise NotImplementedError()


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (stub, "stub is not written. Complete its cell above"),
        (lambda *_: None, "returned None. Is the return line missing"),
        (lambda n, o, a, e: (n - o).exp() * a, r"returned shape \[1\]"),
        (lambda n, o, a, e: right(n, o, a, e).item(), r"plain number or array \(float\)"),
        (lambda *_: np.float64(1), r"plain number or array \(float64\)"),
        (lambda n, o, a, e: right(n, o, a, e).detach().numpy(), r"\(ndarray\)"),
        (lambda n, o, a, e: (right(n, o, a, e), 0), "returned a tuple"),
        (lambda *_: torch.tensor(True), "torch.bool, not a real number"),
        (lambda n, *_: n @ torch.zeros(3, 3), "raised RuntimeError: mat1 and mat2 shapes"),
        (lambda n, *_: n.exp_().mean(), "raised RuntimeError: a leaf Variable"),
        (lambda *_: 1 / 0, "raised ZeroDivisionError: division by zero"),
        (lambda: None, "raised TypeError"),
        ("not a function", "raised TypeError"),
        (lambda *_: torch.nn.Module()(1), "raised NotImplementedError: Module"),
    ],
)
def test_what_cannot_be_drawn_gets_a_note(loss, expected, few_epsilons):
    note = clip_explorer(loss)
    assert isinstance(note, Note)
    assert note.text.startswith("No picture yet: ")
    assert re.search(expected, note.text), note.text
    assert "Traceback" not in note.text
    assert "\n" not in note.text
    assert repr(note) == note.text


def test_a_note_escapes_what_the_function_said():
    def evil(*_):
        raise ValueError("<script>alert(1)</script>")

    assert "<script>" not in clip_explorer(evil)._repr_html_()


def test_an_interrupt_is_not_swallowed():
    def stopped(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        clip_explorer(stopped)


def test_a_function_that_changes_its_inputs_or_prints_is_drawn_as_it_is(capsys, few_epsilons):
    def noisy(new, old, advantages, epsilon):
        print("hello")
        warnings.warn("careful", stacklevel=1)
        loss = right(new, old, advantages.clone(), epsilon)
        advantages.zero_()
        old.zero_()
        return loss

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        widget = clip_explorer(noisy)
    assert widget.fact == ""
    assert capsys.readouterr() == ("", "")


def test_a_slow_function_is_told_so(monkeypatch):
    monkeypatch.setattr(explorers, "TIME_BUDGET", 0.01)
    note = clip_explorer(lambda *a: (time.sleep(0.001), right(*a))[1])
    assert "the picture needs 6400 calls of your function" in note.text


def test_nothing_is_evaluated_while_grading(monkeypatch):
    calls = []
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    assert clip_explorer(lambda *a: calls.append(a)) is None
    assert calls == []


def test_it_works_inside_no_grad_and_leaves_grad_mode(few_epsilons):
    with torch.no_grad():
        assert clip_explorer(right).fact == ""
        assert not torch.is_grad_enabled()


def test_the_whole_grid_is_cheap():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        start = time.process_time()
        clip_explorer(right)
        assert time.process_time() - start < 2.5  # 0.4 s on an idle machine
    finally:
        torch.set_num_threads(before)


def test_y_range_is_symmetric_bounded_and_finite():
    usual = y_range(np.zeros((1, 2, 80)))
    assert usual == [-4.4, 4.4]
    wild = np.full((1, 2, 80), np.nan)
    assert y_range(wild) == usual
    wild[0, 0, 0] = 1e30
    assert y_range(wild)[1] < 25


def test_no_algorithm_and_no_remote_code_in_the_browser():
    for path in widgets.STATIC.glob("*.js"):
        text = path.read_text()
        assert "Math.exp" not in text
        assert "://" not in text.replace("http://www.w3.org/2000/svg", "")
        assert "innerHTML" not in text
    source = widgets.script("clip_explorer")
    assert 'setAttribute("data-lm-suppress-shortcuts", "true")' in source
    assert 'setAttribute("aria-label"' in source
    assert 'createElement("output")' in source


def luminance(color):
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return float(np.dot([0.2126, 0.7152, 0.0722], linear))


# JupyterLab's light and dark page, and the shaded band (10 % of the text color) on each
@pytest.mark.parametrize("background", ["#ffffff", "#e6e6e6", "#111111", "#292929"])
def test_data_colors_are_visible_in_both_themes(background):
    """WCAG 2.2, 1.4.11: graphical objects need a contrast of 3:1."""
    style = widgets.STYLE.read_text()
    colors = re.findall(r"--(?:course-\w+|c\d): (#\w{6})", style)
    assert len(colors) == 2 + slider_figure.COLORS == 2 + len(figures.CYCLE)
    for color in colors:
        dark, light = sorted([luminance(color), luminance(background)])
        assert (light + 0.05) / (dark + 0.05) >= 3, color
