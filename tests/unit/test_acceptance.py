"""The sequential test of an agent's mean return: how often it errs, shown by simulation."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest

from course_utils import acceptance
from course_utils.acceptance import LEVEL, LOOKS

N = LOOKS[-1]
# Greedy returns of 400 episodes each, on seeds of their own, of agents trained by lab 6.
REAL = json.loads((Path(__file__).parents[1] / "fixtures" / "lander_returns.json").read_text())


def landings_and_crashes(landing, crash, noise=20.0):
    """Lands, with now and then a crash: as often as the mean asks for."""

    def draw(rng, mean, size):
        crashed = rng.random(size) < (landing - mean) / (landing - crash)
        return np.where(crashed, crash, landing) + rng.normal(0, noise, size)

    return draw


def normal(deviation):
    return lambda rng, mean, size: rng.normal(mean, deviation, size)


def heavy_tail(rng, mean, size):
    """Mostly a little above the mean, and losses without a variance (Pareto, exponent 1.5)."""
    return mean + 40.0 - 20.0 * rng.pareto(1.5, size)


def hovers(rng, mean, size):
    """Skewed the other way: mostly 150 for hovering until the time is up, sometimes a landing."""
    landed = rng.random(size) < (mean - 150.0) / (300.0 - 150.0)
    return np.where(landed, 300.0, 150.0) + rng.normal(0, 5, size)


def real(name):
    values = np.array(REAL[name])
    return lambda rng, mean, size: rng.choice(values - values.mean() + mean, size)


KINDS = {
    "light": normal(30.0),
    "wide": normal(90.0),
    "crashes": landings_and_crashes(260.0, -100.0),
    "rare_disasters": landings_and_crashes(220.0, -500.0),
    "many_crashes": landings_and_crashes(290.0, 50.0),
    "heavy_tail": heavy_tail,
    "hovers": hovers,
    **{name: real(name) for name in REAL},
}


def refused(draw, mean, runs, seed=0, chunk=4000):
    """(runs refused, mean number of episodes) of so many agents whose true mean return is known."""
    rng = np.random.default_rng(seed)
    count, episodes = 0, 0
    for start in range(0, runs, chunk):
        returns = draw(rng, mean, (min(chunk, runs - start), N))
        for n in LOOKS:
            found = acceptance.look(returns[:, :n])
            going = found == acceptance.GO_ON
            count += int((found == acceptance.REFUSE).sum())
            episodes += n * int((~going).sum())
            returns = returns[going]
    return count, episodes / runs


@pytest.mark.parametrize("kind", KINDS)
def test_an_agent_at_the_level_is_refused_less_than_once_in_a_thousand_times(kind):
    runs = 40_000
    count, _ = refused(KINDS[kind], LEVEL, runs)
    # Clopper and Pearson's interval: this test itself errs less than once in 10,000 times.
    bound = binomtest(count, runs).proportion_ci(0.9998, method="exact").high
    assert bound < 1e-3, f"{count} of {runs}"


def test_an_agent_far_below_is_refused_nearly_always():
    for kind in ("crashes", "wide", "light", "many_crashes", "hovers", *REAL):
        draw = landings_and_crashes(220.0, 100.0) if kind == "hovers" else KINDS[kind]
        count, _ = refused(draw, 150.0, 1000)
        assert count >= 980, f"{kind}: {count} of 1000"
    for mean in (100.0, 0.0, -150.0):
        count, episodes = refused(KINDS["crashes"] if mean > 0 else normal(90.0), mean, 1000)
        assert count == 1000 and episodes < 80


def test_what_share_of_agents_at_180_is_accepted():
    """In between nobody can tell within 400 episodes: by how much the returns vary."""
    share = {
        kind: 1 - refused(KINDS[kind], 180.0, 1000)[0] / 1000
        for kind in ("light", "solved_1", "nearly", "crashes")
    }
    assert share["light"] == 0.0
    assert share["solved_1"] < 0.05
    assert 0.05 < share["nearly"] < 0.5
    assert 0.75 < share["crashes"] < 0.97


def test_an_agent_clearly_above_needs_few_episodes():
    for kind in ("light", "crashes", *REAL):
        count, episodes = refused(KINDS[kind], 240.0, 1000)
        assert count == 0 and episodes < 110, f"{kind}: {episodes}"


def test_one_run_is_decided_at_the_first_look_that_decides():
    assert acceptance.decide(np.full(49, 300.0)) is None
    assert acceptance.decide(np.full(400, 300.0)) == (True, 50)
    assert acceptance.decide(np.full(50, -100.0)) == (False, 50)
    doubtful = np.tile([150.0, 252.0], 200)
    assert acceptance.decide(doubtful[:200]) is None
    assert acceptance.decide(doubtful) == (True, 400)
    # What was lost early is not won back: the order of the seeds decides, not the final mean.
    late = np.concatenate([np.full(40, -200.0), np.full(360, 300.0)])
    assert late.mean() > LEVEL and acceptance.decide(late) == (False, 50)
    with pytest.raises(ValueError, match="no look after 60"):
        acceptance.look(np.zeros(60))


def test_the_capital_is_fair_at_the_level_and_never_negative():
    rng = np.random.default_rng(0)
    draws = KINDS["crashes"](rng, LEVEL, (200_000, 3))
    mean = acceptance.capital(draws).mean(axis=0)
    assert np.allclose(mean, 1.0, atol=0.01)
    assert (acceptance.capital(np.full((1, N), acceptance.HIGHEST)) >= 0).all()


def test_no_episode_of_the_environment_can_give_more_than_the_highest_return():
    """On both legs 120 points, and what the way down is worth: minus the shaping at the start."""
    import gymnasium as gym

    env = gym.make("LunarLander-v3").unwrapped
    starts = []
    for seed in range(300):
        env.reset(seed=seed)
        starts.append(120.0 - env.prev_shaping)
    assert max(starts) < acceptance.HIGHEST
