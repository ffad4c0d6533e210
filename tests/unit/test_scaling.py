"""Costs on paper and measured: paper says what PyTorch counts, the file what was seen."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))
import lunar_lander  # noqa: E402
import scaling as benchmark  # noqa: E402

from course_utils import figures  # noqa: E402
from course_utils.scaling import Costs, Scaling, scaling  # noqa: E402


def made_up(gpu: Costs | None = None) -> Scaling:
    """1 GFLOP/s: 1 us is 1,000 operations. Calls cost 2 ms a gradient step of 1,000 samples."""
    parameters = np.array([100.0, 400.0, 1600.0])
    return Scaling(
        environment="LunarLander-v3",
        hidden=64,
        gflops=1.0,
        num_envs=np.array([1, 4, 16]),
        environment_us=np.array([40.0, 40.0, 40.0]),
        widths=np.array([32, 64, 128]),
        parameters=parameters,
        cpu=Costs("one CPU thread", np.array([90.0, 30.0, 8.0]), {1000: 2 + 0.006 * parameters}),
        gpu=gpu,
    )


@pytest.mark.parametrize("width", [64, 256])
def test_arithmetic_on_paper_is_what_pytorch_counts(width):
    model = lunar_lander.notebook(benchmark.SOURCE)["ActorCritic"](8, 4, width)
    parameters = sum(p.numel() for p in model.parameters())
    obs = torch.randn(10, 8)
    with FlopCounterMode(display=False) as forward:
        logits, values = model(obs)
    with FlopCounterMode(display=False) as both:
        logits, values = model(obs)
        (logits.sum() + values.sum()).backward()
    # Not on paper alike: biases, which are no products, and the gradient of the observations,
    # which nobody asks for.
    assert forward.get_total_flops() == pytest.approx(2 * parameters * 10, rel=0.06)
    assert both.get_total_flops() == pytest.approx(6 * parameters * 10, rel=0.10)


def test_costs_on_paper_and_where_they_meet_the_others():
    measured = made_up()
    assert measured.policy_on_paper == pytest.approx(0.8)  # 2 x 400 operations
    np.testing.assert_allclose(measured.update_on_paper, [0.6, 2.4, 9.6])
    assert measured.calls_ms(1000) == pytest.approx(2.0)
    # Arithmetic grows as the width squared here, and reaches 2 us a sample at 0.6 (w / 32)^2.
    assert measured.crossing(1000) == pytest.approx(32 * (2 / 0.6) ** 0.5)
    # Eight epochs over what 16 environments played: 48 us of playing, 6 us in each epoch.
    assert measured.playing_us(16) == pytest.approx(48)
    assert measured.crossing(1000, beside=48 / 8) == pytest.approx(32 * (8 / 0.6) ** 0.5)
    assert np.isnan(measured.crossing(1000, beside=100))
    share = (0.8 + 8 * 2.4) / (48 + 8 * 4.4)
    assert measured.arithmetic_share(16, epochs=8, minibatch=1000) == pytest.approx(share)


def test_a_small_measurement_gives_a_file_that_can_be_read(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    small = benchmark.measure(
        0.001, num_envs=(1, 3), widths=(16, 64), minibatches=(32,), samples=64, least_steps=5
    )
    assert small["gpu"] is None
    assert "no GPU" in benchmark.table(small)
    monkeypatch.setattr(benchmark, "measure", lambda: small)
    assert benchmark.main(["--output", str(tmp_path / "costs.json")]) == 0
    assert capsys.readouterr().out.endswith(benchmark.table(small) + "\n")
    measured = scaling(tmp_path / "costs.json")
    assert measured.gpu is None
    assert measured.parameters.tolist() == [w * (2 * w + 25) + 5 for w in (16, 64)]
    assert measured.environment_us.shape == measured.cpu.policy.shape == (2,)
    assert measured.cpu.update[32].shape == (2,)
    everything = (measured.environment_us, measured.cpu.policy, measured.cpu.update[32])
    assert all((times > 0).all() for times in everything)
    # One call for three environments costs much less than three calls.
    assert measured.cpu.policy[1] < 0.7 * measured.cpu.policy[0]


def test_a_folder_that_is_not_there_is_named_before_anything_is_measured(tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        benchmark.main(["--output", str(tmp_path / "none" / "costs.json")])
    assert stopped.value.code == 2
    assert str(tmp_path / "none") in capsys.readouterr().err


def test_the_figure_shows_what_was_measured_and_says_that_there_was_no_gpu():
    left, right = figures.scaling(made_up(), minibatch=1000).axes
    assert [line.get_label() for line in left.lines] == [
        "environment",
        "policy, one CPU thread",
        "arithmetic on paper",
    ]
    assert right.lines[-1].get_ydata().tolist() == pytest.approx([0.6, 2.4, 9.6])
    texts = [text.get_text() for text in right.texts]
    assert any("up to width 58" in text for text in texts)
    assert any("no GPU" in text for text in texts)


def test_a_gpu_gets_lines_of_its_own():
    gpu = Costs("a GPU", np.array([200.0, 50.0, 13.0]), {1000: np.array([5.0, 5.0, 5.0])})
    left, right = figures.scaling(made_up(gpu), minibatch=1000).axes
    assert "policy, a GPU" in [line.get_label() for line in left.lines]
    (line,) = [line for line in right.lines if "a GPU" in line.get_label()]
    assert line.get_ydata().tolist() == [5.0, 5.0, 5.0]
    assert not any("no GPU" in text.get_text() for text in right.texts)


def test_the_stored_measurement_covers_what_the_lab_says():
    measured = scaling()
    assert measured.num_envs.tolist() == [2**k for k in range(11)]
    assert measured.widths.tolist() == [32, 64, 128, 256, 512, 1024]
    assert 1024 in measured.cpu.update
    # Wide networks are bound by arithmetic, narrow ones are not.
    on_paper = measured.update_on_paper / measured.cpu.update[1024]
    assert on_paper[0] < 0.2
    assert on_paper[-1] > 0.4
    text = (ROOT / "course_utils" / "data" / "sweeps" / "lab6_scaling.json").read_text()
    assert len(text) < 5_000
    assert set(json.loads(text)) >= {"made_by", "torch", "gpu"}
