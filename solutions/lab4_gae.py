# ---
# jupyter:
#   jupytext:
#     formats: py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Lab 4: Advantages and time limits
#
# In lab 3 a critic told the actor whether things went better or worse than expected. You had two ways of asking it: one TD error, which trusts the critic after a single step, or the whole return, which hardly trusts it at all.
# Between the two there is a dial, $\lambda$. This lab is about that dial, and about two places where details are easy to get wrong and hard to see: the end of an episode, and the time limit.
#
# **When you are done you will be able to**
#
# - say what an advantage estimate loses by looking a short way ahead, and what by looking far,
# - write generalized advantage estimation (GAE) for many environments at once, episodes ending in the middle included,
# - say why a time limit is not the end of the task, and what a critic learns when it is treated as one,
# - get the true next observation out of a vector environment that resets itself,
# - judge a critic by its explained variance, and say what that number cannot see.
#
# **What you need.** PyTorch tensors, the policy gradient (lab 1), returns (lab 2), critic and TD error (lab 3). What those labs asked you to write is given below as worked code.
#
# **Time.** About two and a half hours. Each part says how many minutes it takes to get there.
# **Points.** 20 for the three exercises, 4 for one question in your own words.
#
# **How it works.** Run each cell with Shift+Enter. Where it says `# YOUR CODE HERE`, replace that line and the `raise` below it.
# The cell after it checks your function and tells you what is wrong. You can run it as often as you like.
# Hints come in three steps; open one, try again, open the next.
# The instructor's tests use other numbers than the checks and look at a few more cases, but ask for nothing that the text does not say.

# %% [markdown]
# ## Setup

# %%
from dataclasses import dataclass
from types import SimpleNamespace

import gymnasium as gym
import numpy as np
import torch
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from IPython.display import display
from matplotlib.figure import Figure
from torch import nn

from course_utils import figures
from course_utils.checks import checker
from course_utils.device import choose_device
from course_utils.environments import make_envs
from course_utils.execution import todo_guard
from course_utils.gae_explorer import TradeOff, gae_explorer
from course_utils.replay import replay
from course_utils.slider_figure import Panel, Series, Slider, slider_figure
from course_utils.training import Monitor

check = checker("lab4_gae")
device = choose_device()

# %% [markdown]
# ## Notation and conventions
#
# They hold in every exercise of this lab.
#
# | symbol | in code | meaning |
# |---|---|---|
# | $r_t$ | `rewards[t]` | reward of step $t$ |
# | $V(s_t)$ | `values[t]` | what the critic says about the state before step $t$ |
# | $V(s_{t+1})$ | `next_values[t]` | what the critic says about the state that step $t$ *really* led to |
# | $\delta_t$ | `deltas` | TD error of the critic at step $t$ |
# | $\hat A_t$ | `advantages` | estimated advantage of the action taken at step $t$ |
# | $\hat R_t$ | `returns` | target of the critic, $\hat A_t + V(s_t)$ |
# | $\gamma$, $\lambda$ | `gamma`, `lam` | discount, and the dial of this lab |
# | $V^\pi$, $Q^\pi$, $A^\pi$ | `true_...` | the exact values of policy $\pi$; nobody knows them in real life |
#
# - **Shapes.** A rollout of $T$ steps in $N$ environments is `[T, N]`: rows are steps, columns are environments.
# - **Time.** Index $t$ always describes transition $t$. `terminated[t]` means that the task ended with this step, `truncated[t]` that time was up. `done` is either. Both are `bool`.
# - **`next_values` is passed in.** It equals `values[t + 1]` as long as the episode goes on. Where an episode ends the next row belongs to *another* episode, and so the two differ.
# - **Gradients.** Advantages and returns are data for the losses: no gradient flows through them. That is tested.
# - **Inputs** are never changed in place, and a function uses its arguments, not variables of the notebook.

# %% [markdown]
# ## From lab 3, given
#
# The TD error asks: how much better was this step than the critic expected?
#
# $$\delta_t = r_t + \gamma\, V(s_{t+1}) - V(s_t)$$
#
# If the task ended with step $t$ there is no $s_{t+1}$, and the middle term is left out.
# Nothing here needs changing. You may call `td_error` in your exercises.


# %%
def td_error(rewards, values, next_values, terminated, gamma: float) -> torch.Tensor:
    """One-step TD errors (lab 3): all [T, N] -> [T, N]; a terminated step expects nothing more."""
    return rewards + gamma * next_values * (~terminated) - values


def value_loss(values: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Mean squared error of the critic (lab 3), constant w.r.t. targets."""
    return (values - targets.detach()).square().mean()


# %% [markdown]
# ## Part 1. How far to look
#
# *About 10 minutes to here.*
#
# ### A world small enough to know the truth
#
# To say how wrong an estimate is, one needs to know what is right. So we start in a corridor of seven states. The actions are left and right; a move goes the other way one time in five. Being in the leftmost state costs 1 at each step, the rightmost pays 1, and nothing ever ends.
# The policy tosses a coin. As in lab 1, its exact values come from a linear system, $V^\pi = R + \gamma P_\pi V^\pi$.
#
# Beside the truth we put a critic that is **wrong on purpose**: it says half of the true value everywhere, like a critic early in training that started at 0 and has come half the way.

# %%
N_STATES, LEFT, RIGHT, GAMMA = 7, 0, 1, 0.95
START = 4  # the state whose advantages we look at

P = np.zeros((N_STATES, 2, N_STATES))  # P[s, a, s'], probability of the next state
for s in range(N_STATES):
    below, above = max(s - 1, 0), min(s + 1, N_STATES - 1)
    for action, wanted, other in ((LEFT, below, above), (RIGHT, above, below)):
        P[s, action, wanted] += 0.8
        P[s, action, other] += 0.2
R = np.zeros(N_STATES)  # reward for being in s, whatever one does there
R[0], R[-1] = -1.0, 1.0
P_coin = P.mean(axis=1)  # [S, S], both actions equally likely

true_values = np.linalg.solve(np.eye(N_STATES) - GAMMA * P_coin, R)
true_q = R[:, None] + GAMMA * P @ true_values
true_gap = true_q[START, RIGHT] - true_q[START, LEFT]
critic = 0.5 * true_values

# %% tags=["skip-execution"]
print("true values  ", true_values.round(2))
print("wrong critic ", critic.round(2))
print(f"In state {START}, going right is better than going left by {true_gap:.2f}.")

# %% [markdown]
# That last number is what a policy gradient needs: *how much better is one action than the other, in the same state?* We shall see how well it can be estimated from experience, with this critic.
#
# `walk` plays many copies of the corridor side by side, all from state 4 and all with the same first action; after that each copy tosses its own coins. 200 steps are as good as endless here, since $0.95^{200} \approx 0.00004$.


# %%
def walk(first_action: int, copies: int, steps: int, seed: int) -> np.ndarray:
    """States [steps + 1, copies] of walks that begin in START with the given action."""
    rng = np.random.default_rng(seed)
    cumulative = P.cumsum(axis=2)
    states = np.full((steps + 1, copies), START)
    for t in range(steps):
        actions = rng.integers(0, 2, copies) if t > 0 else np.full(copies, first_action)
        drawn = rng.random(copies)[:, None] > cumulative[states[t], actions]
        states[t + 1] = drawn.sum(axis=1)
    return states


def as_rollout(states: np.ndarray, values_of: np.ndarray) -> tuple[torch.Tensor, ...]:
    """(rewards, values, next_values, terminated, truncated), all [T, N]; here nothing ends."""
    states = torch.from_numpy(states)
    values = torch.tensor(values_of, dtype=torch.float32)[states]
    rewards = torch.tensor(R, dtype=torch.float32)[states[:-1]]
    never = torch.zeros(rewards.shape, dtype=torch.bool)
    return rewards, values[:-1], values[1:], never, never


# %% tags=["skip-execution"]
walks = {action: walk(action, copies=2000, steps=200, seed=action) for action in (LEFT, RIGHT)}
rollouts = {action: as_rollout(states, critic) for action, states in walks.items()}
deltas = {
    action: td_error(rewards, values, next_values, terminated, GAMMA)
    for action, (rewards, values, next_values, terminated, _) in rollouts.items()
}

# %% [markdown]
# ### Looking $k$ steps ahead
#
# Follow the rewards for $k$ steps, then trust the critic:
#
# $$\hat A_t^{(k)} = r_t + \gamma r_{t+1} + \dots + \gamma^{k-1} r_{t+k-1} + \gamma^k V(s_{t+k}) - V(s_t)$$
#
# ([GAE paper, section 3, equations 11 to 14](https://arxiv.org/abs/1506.02438)). $k = 1$ is the TD error; $k = \infty$ is the return minus the value.
#
# The same number can be written as a sum of discounted TD errors, because each $\gamma^l V(s_{t+l})$ comes up once with a plus and once with a minus sign and only the first and the last remain:
#
# $$\hat A_t^{(k)} = \sum_{l=0}^{k-1} \gamma^l \delta_{t+l}$$
#
# Do not take that on trust; here are both, for one walk.

# %% tags=["skip-execution"]
k = 5
rewards, values, next_values, _, _ = rollouts[RIGHT]
discounts = GAMMA ** torch.arange(200)

with_rewards = discounts[:k] @ rewards[:k, 0] + GAMMA**k * next_values[k - 1, 0] - values[0, 0]
with_td_errors = discounts[:k] @ deltas[RIGHT][:k, 0]
print(f"rewards, then the critic: {with_rewards:.5f}     sum of TD errors: {with_td_errors:.5f}")

# %% [markdown]
# **Predict first.** We estimate the gap between right and left as $\hat A^{(k)}$ of a walk that began with right, minus that of a walk that began with left. As $k$ grows from 1 to 200, what happens to its *bias* (how far it is off on average) and to its *standard deviation* (how far single estimates scatter)?


# %% tags=["skip-execution"]
def gap_statistics(estimates: dict[int, torch.Tensor]) -> tuple[float, float, float]:
    """Bias of the estimated gap, standard error of that bias, and variance of one estimate.

    estimates[action] [N]: an advantage from each walk that began with the action.
    """
    gap = (estimates[RIGHT].mean() - estimates[LEFT].mean()).item()
    variance = (estimates[RIGHT].var() + estimates[LEFT].var()).item()
    return gap - true_gap, (variance / len(estimates[RIGHT])) ** 0.5, variance


print("  k    bias of the gap     standard deviation of one estimate")
for k in (1, 2, 5, 10, 20, 50, 200):
    estimates = {action: discounts[:k] @ deltas[action][:k] for action in (LEFT, RIGHT)}
    bias, error, variance = gap_statistics(estimates)
    print(f"{k:3d}   {bias:+.2f} (+- {error:.2f})     {variance**0.5:.2f}")

# %% [markdown]
# <details><summary>Answer</summary>
#
# The bias shrinks and the scatter grows. At $k = 1$ the estimate is off by half of the true gap, because the critic is: it knows the future, but only half of it. At $k = 200$ the critic hardly matters and the bias is gone within its error, but a single estimate scatters by more than 5, around a gap of 1.5. In between one can choose.
#
# This is the trade of bias against variance. With a perfect critic there would be nothing to trade: $k = 1$ would be unbiased *and* the quietest.
# </details>

# %% [markdown]
# ## Part 2. All $k$ at once
#
# *About 25 minutes to here.*
#
# Instead of choosing one $k$, take all of them, with weights that fall by a factor $\lambda$ from each to the next. The factor $1-\lambda$ makes the weights add up to 1:
#
# $$\hat A_t^{GAE(\gamma,\lambda)} = (1-\lambda)\left(\hat A_t^{(1)} + \lambda \hat A_t^{(2)} + \lambda^2 \hat A_t^{(3)} + \dots\right)$$
#
# Now count how often one TD error comes up. $\gamma^l \delta_{t+l}$ is part of every $\hat A_t^{(k)}$ with $k > l$, so its weight is $(1-\lambda)(\lambda^l + \lambda^{l+1} + \dots) = \lambda^l$. What is left is short ([GAE paper, section 3, equation 16](https://arxiv.org/abs/1506.02438)):
#
# $$\hat A_t^{GAE(\gamma,\lambda)} = \sum_{l=0}^{\infty} (\gamma\lambda)^l\, \delta_{t+l}$$
#
# The two ends of the dial are old friends (equations 17 and 18): $\lambda = 0$ leaves $\delta_t$ alone, and $\lambda = 1$ gives the discounted return minus $V(s_t)$.
#
# Again both ways, for one walk:

# %% tags=["skip-execution"]
lam = 0.9
one_walk = deltas[RIGHT][:, 0]
k_step = torch.stack([discounts[:k] @ one_walk[:k] for k in range(1, 201)])
averaged = (1 - lam) * (lam ** torch.arange(200)) @ k_step
weighted = ((GAMMA * lam) ** torch.arange(200)) @ one_walk
print(f"average of 200 k-step estimates: {averaged:.5f}     weighted TD errors: {weighted:.5f}")

# %% [markdown]
# ### From a sum to a recursion
#
# A sum for every step would cost $T^2$ additions. But the sum of step $t$ contains the sum of step $t+1$, multiplied by $\gamma\lambda$. Going backward from the last step each one costs a single line:
#
# $$\hat A_t = \delta_t + \gamma\lambda\, \hat A_{t+1}$$
#
# ### Where an episode ends
#
# A rollout of 128 steps in 32 environments does not wait for episodes to end: they end in the middle, and the next row is the first step of a new one. Two questions have to be answered at every step, and they are *different* questions.
#
# **Predict first.** Write yes or no into each of the six cells.
#
# | | does $\delta_t$ count $\gamma V(s_{t+1})$? | does $\hat A_t$ go on to $\hat A_{t+1}$? |
# |---|---|---|
# | the episode goes on | ? | ? |
# | `terminated`: the pole fell, the goal was reached | ? | ? |
# | `truncated`: time was up | ? | ? |
#
# <details><summary>Answer</summary>
#
# | | does $\delta_t$ count $\gamma V(s_{t+1})$? | does $\hat A_t$ go on to $\hat A_{t+1}$? |
# |---|---|---|
# | the episode goes on | yes | yes |
# | `terminated` | no: nothing comes after | no: the next row is another episode |
# | `truncated` | **yes**: the state that was reached is worth as much as ever, only we stopped looking | **no**: the next row is another episode |
#
# If both flags are set, the task is over: `terminated` decides the first question.
# The last row of the rollout is no end at all. If its episode goes on, $\delta$ counts the next value; there is just nothing recorded to go on to.
#
# The third row is where code goes wrong. A program that stores only `done` must get one of its two answers wrong.
# </details>

# %% [markdown]
# ### Exercise 1: `gae`
#
# *Difficulty 3 of 5, about 25 minutes, importance 5 of 5. 12 points.*
#
# Write generalized advantage estimation for a rollout `[T, N]` ([GAE paper, section 3, equation 16](https://arxiv.org/abs/1506.02438)), with the two answers above for every environment by itself.
# Its other result is the critic's target, $\hat R_t = \hat A_t + V(s_t)$.
# Both are data: whoever trains on them must not send a gradient through them, even if the values that come in still hold the critic's graph.
# PPO in lab 5 calls this very function, and in lab 8 you adapt it to a language model.


# %% nbgrader={"grade": false, "grade_id": "gae", "locked": false, "schema_version": 3, "solution": true, "task": false}
def gae(
    rewards: torch.Tensor,
    values: torch.Tensor,
    next_values: torch.Tensor,
    terminated: torch.Tensor,
    truncated: torch.Tensor,
    gamma: float,
    lam: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Generalized advantage estimation over a rollout (Schulman et al. 2016, equation 16).

    Args:
        rewards: [T, N], r_t.
        values: [T, N], V(s_t), possibly with a graph.
        next_values: [T, N], V of the state that step t really led to, possibly with a graph.
        terminated: bool [T, N], the task ended with step t.
        truncated: bool [T, N], time was up after step t.
        gamma: discount.
        lam: lambda, 0 ... 1.

    Returns:
        (advantages [T, N], returns [T, N]), float32, without gradient;
        returns = advantages + values.
    """
    ### BEGIN SOLUTION
    values, next_values = values.detach(), next_values.detach()
    deltas = td_error(rewards, values, next_values, terminated, gamma)
    goes_on = ~(terminated | truncated)
    advantages = torch.empty_like(deltas)
    ahead = torch.zeros_like(deltas[0])
    for t in reversed(range(len(deltas))):
        ahead = deltas[t] + gamma * lam * goes_on[t] * ahead
        advantages[t] = ahead
    return advantages, advantages + values
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_gae", "locked": true, "points": 12, "schema_version": 3, "solution": false, "task": false}
check("gae", gae)
### BEGIN HIDDEN TESTS
from autograde.hidden import hidden_test

hidden_test("lab4_gae/gae", gae)
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# First all TD errors at once, without a loop. Then walk backward through the rows and carry one number per environment with you.
# </details>
# <details><summary>Hint 2: the shapes and the two masks</summary>
#
# TD errors `[T, N]`. The carried row has shape `[N]` and starts at zero. The first mask, `terminated`, belongs into the TD error. The second, "is the episode over after step t?", multiplies what is carried from row t + 1 into row t; it is read at row t.
# </details>
# <details><summary>Hint 3: almost code</summary>
#
# Detach both values. Call `td_error`. Make an empty tensor of the same shape. In the loop, the new carried row is this row's TD error plus `gamma * lam` times (1 where the episode goes on, else 0) times the old carried row; write it into row t. For a `bool` tensor `~x` means "not", and `bool * float` gives a float.
# </details>
# <details><summary>Help, I get "Subtraction, the `-` operator, with a bool tensor is not supported"</summary>
#
# The flags are `bool`. Write `~terminated` where you would write "1 minus terminated".
# </details>
# <details><summary>Help, I get "Can't call numpy() on Tensor that requires grad"</summary>
#
# The values come out of a network and still hold its graph. Detach them first; the results are constants anyway.
# </details>
# <details><summary>Help, everything is right except where time was up</summary>
#
# Did you build one mask `done` and use it twice? A time limit answers the two questions of the table differently.
# </details>
# <details><summary>Help, it takes long</summary>
#
# A loop over all later steps inside a loop over all steps grows with $T^2$, and the instructor's tests try 5,000 steps. The recursion visits each row once.
# </details>

# %% [markdown]
# **Move the sliders.** These are 48 recorded steps of CartPole in three environments with a time limit of 26 steps, played by a clumsy policy, with the values of a critic that was trained for $\gamma = 0.99$. The first picture shows the record; the others are drawn with *your* function.
# The weights are your function's too: it was given a reward of 1 at a single step and 0 elsewhere, and what came out at the step with the dot is the weight of that step.
# Use Tab to reach a slider and the arrow keys to move it.
#
# **Predict first.** (a) At $\lambda = 1$, how do the weights fall from step to step? And at $\lambda = 0$? (b) The weights stop at a dotted line. Why? (c) In environment 0 the pole falls at step 16, and time is up at step 42. How do the advantages before the two ends differ, at $\lambda = 0.95$?

# %% tags=["skip-execution"]
gae_explorer(gae)

# %% [markdown]
# <details><summary>What to see here</summary>
#
# (a) By $\gamma\lambda$ from each step to the next. At $\lambda = 1$ that is $\gamma = 0.99$, so slowly that the weights look like a plateau. At $\lambda = 0$ only the step itself counts.
#
# (b) There the episode ends. Rewards of the next episode are no merit of this one's actions.
#
# (c) Before a fall the advantages are strongly negative: the critic had hoped for many more rewards. With a small $\lambda$ the blame stays with the steps at which the critic's value drops, with a large one it reaches back to the steps before. Before a time limit there is no such drop. The state that was reached is still worth what the critic says it is (the dot in the first picture), and only the critic's usual small surprises are left.
# </details>

# %% [markdown]
# ## Part 3. Bias against variance, exactly
#
# *About 60 minutes to here.*
#
# Back to the corridor and its wrong critic, now with your function. For the bias we need no sampling. The critic's *expected* TD error in state $s$ after action $a$ is $\bar\delta(s, a) = R(s) + \gamma \sum_{s'} P(s' \mid s, a) V(s') - V(s)$, and under the policy $\bar\delta_\pi(s)$. The expected GAE is this plus everything that follows, once more a linear system:
#
# $$\mathbb E\big[\hat A \mid s, a\big] = \bar\delta(s,a) + \gamma\lambda \sum_{s'} P(s' \mid s, a)\, u(s'), \qquad u = \bar\delta_\pi + \gamma\lambda P_\pi u$$
#
# **Predict first.** At which $\lambda$ is the sum of squared bias and variance smallest: at 0, at 1, or in between? And if you average 100 estimates before you use them, does the best $\lambda$ go up or down?


# %%
def expected_advantages(lam: float) -> np.ndarray:
    """Exact mean of GAE(GAMMA, lam) [S, A] in the corridor, with the wrong critic."""
    expected_delta = R[:, None] + GAMMA * P @ critic - critic[:, None]  # [S, A]
    decay = GAMMA * lam
    later = np.linalg.solve(np.eye(N_STATES) - decay * P_coin, expected_delta.mean(axis=1))
    return expected_delta + decay * P @ later


# %% tags=["skip-execution"]
lambdas = np.array([*np.linspace(0, 0.9, 19), 0.92, 0.94, 0.95, 0.96, 0.98, 0.99, 1.0])
exact = np.array([expected_advantages(lam)[START] for lam in lambdas])  # [26, A]
exact_bias = exact[:, RIGHT] - exact[:, LEFT] - true_gap


def sampled_gaps() -> np.ndarray:
    """Bias, its standard error and the variance [3, L] of gaps that your gae estimates."""
    rows = []
    for lam in lambdas.tolist():
        yours = {action: gae(*rollouts[action], GAMMA, lam)[0][0] for action in (LEFT, RIGHT)}
        rows.append(gap_statistics(yours))
    return np.array(rows).T


with todo_guard():
    sampled_bias, errors, variance = sampled_gaps()
    display(gae_explorer(gae, TradeOff(lambdas, exact_bias, sampled_bias, errors, variance)))

# %% [markdown]
# The upper pictures are those of CartPole again; the lower ones are the corridor. Move $\lambda$ from 0 to 1 and watch all four: the further the weights reach, the smaller the bias, and the larger the variance. Most of both happens above $\lambda = 0.8$.
# The line in the third picture was computed without your function. The band is what your function finds in 2000 walks, give or take two standard errors. The line runs inside the band: two ways that have nothing in common agree.
#
# How large an error do you get if you average $n$ estimates? Averaging divides the variance by $n$ and leaves the bias as it is: $\text{bias}^2 + \text{variance} / n$.

# %% tags=["skip-execution"]
with todo_guard():
    _, _, variance = sampled_gaps()
    counts = 2 ** np.arange(12)  # 1, 2, 4, ... 2048
    spread = variance / counts[:, None]  # [n, lambda]
    total = exact_bias**2 + spread
    best = total.argmin(axis=1)
    shown = np.where(lambdas < 1, exact_bias**2, np.nan)  # 0 at lambda = 1: no place on a log axis
    picture = slider_figure(
        sliders=[Slider("n", counts.tolist(), start=1, label="n, estimates that are averaged")],
        panels=[
            Panel("squared error of the average", "lambda", "squared error", y_log=True,
                  y_range=(3e-3, 60.0), x_range=(-0.02, 1.02),
                  series=[Series("line", "bias squared", x=lambdas, y=shown),
                          Series("line", "variance / n", x=lambdas, y=spread, color=1),
                          Series("line", "sum of both", x=lambdas, y=total, color=2),
                          Series("points", "smallest sum", x=lambdas[best][:, None],
                                 y=total.min(axis=1)[:, None], color=3)]),
        ],
        reading=[
            f"average of {n} estimate{'s' * (n > 1)}: the squared error is smallest at lambda "
            f"{lambdas[b]:.2f}, where it is {row.min():.3f}"
            for n, b, row in zip(counts.tolist(), best, total, strict=True)
        ],
        description="Squared error over lambda: squared bias falls, variance divided by n rises.",
    )  # fmt: skip
    display(picture)

# %% [markdown]
# <details><summary>Answer</summary>
#
# It depends on how much you average. For a single estimate the variance is all that matters and $\lambda$ near 0 wins. With 16 estimates the best $\lambda$ is 0.8; with a thousand it is close to 1. More data pays for a larger $\lambda$, and so does a worse critic. A policy gradient averages over a whole batch, which is one reason why values near 1 do well in practice; PPO's authors, for example, use 0.95 ([table 3](https://arxiv.org/abs/1707.06347)).
# </details>
#
# **A subtle point.** We looked at the *gap* between two actions. Look at one advantage alone, and $\lambda = 1$ does not remove the bias:

# %% tags=["skip-execution"]
for lam in (0.0, 0.95, 1.0):
    mean = expected_advantages(lam)[START]
    off = mean - (true_q[START] - true_values[START])
    print(f"lambda {lam:4.2f}: bias {off[LEFT]:+.2f} for left, {off[RIGHT]:+.2f} for right")
print(f"true value minus critic in state {START}: {true_values[START] - critic[START]:+.2f}")

# %% [markdown]
# <details><summary>Why is that harmless?</summary>
#
# At $\lambda = 1$ both actions are off by the same number, the critic's own error $V^\pi(s) - V(s)$. What is the same for all actions in a state is a baseline, and a baseline changes nothing in the mean of the policy gradient (lab 1). The paper calls such an estimator $\gamma$-just: $GAE(\gamma, 1)$ is, however wrong the critic may be, and for $\lambda < 1$ only a critic without error guarantees it ([section 3](https://arxiv.org/abs/1506.02438)).
#
# $\gamma$ is different. It defines what is being estimated, and lowering it gives up rewards far ahead even if the critic is perfect.
# </details>
#
# **Another way to read it** ([section 4](https://arxiv.org/abs/1506.02438)). Suppose someone replaced every reward by the *shaped* reward $\tilde r_t = r_t + \gamma V(s_{t+1}) - V(s_t)$. That is just $\delta_t$. So GAE is an ordinary discounted sum of shaped rewards, with a steeper discount, $\gamma\lambda$. The critic moves the consequences of an action closer in time, and so one can afford to look less far. Your function can confirm it:

# %% tags=["skip-execution"]
with todo_guard():
    advantages, _ = gae(*rollouts[RIGHT], GAMMA, 0.9)
    shaped, nothing = deltas[RIGHT], torch.zeros_like(deltas[RIGHT])
    never = rollouts[RIGHT][3]
    # A discounted sum of rewards: lambda = 1, and a critic that says 0.
    same, _ = gae(shaped, nothing, nothing, never, never, GAMMA * 0.9, 1.0)
    print(f"largest difference: {(advantages - same).abs().max():.1e}")

# %% [markdown]
# ## Part 4. Time is up: what is that state worth?
#
# *About 75 minutes to here.*
#
# Here is the simplest task there is. One state, one action, reward 1 at every step, for ever. With $\gamma = 0.9$ its value is $1 + 0.9 + 0.81 + \dots = 1 / (1 - \gamma) = 10$.
# To get fresh starts now and then, the environment is reset after 20 steps. That is a time limit: a habit of ours, and no part of the task. Gymnasium's `TimeLimit` wrapper sets `truncated` for it.


# %%
class OneState(gym.Env):
    """One state, one action, reward 1 at every step; it never ends by itself."""

    observation_space = gym.spaces.Box(1.0, 1.0, (1,), np.float32)
    action_space = gym.spaces.Discrete(1)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.ones(1, dtype=np.float32), {}

    def step(self, action):
        return np.ones(1, dtype=np.float32), 1.0, False, False, {}


def one_state_rollout(n_steps: int = 60, n_envs: int = 4) -> tuple[torch.Tensor, ...]:
    """(rewards, terminated, truncated), all [T, N], of OneState with a limit of 20 steps."""
    envs = SyncVectorEnv(
        [lambda: gym.wrappers.TimeLimit(OneState(), max_episode_steps=20)] * n_envs,
        autoreset_mode=AutoresetMode.SAME_STEP,
    )
    envs.reset(seed=0)
    rows = [envs.step(np.zeros(n_envs, dtype=int))[1:4] for _ in range(n_steps)]
    rewards, terminated, truncated = (np.stack(column) for column in zip(*rows, strict=True))
    return tuple(map(torch.from_numpy, (rewards.astype(np.float32), terminated, truncated)))


# %% [markdown]
# The critic is as tiny as the task: a single number, its value for the one state. We train it on your returns in two ways. First as it should be. Then as programs do that know only `done`: there the time limit is handed to `gae` as if it were the end of the task.
#
# **Predict first.** The first critic should come to 10. And the second? (a) Also 10. (b) The discounted sum of 20 rewards, $(1 - 0.9^{20}) / (1 - 0.9) = 8.8$. (c) Something lower.

# %% tags=["skip-execution"]
with todo_guard():
    rewards, terminated, truncated = one_state_rollout()
    curves = {}
    for name, ends in (("truncated", terminated), ("treated as terminated", truncated)):
        value = nn.Parameter(torch.zeros(()))
        optimizer = torch.optim.SGD([value], lr=0.05)
        curves[name] = [value.item()]
        for _ in range(150):
            says = value.expand_as(rewards)
            _, returns = gae(rewards, says, says, ends, truncated, gamma=0.9, lam=0.95)
            optimizer.zero_grad()
            value_loss(says, returns).backward()
            optimizer.step()
            curves[name].append(value.item())

    fig = Figure(figsize=(6.6, 3.0), layout="constrained")
    axes = fig.subplots()
    for (name, curve), (color, style) in zip(curves.items(), figures.CYCLE, strict=False):
        axes.plot(curve, color=color, ls=style, label=f"time limit {name}: {curve[-1]:.2f}")
    axes.axhline(10, color="black", lw=0.8)
    axes.text(2, 10.1, "true value 1 / (1 - gamma) = 10", fontsize=9, va="bottom")
    axes.set(xlabel="gradient step", ylabel="the critic's value", ylim=(0, 11.5))
    axes.legend(frameon=False, loc="lower right")
    figures.show(
        fig,
        alt="Two curves from 0. With the time limit as truncated the critic comes to the true "
        "value 10; with the time limit treated as terminated it stays at about 6.",
    )

# %% [markdown]
# <details><summary>Answer</summary>
#
# (c). It is not even the value of 20 rewards. The observation does not say how much time is left, so the critic must give *one* answer for all moments: for the first step of an episode, with 20 rewards to come, and for the last, with one. It learns an average of them. Nothing that the agent can see explains the differences. Pardo et al. call this *state aliasing* ([Time Limits in Reinforcement Learning, 2018](https://arxiv.org/abs/1712.00378)).
#
# Using the value of the last state at a time limit is what they call *partial-episode bootstrapping*.
# </details>
#
# **When is a time limit part of the task?** When the task *is* to do as well as possible within that time: a chess clock, a match of 90 minutes. Then the end of the time is a termination, and the remaining time belongs into the observation, so that the critic can see it coming. Both cases are in [Pardo et al. 2018](https://arxiv.org/abs/1712.00378).

# %% [markdown]
# ## Part 5. Environments that reset themselves
#
# *About 90 minutes to here.*
#
# `gae` asks for the value of the state that step $t$ *really* led to. In a vector environment that is less easy to get than it sounds. When one of 32 environments ends its episode the others are in the middle of theirs, so each resets by itself. The question is where the final observation goes. Gymnasium has two ways of doing it (and a third mode that leaves it all to you), and a program written for one is wrong with the other ([Autoreset Mode](https://gymnasium.farama.org/main/api/vector/autoreset/)):
#
# | | `NEXT_STEP` (the default) | `SAME_STEP` |
# |---|---|---|
# | the step that ends an episode returns | its final observation | the *first* observation of the next episode |
# | the final observation is | what was returned | in `infos["final_obs"]` |
# | the step after it | only resets: the action is ignored, the reward is 0 | is an ordinary step |
# | one has to | leave that fake step out of the batch | fetch the final observation |
#
# Here are both, with a pole that always gets pushed to the right until it falls. Look at its angle.


# %%
def push_right(envs, title: str) -> None:
    """Print what envs.step returns around the first end of an episode."""
    print(title)
    obs, _ = envs.reset(seed=3)
    pushes = np.ones(envs.num_envs, dtype=int)
    for step in range(12):
        obs, rewards, terminated, _, infos = envs.step(pushes)
        if step >= 7:
            final = infos["final_obs"][0] if "final_obs" in infos else None
            print(f"  step {step:2d}   angle {obs[0, 2]:+.3f}   reward {rewards[0]:.0f}   "
                  f"terminated {terminated[0]!s:5}   final_obs "
                  f"{'-' if final is None else f'angle {final[2]:+.3f}'}")  # fmt: skip
    envs.close()


def same_step_cartpole(n_envs: int, max_episode_steps: int):
    """CartPole in SAME_STEP mode (make_envs gives Gymnasium's own fast one, in NEXT_STEP mode)."""
    return gym.make_vec(
        "CartPole-v1", n_envs, vectorization_mode="sync", max_episode_steps=max_episode_steps,
        vector_kwargs={"autoreset_mode": AutoresetMode.SAME_STEP},
    )  # fmt: skip


# %% tags=["skip-execution"]
push_right(make_envs("CartPole-v1", num_envs=1), "NEXT_STEP")
push_right(same_step_cartpole(1, max_episode_steps=500), "SAME_STEP")

# %% [markdown]
# In the second list the row that says `terminated` has an upright pole in it: the new episode's first observation. Take it for the state that the step led to, and the value of a fresh start stands where the value of that state belongs. After a termination that does no harm, since nothing is counted there. After a time limit it is counted.
#
# What exactly is in `infos`? Two environments, one of which has just fallen:

# %% tags=["skip-execution"]
envs = same_step_cartpole(2, max_episode_steps=500)
envs.reset(seed=3)
for _ in range(30):
    next_obs, _, terminated, truncated, infos = envs.step(np.array([1, 0]))
    if (terminated | truncated).sum() == 1:
        break
envs.close()
print("done     ", terminated | truncated)
print("final_obs", infos["final_obs"])
print("all keys ", list(infos))

# %% [markdown]
# ### Exercise 2: `true_next_obs`
#
# *Difficulty 2 of 5, about 15 minutes, importance 4 of 5. 5 points.*
#
# Give back the observations that a step really led to: the final one from `infos["final_obs"]` where an episode ended, and what `step` returned elsewhere.
# Two details. When nobody is done there is no such key. And `next_obs` itself must stay as it is: the loop that plays goes on from there, with the first observation of the new episode.
# The first line is given; the rest is yours.


# %% nbgrader={"grade": false, "grade_id": "true_next_obs", "locked": false, "schema_version": 3, "solution": true, "task": false}
def true_next_obs(next_obs: np.ndarray, infos: dict, done: np.ndarray) -> np.ndarray:
    """Observations that a step in SAME_STEP mode really led to.

    Args:
        next_obs: [N, O], as `envs.step` returned them; not changed.
        infos: the dict from `envs.step`. If an episode ended, infos["final_obs"] is an object
            array [N]: an array [O] for each environment that is done, None for the others.
            If none ended the key is absent.
        done: bool [N], terminated or truncated.

    Returns:
        [N, O], an array of next_obs's dtype.
    Source: https://gymnasium.farama.org/main/api/vector/autoreset/
    """
    true_obs = next_obs.copy()
    ### BEGIN SOLUTION
    for i in np.flatnonzero(done):
        true_obs[i] = infos["final_obs"][i]
    return true_obs
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_true_next_obs", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
check("true_next_obs", true_next_obs)
### BEGIN HIDDEN TESTS
from autograde.hidden import hidden_test

hidden_test("lab4_gae/true_next_obs", true_next_obs)
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# Most rows are right already. Only the rows of environments that are done get replaced.
# </details>
# <details><summary>Hint 2: the indices</summary>
#
# `final_obs` has a place for every environment, in the same order as `next_obs`. The row of environment 3 is `infos["final_obs"][3]`, not "the first one that is not None".
# </details>
# <details><summary>Hint 3: almost code</summary>
#
# Loop over the numbers of the environments that are done (`np.flatnonzero` lists them) and overwrite these rows of the copy. If the list is empty the loop does nothing, and the missing key is never asked for.
# </details>
# <details><summary>Help, I get KeyError: 'final_obs'</summary>
#
# You ask for the key before you know that somebody is done. Most steps end nothing.
# </details>
# <details><summary>Help, I get "setting an array element with a sequence" or an array of dtype object</summary>
#
# `final_obs` is an array *of arrays and Nones*. It cannot be used as a matrix; pick its entries one by one, or `np.stack` those that are done.
# </details>

# %% [markdown]
# ## Part 6. Is the critic any good?
#
# *About 110 minutes to here.*
#
# Everything depends on the critic: a good one allows a small $\lambda$, a bad one does not. How good is it? The value loss alone does not say, since its size depends on the size of the rewards. One number that does is the **explained variance**: which share of the differences between targets does the critic predict?
#
# $$EV = 1 - \frac{\operatorname{Var}[\hat R - V]}{\operatorname{Var}[\hat R]}$$
#
# 1 means perfect, 0 means no better than a constant, below 0 means worse than a constant. A constant error of the critic does not count, because a variance ignores it.
# ([Stable-Baselines3](https://stable-baselines3.readthedocs.io/en/master/common/logger.html) prints it as `explained_variance` after each update.)

# %% [markdown]
# ### Exercise 3: `explained_variance`
#
# *Difficulty 1 of 5, about 10 minutes, importance 3 of 5. 3 points.*
#
# If all targets are the same there is nothing to explain, and the answer is NaN ("not a number"), whatever the predictions are. A batch of one is such a case.
# Whether you divide by $N$ or by $N - 1$ does not matter, as long as both variances do the same.


# %% nbgrader={"grade": false, "grade_id": "explained_variance", "locked": false, "schema_version": 3, "solution": true, "task": false}
def explained_variance(predicted: torch.Tensor, target: torch.Tensor) -> float:
    """Share of the targets' variance that the predictions explain.

    Args:
        predicted: [B], the critic's values, without graph.
        target: [B], the returns.

    Returns:
        A Python float: 1 - Var[target - predicted] / Var[target]; NaN if the target is constant.
    """
    ### BEGIN SOLUTION
    spread = target.var(correction=0)
    if spread == 0:
        return float("nan")
    return 1 - ((target - predicted).var(correction=0) / spread).item()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_explained_variance", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check("explained_variance", explained_variance)
### BEGIN HIDDEN TESTS
from autograde.hidden import hidden_test

hidden_test("lab4_gae/explained_variance", explained_variance)
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# Two variances, one division, one subtraction, and a question to ask before the division.
# </details>
# <details><summary>Hint 2: the variance</summary>
#
# `x.var()` of a tensor takes the mean off by itself. The mean of squares does not; a critic that is 3 too high everywhere would then look bad.
# </details>
# <details><summary>Hint 3: almost code</summary>
#
# Compute the target's variance. If it is 0, return `float("nan")`. Else divide the residual's variance by it, take that from 1, and turn the tensor into a Python number.
# </details>
# <details><summary>Help, I get -inf or a warning about degrees of freedom</summary>
#
# Something was divided by 0. `x.var()` divides by N - 1, which is 0 for a single entry; `x.var(correction=0)` divides by N.
# </details>

# %% [markdown]
# ### All three together
#
# Now a real task. A fixed and clumsy policy balances the pole: it pushes where the pole leans, but half of its actions are random. Its episodes are cut after 100 steps; some end earlier with a fall.
# What is a fresh start worth under this policy, if nobody ever stops the clock? That we can find out the slow way, by playing until (nearly) every discounted reward is in.
# Then we train a critic on rollouts with the time limit. `play` records what your exercises need: the observations before each step, and your true next observations.


# %%
def clumsy(obs: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Push where the pole leans and moves; every second action is random. obs [N, 4] -> [N]."""
    sensible = obs @ np.array([0.1, 0.2, 1.0, 0.4]) > 0
    random = rng.random(len(obs)) < 0.5
    return np.where(random, rng.integers(0, 2, len(obs)), sensible).astype(np.int64)


def play(n_steps: int, n_envs: int = 16, max_episode_steps: int = 100, seed: int = 0) -> dict:
    """Play the clumsy policy: tensors obs, next_obs, returned_obs [T, N, 4], the rest [T, N]."""
    envs = same_step_cartpole(n_envs, max_episode_steps)
    rng = np.random.default_rng(seed)
    rows = []
    obs, _ = envs.reset(seed=seed)
    for _ in range(n_steps):
        after, rewards, terminated, truncated, infos = envs.step(clumsy(obs, rng))
        row = {
            "obs": obs,
            "next_obs": true_next_obs(after, infos, terminated | truncated),
            "returned_obs": after,  # with first observations where an episode ended
            "rewards": rewards.astype(np.float32),
            "terminated": terminated,
            "truncated": truncated,
        }
        rows.append({name: torch.from_numpy(array) for name, array in row.items()})
        obs = after
    envs.close()
    columns = zip(*(row.values() for row in rows), strict=True)
    return dict(zip(rows[0], map(torch.stack, columns), strict=True))


def worth_of_a_start(episodes: int = 96, gamma: float = 0.99) -> tuple[float, float]:
    """Mean discounted return of the clumsy policy without a time limit, and its standard error."""
    envs = same_step_cartpole(episodes, max_episode_steps=10_000)
    rng = np.random.default_rng(1)
    obs, _ = envs.reset(seed=1)
    total, playing = np.zeros(episodes), np.ones(episodes, dtype=bool)
    for t in range(600):  # 0.99 ** 600 = 0.002
        obs, rewards, terminated, _, _ = envs.step(clumsy(obs, rng))
        total += gamma**t * rewards * playing
        playing &= ~terminated
    envs.close()
    return total.mean(), total.std() / episodes**0.5


# %% [markdown]
# Three critics learn from the same experience: one as it should be, one that takes the time limit for the end of the task, and one that uses the observation that `step` returned, without `true_next_obs`.
#
# **Predict first.** Which critic is furthest from the truth? And could you have told from its loss and its explained variance alone?


# %% tags=["skip-execution"]
def train_critic(data: dict, kind: str, gamma: float = 0.99, lam: float = 0.95):
    """Train a critic; return it, and the means of its last 20 losses and explained variances."""
    torch.manual_seed(0)
    critic = nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 1), nn.Flatten(-2))
    adam = torch.optim.Adam(critic.parameters(), lr=0.01)
    losses, explained = [], []
    for start in [*range(0, len(data["obs"]), 64)] * 3:  # rollouts of 64 steps, three times over
        piece = {name: tensor[start : start + 64] for name, tensor in data.items()}
        following = piece["returned_obs" if kind == "next_obs as returned" else "next_obs"]
        ends = piece["terminated"]
        if kind == "time limit as the end":
            ends = ends | piece["truncated"]
        with torch.no_grad():
            values, next_values = critic(piece["obs"]), critic(following)
        _, returns = gae(
            piece["rewards"], values, next_values, ends, piece["truncated"], gamma, lam
        )
        explained.append(explained_variance(values.flatten(), returns.flatten()))
        for _ in range(4):
            loss = value_loss(critic(piece["obs"]), returns)
            adam.zero_grad()
            loss.backward()
            adam.step()
        losses.append(loss.item())
    return critic, np.mean(losses[-20:]), np.mean(explained[-20:])


with todo_guard():
    data = play(n_steps=2560)
    truth, error = worth_of_a_start()
    starts = torch.from_numpy(same_step_cartpole(96, 100).reset(seed=1)[0])
    print(f"a fresh start is worth {truth:.1f} +- {error:.1f}\n")
    print("critic                    says of a start     loss     explained variance")
    for kind in ("as it should be", "time limit as the end", "next_obs as returned"):
        trained, loss, explained = train_critic(data, kind)
        says = trained(starts).mean().item()
        print(f"{kind:22s} {says:14.1f} {loss:13.0f} {explained:15.2f}")

# %% [markdown]
# <details><summary>Answer</summary>
#
# The critic that takes the time limit for the end is off by more than 20. The first one agrees with the truth within the errors.
#
# Its loss and its explained variance are a little worse than the first one's, since the remaining time is one more thing that nobody can see. But who has only the one critic to look at would hardly be alarmed. Both numbers compare the critic with *its own targets*, and those are wrong.
#
# The third says only about 3 more than the first, because in CartPole a fresh start and the 100th step of a balanced pole look much alike. Where a robot has walked a mile in the meantime they do not.
#
# Even the right critic explains only about 0.4 of the variance, and more training would not bring it to 1: with half of the actions random two episodes from the same state end differently, and no critic can foresee luck. Read the number as a trend, and against what is possible in the task.
# </details>

# %% [markdown]
# ## Part 7. An actor-critic with your advantages
#
# *About 125 minutes to here.*
#
# Last, the actor-critic of lab 3, with your `gae` in place of Monte Carlo advantages, and CartPole with its usual limit of 500 steps. All of this is worked code; read `train` and find the two places where your functions do their work.
#
# This time the environments are Gymnasium's own fast CartPole, which is in `NEXT_STEP` mode. So the observation that `step` returns *is* the true next one, and `Collector` has to mark the fake steps that only reset (`real` is false there).


# %%
class ActorCritic(nn.Module):
    """Policy and value function as two small networks (lab 3): obs -> (logits, values)."""

    def __init__(self, obs_dim: int, n_actions: int, hidden: int = 64):
        super().__init__()
        self.actor = nn.Sequential(
            nn.Linear(obs_dim, hidden), nn.Tanh(), nn.Linear(hidden, n_actions)
        )
        self.critic = nn.Sequential(nn.Linear(obs_dim, hidden), nn.Tanh(), nn.Linear(hidden, 1))

    def forward(self, obs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.actor(obs), self.critic(obs).squeeze(-1)


def categorical_entropy(logits: torch.Tensor) -> torch.Tensor:
    """Entropy of the policy at each observation, in nats (lab 3): [..., A] -> [...]."""
    log_p = logits.log_softmax(dim=-1)
    return -(log_p.exp() * log_p).sum(dim=-1)


def a2c_loss(
    logits, actions, values, advantages, returns, value_coef: float, entropy_coef: float
) -> tuple[torch.Tensor, dict[str, float]]:
    """Policy loss, value loss and entropy bonus in one (lab 3), with the parts as floats."""
    log_p = logits.log_softmax(dim=-1)
    taken = log_p.gather(-1, actions.unsqueeze(-1)).squeeze(-1)
    policy_loss = -(taken * advantages.detach()).mean()
    critic_loss = value_loss(values, returns)
    bonus = categorical_entropy(logits).mean()
    loss = policy_loss + value_coef * critic_loss - entropy_coef * bonus
    parts = {"policy_loss": policy_loss, "value_loss": critic_loss, "entropy": bonus}
    return loss, {name: part.item() for name, part in parts.items()}


def numpy_policy(model: ActorCritic):
    """The actor as a NumPy function obs [..., O] -> logits [..., A], on the model's own weights."""
    weight1, bias1, weight2, bias2 = (p.detach().numpy() for p in model.actor.parameters())
    return lambda obs: np.tanh(obs @ weight1.T + bias1) @ weight2.T + bias2


class Collector:
    """Plays N environments in NEXT_STEP mode with the current policy."""

    def __init__(self, envs, generator: torch.Generator):
        self.envs, self.generator = envs, generator
        self.obs, _ = envs.reset()
        self.alive = np.ones(envs.num_envs, dtype=bool)  # False: the next step only resets
        self.scores = np.zeros(envs.num_envs)
        self.env_steps = 0

    def collect(self, model: ActorCritic, n_steps: int):
        """Play n_steps in every environment.

        Returns (rollout, finished): a dict of tensors obs [T + 1, N, O] and actions, rewards,
        terminated, truncated, real [T, N]; and the returns of the episodes that ended.
        """
        n_envs, n_actions = self.envs.num_envs, int(self.envs.single_action_space.n)
        noise = torch.empty(n_steps, n_envs, n_actions).exponential_(generator=self.generator)
        gumbel = -noise.log().numpy()  # logits + Gumbel noise: the largest is a softmax sample
        policy = numpy_policy(model)
        obs = np.empty((n_steps + 1, *self.obs.shape), dtype=np.float32)
        actions = np.empty((n_steps, n_envs), dtype=np.int64)
        rewards = np.empty((n_steps, n_envs), dtype=np.float32)
        terminated, truncated, real = np.empty((3, n_steps, n_envs), dtype=bool)
        finished = []
        obs[0] = self.obs
        for t in range(n_steps):
            real[t] = self.alive
            actions[t] = (policy(obs[t]) + gumbel[t]).argmax(axis=-1)
            obs[t + 1], rewards[t], terminated[t], truncated[t], _ = self.envs.step(actions[t])
            done = terminated[t] | truncated[t]
            self.scores += rewards[t]
            finished += self.scores[done].tolist()
            self.scores[done] = 0.0
            self.alive = ~done
        self.obs = obs[-1]
        self.env_steps += int(real.sum())
        arrays = {
            "obs": obs, "actions": actions, "rewards": rewards, "terminated": terminated,
            "truncated": truncated, "real": real,
        }  # fmt: skip
        return {name: torch.from_numpy(array) for name, array in arrays.items()}, finished


# %%
@dataclass
class TrainConfig:
    """What a whole training run needs to know."""

    total_steps: int = 400_000
    """budget; the learning rates fall along with it, to a twentieth"""
    num_envs: int = 32
    """environments that are played side by side, N"""
    n_steps: int = 16
    """steps per environment and rollout, T"""
    actor_rate: float = 0.005
    """learning rate of the actor, at the start"""
    critic_rate: float = 0.03
    """learning rate of the critic; larger, because the advantages are only as good as it is"""
    gamma: float = 0.99
    """discount"""
    lam: float = 0.95
    """lambda of GAE"""
    value_coef: float = 0.5
    """weight of the value loss"""
    entropy_coef: float = 0.0
    """weight of the entropy bonus"""
    goal: float = 475.0
    """stop when the mean return of the last 100 episodes reaches this"""


def new_run(config: TrainConfig, seed: int) -> SimpleNamespace:
    """A fresh agent and all that belongs to it, made from one seed."""
    torch.manual_seed(seed)
    envs = make_envs("CartPole-v1", num_envs=config.num_envs, seed=seed)
    model = ActorCritic(envs.single_observation_space.shape[0], int(envs.single_action_space.n))
    parts = [(model.actor, config.actor_rate), (model.critic, config.critic_rate)]
    groups = [{"params": list(p.parameters()), "lr": rate, "first": rate} for p, rate in parts]
    optimizer = torch.optim.Adam(groups, eps=1e-5)
    collector = Collector(envs, torch.Generator().manual_seed(seed))
    return SimpleNamespace(model=model, optimizer=optimizer, collector=collector)


def train(run: SimpleNamespace, config: TrainConfig):
    """Train in place until the goal or the end of the budget; return the monitor's history."""
    model, collector = run.model, run.collector
    with Monitor(config.total_steps, goal=config.goal, title="A2C on CartPole-v1") as monitor:
        while collector.env_steps < config.total_steps and not monitor.solved:
            rollout, finished = collector.collect(model, config.n_steps)
            obs, real = rollout["obs"], rollout["real"]
            with torch.no_grad():
                values = model(obs)[1]
                advantages, returns = gae(
                    rollout["rewards"], values[:-1], values[1:], rollout["terminated"],
                    rollout["truncated"], config.gamma, config.lam,
                )  # fmt: skip
            # From here on a flat batch of the real steps. The 1 in the denominator is one reward:
            # without it, tiny advantages would be blown up when everything goes well.
            advantages, returns = advantages[real], returns[real]
            standard = (advantages - advantages.mean()) / (advantages.std(correction=0) + 1)
            logits, new_values = model(obs[:-1][real])
            loss, parts = a2c_loss(
                logits, rollout["actions"][real], new_values, standard, returns,
                config.value_coef, config.entropy_coef,
            )  # fmt: skip
            left = 1 - collector.env_steps / config.total_steps
            for group in run.optimizer.param_groups:
                group["lr"] = group["first"] * max(left, 0.05)
            run.optimizer.zero_grad()
            loss.backward()
            for part in (model.actor, model.critic):
                nn.utils.clip_grad_norm_(part.parameters(), 0.5)
            run.optimizer.step()
            monitor.episodes(finished, collector.env_steps)
            monitor.log(
                value_loss=parts["value_loss"], entropy=parts["entropy"],
                explained_variance=explained_variance(values[:-1][real], returns),
            )  # fmt: skip
    return monitor.history


# %% [markdown]
# You may stop at any time with the square button or by pressing I twice; what was learned is kept.
#
# **Predict first.** What will the explained variance do when the agent gets better and nearly every episode lasts 500 steps?

# %% tags=["skip-execution"]
config = TrainConfig()
run = new_run(config, seed=0)
history = train(run, config)


# %% tags=["skip-execution"]
def act(obs):
    """The agent's favorite action."""
    return int(numpy_policy(run.model)(obs).argmax())


replay(act, "CartPole-v1", seed=7)

# %% [markdown]
# <details><summary>Answer</summary>
#
# It rises above 0.9, while the critic learns which states are about to fall. When hardly any episode ends with a fall all states are worth about the same, nearly $1/(1-\gamma) = 100$. There is little left to explain, and a share of next to nothing means little: the number drops and jumps although the value loss says that all is well. Look at both.
# </details>
#
# <details><summary>It is not solved. What now?</summary>
#
# If all checks above are green it should be: with seeds 0 to 7 it took us between 122,000 and 182,000 steps. Deep dips on the way are normal; each batch is used for one step only, and a single bad one can do harm. (PPO, in lab 5, is about that.) Try `seed=1`.
# </details>
#
# ### Try it yourself (not graded)
#
# Change $\lambda$, predict, run. What does an actor with $\lambda = 0$ learn from a critic that knows nothing yet? And what will the *explained variance* look like?

# %% tags=["skip-execution"]
with todo_guard():
    experiment = TrainConfig(lam=0.0, total_steps=150_000)
    train(new_run(experiment, seed=0), experiment)

# %% [markdown]
# <details><summary>What we saw, with seeds 0, 1 and 2</summary>
#
# All with the 150,000 steps of this cell. (The learning rates fall along with the budget, so a run with a small budget is not the beginning of a run with a large one.)
#
# - $\lambda = 0$: one of three was solved; the other two ended near 100. Early on the critic says about the same everywhere, and then the TD errors say nothing about the actions.
# - $\lambda = 0.95$: none of three was solved yet; they ended between 270 and 450.
# - $\lambda = 1$: two of three were solved, the third ended at 471. So the noise did no harm here. A rollout is 16 steps long, and no advantage looks further than that: bias and variance are bounded by the rollout too.
# - Three seeds show that something *can* happen. For a claim that one $\lambda$ is better than another you need more of them.
#
# The explained variance of $\lambda = 0$ begins at 0.7, dips, and then stays close to 1, with an agent that fails. No wonder: its targets are $r_t + \gamma V(s_{t+1})$, nearly the critic's own opinion one step later. It is easy to agree with oneself.
# </details>

# %% [markdown]
# ## Common mistakes
#
# | mistake | what you see |
# |---|---|
# | one mask `done` for both questions | values too low before time limits; in part 4 the critic stops at 6 instead of 10 |
# | the sum is not cut at a time limit | the advantage of the last steps of an episode changes with what the *next* episode does |
# | `values[t + 1]` across an end | the value of a fresh start stands in for the value of the state reached |
# | masks read at `t + 1` | right as long as no episode ends; the fault sits one row beside each end |
# | last row without its next value | every rollout seems to end the task; the shorter the rollout, the worse |
# | $\gamma$ and $\lambda$ exchanged | right only if they are equal; at $\lambda = 0$ the TD error forgets the future |
# | advantages with a graph | the policy loss also trains the critic, toward whatever makes it small |
# | advantages standardized inside `gae` | the returns, the critic's targets, lose their meaning |
# | writing into `next_obs` | the policy acts on the last observation of an episode that is over |

# %% [markdown]
# ## Check your understanding
#
# *About 140 minutes to here.* Answer first, then open.
#
# **1.** $\gamma = 0.99$ and $\lambda = 0.95$. How many steps ahead does a TD error still count with more than 1 % of its weight?
#
# <details><summary>Answer</summary>
#
# $(0.99 \cdot 0.95)^l > 0.01$ holds up to $l = \ln 0.01 / \ln 0.9405 \approx 75$. With $\lambda = 1$ it would be 458, with $\lambda = 0.5$ six.
# </details>
#
# **2.** Your critic is perfect. Which $\lambda$ do you choose?
#
# <details><summary>Answer</summary>
#
# 0. The TD error is then unbiased, and it contains the luck of a single step only. A larger $\lambda$ would add the luck of later steps and remove no bias.
# </details>
#
# **3.** A rollout has $T = 16$ steps and no episode ends in it. $\lambda = 1$. Is the advantage of its first step a Monte Carlo estimate?
#
# <details><summary>Answer</summary>
#
# Not quite. It sums 16 rewards and then trusts the critic: it is $\hat A^{(16)}$. The last step's is a TD error, $\hat A^{(1)}$, whatever $\lambda$ is. Short rollouts limit how far one can look.
# </details>
#
# **4.** Split a rollout of 16 steps into two of 8 and run `gae` on each. For which $\lambda$ are all advantages the same as before?
#
# <details><summary>Answer</summary>
#
# For $\lambda = 0$. With any other, steps of the first half look into the second, and the split cuts that off; the critic's value at the cut takes its place. (An episode's end exactly at the cut would make the split harmless for every $\lambda$.)
# </details>
#
# **5.** In `NEXT_STEP` mode somebody forgets to leave out the step that only resets. Which numbers does it bring into the batch?
#
# <details><summary>Answer</summary>
#
# A transition that never happened: from the final observation of one episode to the first of the next, with reward 0 and an action that had no effect. The critic learns that the final state leads to a fresh start, and the policy gradient praises or blames an action that did nothing.
# </details>
#
# **6.** A critic explains 0.9 of the variance of its targets. Are its values right?
#
# <details><summary>Answer</summary>
#
# They may all be 50 too high: a constant error does not count. And the targets themselves may be wrong, as in part 6. It says that the critic orders the states much as its targets do.
# </details>

# %% [markdown]
# ## A question in your own words (4 points, graded by your instructor)
#
# **A robot is trained in episodes that are stopped after 1,000 steps. The program stores one flag, `done`, and uses it in both places of GAE. What does its critic learn, and why? Somebody "repairs" it by never setting `done` at a time limit. What goes wrong now? How does $\lambda$ change the damage in each case?**
#
# Six to ten sentences.

# %% [markdown] nbgrader={"grade": true, "grade_id": "one_flag", "locked": false, "points": 4, "schema_version": 3, "solution": true, "task": false}
# **Model answer.** With one flag the time limit counts as the end of the task, so the last state of such an episode gets the target $r_t$ alone, although the robot could have gone on. The critic's values come out too low. They are also not a function of what it can see: the observation does not say how much time is left, so the same state gets large targets early in an episode and small ones late, and the critic learns an average (state aliasing). At $\lambda = 0$ only the last step's target is wrong directly, and the error spreads backward through the critic from update to update; the larger $\lambda$, the more steps before the limit get a wrong target and a wrong advantage at once. If `done` is never set at a time limit, the TD error counts a next value, but unless the true final observation is fetched it is the value of the fresh start. And the sum is not cut: the advantages of the last steps go on with TD errors of the next episode, which their actions did not cause. That adds noise, and whatever bias the difference of start and end has. This leak grows with $\lambda$ and vanishes at $\lambda = 0$, where nothing is summed. Right is to store both flags: use the value of the true final state unless `terminated`, and cut the sum at either.
#
# **Marking.** 1 point: the value after a time limit is missing, so values are too low. 1 point: the remaining time cannot be seen, so the targets contradict each other (the critic learns an average). 1 point: without a cut, the next episode leaks into the sum (or: the value of a fresh start is used). 1 point: $\lambda$: the leak grows with it and is gone at 0, the wrong end reaches further back with it but is there at every $\lambda$.

# %% [markdown]
# ## Further reading
#
# - Schulman, Moritz, Levine, Jordan, Abbeel 2016, [High-Dimensional Continuous Control Using Generalized Advantage Estimation](https://arxiv.org/abs/1506.02438). Section 3 is your exercise 1, section 4 the view as reward shaping.
# - Pardo, Tavakoli, Levdik, Kormushev 2018, [Time Limits in Reinforcement Learning](https://arxiv.org/abs/1712.00378). Both cases: time that is part of the task, and time that is not.
# - Gymnasium, [Autoreset Mode](https://gymnasium.farama.org/main/api/vector/autoreset/). What a vector environment does when an episode ends.
# - Sutton and Barto 2018, [Reinforcement Learning: An Introduction](http://incompleteideas.net/book/the-book-2nd.html), chapters 7 and 12: n-step methods, and the $\lambda$-return from which GAE descends.
# - Andrychowicz et al. 2020, [What Matters in On-Policy Reinforcement Learning?](https://arxiv.org/abs/2006.05990), which also compares advantage estimators and values of $\lambda$ on five tasks.
