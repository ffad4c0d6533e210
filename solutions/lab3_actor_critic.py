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
# # Lab 3: Actor and Critic
#
# REINFORCE waits until an episode is over and then gives every action of it the credit for all that followed, luck included.
# In this lab a second network, the critic, learns what to expect from each state. What counts for an action is then only whether things went better than expected.
# You write the six pieces of an advantage actor-critic (A2C), and you train it on CartPole in a few seconds of computing.
#
# **When you are done you will be able to**
#
# - say why a baseline makes the policy gradient less noisy, and why it does not change what the gradient is on average,
# - build a network with two heads, and say which loss trains which weights,
# - estimate an advantage in two ways, from a whole return and from one step and the critic, and say what each of them pays for it,
# - assemble the loss of A2C with its value term and its entropy bonus,
# - compare two methods fairly: by environment steps, over several seeds, with an interval.
#
# **What you need.** PyTorch tensors and autograd, log-probabilities (lab 1), returns and REINFORCE (lab 2). What those labs asked you to write is given below as worked code.
#
# **Time.** About two and a half hours. Each part says how many minutes it takes to get there.
# **Points.** 26 for the six exercises, 4 for one question in your own words.
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

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import nn

from course_utils import figures
from course_utils.checks import checker
from course_utils.entropy_explorer import entropy_explorer
from course_utils.environments import make_envs
from course_utils.execution import todo_guard
from course_utils.runs import save_run
from course_utils.training import Monitor

check = checker("lab3_actor_critic")
torch.set_num_threads(1)  # the networks are tiny: a second thread costs more than it brings

# %% [markdown]
# ## Notation and conventions
#
# They hold in every exercise of this lab.
#
# | symbol | in code | meaning |
# |---|---|---|
# | $\pi_\theta(a \mid s)$ | `logits` | the policy, the *actor* |
# | $V(s)$ | `values` | what the *critic* expects from state $s$ on |
# | $r_t$, $\gamma$ | `rewards`, `gamma` | reward of step $t$, discount |
# | $G_t$ | `returns` | return, $r_t + \gamma r_{t+1} + \gamma^2 r_{t+2} + \dots$ |
# | $\hat A_t$ | `advantages` | estimated advantage: how much better than expected the action turned out |
# | $\delta_t$ | | TD error, part 4 |
#
# - **Shapes.** A rollout of $T$ steps in $N$ environments is `[T, N]`; flattened it is a batch `[B]`. There are `A` actions and `O` numbers in an observation.
# - **Time.** Index $t$ always describes transition $t$: `obs[t], actions[t], rewards[t], terminated[t], truncated[t]`, `values[t]` $= V(s_t)$, and `next_values[t]` is the value of the observation that step $t$ *really* led to. `terminated` means that the task ended, `truncated` that time was up.
# - **Losses** are minimized. They return a 0-d tensor, the mean over the batch.
# - **Logits** and log-probabilities, never probabilities.
# - **Gradients.** Each docstring says what the result is differentiable with respect to, and what it treats as constant. That is tested.
# - **Inputs** are never changed in place, and a function uses its arguments, not variables of the notebook.

# %% [markdown]
# ## From earlier labs, given
#
# Read these once; nothing here needs changing.


# %%
def select_log_probs(logits: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
    """Log-probabilities of the actions taken (lab 1): logits [..., A], actions [...] -> [...]."""
    return logits.log_softmax(dim=-1).gather(-1, actions.unsqueeze(-1)).squeeze(-1)


def standardize(x: torch.Tensor, eps: float = 1e-8) -> torch.Tensor:
    """Shift to mean 0 and scale to standard deviation 1 (lab 2): [B] -> [B]."""
    return (x - x.mean()) / (x.std(correction=0) + eps)


# %% [markdown]
# ## Part 1. Why a critic?
#
# *About 10 minutes to here.*
#
# REINFORCE weights $\nabla \log \pi_\theta(a \mid s)$ with the return $G$. Most of a return has nothing to do with the action: some states are simply better than others.
# So subtract from the return something that depends on the state only, a *baseline* $b(s)$. This does not change the gradient on average, because
#
# $$\mathbb E_{a \sim \pi_\theta}\big[\nabla \log \pi_\theta(a \mid s)\, b(s)\big] = b(s) \sum_a \nabla \pi_\theta(a \mid s) = b(s)\, \nabla \sum_a \pi_\theta(a \mid s) = b(s)\, \nabla 1 = 0$$
#
# ([Sutton and Barto](http://incompleteideas.net/book/the-book-2nd.html), section 13.4). The step that makes it work is taking $b(s)$ out of the sum over actions. The most useful baseline in practice is close to the state's value $V(s)$; a network that learns it is a *critic*.
#
# Below is the smallest case in which this can be seen: four states, three actions, an episode is one step long. The states differ a lot (rewards around 0, 10, 20 and 30), the actions only a little. Everything is known here, so the exact gradient is too.
# The experiment draws 4,000 batches of 64 samples and estimates the gradient from each, with five different baselines.
#
# **Predict first.** Which of the five give the right gradient on average? And which has the smallest spread: no baseline, the mean return, the exact $V(s)$, a *wrong* $V(s)$ (each off by up to 5), or the exact value of state *and action*, $Q(s, a)$?

# %% tags=["skip-execution"]
rng = np.random.default_rng(0)
theta = rng.normal(0.0, 0.7, (4, 3))
policy = np.exp(theta) / np.exp(theta).sum(axis=1, keepdims=True)  # [4, 3], rows sum to 1
q = np.array([0.0, 10.0, 20.0, 30.0])[:, None] + rng.normal(0.0, 1.0, (4, 3))  # Q(s, a)
v = (policy * q).sum(axis=1)  # V(s), the mean of Q over the policy's actions
exact = 0.25 * policy * (q - v[:, None])  # gradient of the mean reward in theta, states 1/4 each

draws = 4000, 64
states = rng.integers(4, size=draws)
picked = (rng.random(draws)[..., None] > policy.cumsum(axis=1)[states]).sum(axis=-1)
rewards = q[states, picked] + rng.normal(0.0, 1.0, draws)
scores = np.eye(3)[picked] - policy[states]  # gradient of log pi(a|s) in the row of state s
baselines = {
    "none": np.zeros(draws),
    "mean return": np.full(draws, rewards.mean()),
    "exact V(s)": v[states],
    "wrong V(s)": (v + np.array([5.0, -3.0, 4.0, -5.0]))[states],
    "Q(s, a)": q[states, picked],
}
print(f"{'baseline':12} {'spread of one batch':>20} {'mean is off by (standard errors)':>34}")
for name, baseline in baselines.items():
    weighted = scores * (rewards - baseline)[..., None]
    estimates = np.stack([(weighted * (states == s)[..., None]).mean(axis=1) for s in range(4)], 1)
    spread = estimates.std(axis=0)
    off = np.abs(estimates.mean(axis=0) - exact) / (spread / np.sqrt(len(estimates)))
    print(f"{name:12} {spread.mean():20.3f} {off.max():34.1f}")

# %% [markdown]
# <details><summary>Answer</summary>
#
# Only the last one is wrong on average: $Q(s,a)$ depends on the action, so it cannot be taken out of the sum, and what is left has mean zero.
# (The last column is the largest of twelve entries, each in units of its own standard error; up to about 3 is chance.) All the others are right, the wrong critic included.
# How widely they spread differs a lot: with no baseline about thirteen times as widely as with the exact $V(s)$, and a critic that is off by up to 5 lies in between. So a critic need not be right to help, and as a baseline it does no harm but noise.
# </details>

# %% [markdown]
# ## Part 2. Two heads
#
# *About 20 minutes to here.*
#
# ### Exercise 1: `ActorCritic`
#
# *Difficulty 2 of 5, about 15 minutes, importance 5 of 5. 6 points.*
#
# One module, two outputs: the logits of the policy and the value of the state. Each is computed from the observation through at least one hidden layer of `hidden` units with an activation.
# Whether the two share their hidden layers (a *trunk*) or are two separate networks is up to you; part 7 looks at what this choice does.
#
# Two details are easy to miss. The values have one dimension *less* than the logits, `[B]` and not `[B, 1]`: a column `[B, 1]` that meets returns `[B]` broadcasts to a square `[B, B]`, without a word.
# And nothing comes after the last linear layer: logits may be any numbers, and a return may be $-200$ or $500$.


# %% nbgrader={"grade": false, "grade_id": "ActorCritic", "locked": false, "schema_version": 3, "solution": true, "task": false}
class ActorCritic(nn.Module):
    """Policy and value function.

    Args:
        obs_dim: O, numbers in an observation.
        n_actions: A.
        hidden: width of the hidden layers.

    forward: obs [..., O] -> (logits [..., A], values [...]), for any leading dimensions, also none.
    All weights are among the module's parameters; both outputs are differentiable w.r.t. theirs.
    """

    def __init__(self, obs_dim: int, n_actions: int, hidden: int = 64):
        super().__init__()
        ### BEGIN SOLUTION
        self.actor = nn.Sequential(
            nn.Linear(obs_dim, hidden), nn.Tanh(), nn.Linear(hidden, n_actions)
        )
        self.critic = nn.Sequential(nn.Linear(obs_dim, hidden), nn.Tanh(), nn.Linear(hidden, 1))
        ### END SOLUTION

    def forward(self, obs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        ### BEGIN SOLUTION
        return self.actor(obs), self.critic(obs).squeeze(-1)
        ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_ActorCritic", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
check("ActorCritic", ActorCritic)
### BEGIN HIDDEN TESTS
from autograde.hidden import hidden_test

hidden_test("lab3_actor_critic/ActorCritic", ActorCritic)
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# You know the policy network of lab 2. Put a second one beside it whose last layer has a single output, or let both outputs start from the same hidden layer.
# </details>
# <details><summary>Hint 2: the shapes</summary>
#
# A linear layer works on the last dimension and leaves all others alone: `[..., O]` becomes `[..., hidden]`, then `[..., A]` and `[..., 1]`. One dimension of the values is still too many.
# </details>
# <details><summary>Hint 3: almost code</summary>
#
# Make the layers in `__init__` as attributes (an `nn.Sequential` is enough for each part), and call them in `forward`. Remove the last dimension of the values with `squeeze` and the *number* of that dimension: a plain `.squeeze()` also removes the batch dimension of a batch of one.
# </details>
# <details><summary>Help, I get "cannot assign module before Module.__init__() call"</summary>
#
# `super().__init__()` has to come before the first `self.something = nn.Linear(...)`.
# </details>
# <details><summary>Help, "mat1 and mat2 shapes cannot be multiplied"</summary>
#
# The output size of one layer is not the input size of the next. Is a number such as 4 or 64 written in where `obs_dim` or `hidden` belongs?
# </details>

# %% [markdown]
# ## Part 3. The advantage, from whole episodes
#
# *About 35 minutes to here.*
#
# ### Exercise 2: `monte_carlo_advantages`
#
# *Difficulty 1 of 5, about 5 minutes, importance 5 of 5. 3 points.*
#
# The first estimate of an advantage is what part 1 has shown, with the critic as the baseline ([Sutton and Barto](http://incompleteideas.net/book/the-book-2nd.html), section 13.4):
#
# $$\hat A_t = G_t - V(s_t) .$$
#
# The function is short, and has one trap. An advantage is a *weight* in the policy's loss. If its graph reached back into the critic, minimizing the policy's loss would also train the critic, and not towards better predictions. So the values are constants here. And nothing is normalized: whoever wants that does it afterwards.


# %% nbgrader={"grade": false, "grade_id": "monte_carlo_advantages", "locked": false, "schema_version": 3, "solution": true, "task": false}
def monte_carlo_advantages(returns: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """Advantages from whole returns, with the critic as baseline.

    Args:
        returns: [B], G_t.
        values: [B], V(s_t), straight from the network, so with a graph.

    Returns:
        [B]. Constant w.r.t. values.
    """
    ### BEGIN SOLUTION
    return returns - values.detach()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_monte_carlo_advantages", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check("monte_carlo_advantages", monte_carlo_advantages)
### BEGIN HIDDEN TESTS
from autograde.hidden import hidden_test

hidden_test("lab3_actor_critic/monte_carlo_advantages", monte_carlo_advantages)
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# What came, minus what was expected.
# </details>
# <details><summary>Hint 2: the gradient</summary>
#
# Tensors have a method that gives the same numbers without their graph. It belongs on one of the two.
# </details>
# <details><summary>Hint 3: almost code</summary>
#
# Subtract, and call `.detach()` on the values before you do.
# </details>

# %% [markdown]
# ## Part 4. The advantage, from a single step
#
# *About 45 minutes to here.*
#
# A whole return needs the whole episode, and it contains the luck of every step until the end. With a critic one can look just one step ahead: what was paid, plus what the critic expects from there, minus what it expected before. This is the TD error (temporal difference; [Sutton and Barto](http://incompleteideas.net/book/the-book-2nd.html), section 13.5):
#
# $$\delta_t = r_t + \gamma\, V(s_{t+1}) - V(s_t) .$$
#
# If the critic is exact, $\mathbb E[\delta_t \mid s_t, a_t] = Q(s_t, a_t) - V(s_t)$: on average the TD error *is* the advantage. If it is not exact, the error of $V(s_{t+1})$ stays in.
#
# **When an episode ends.** There are two ways to end, and they are not the same.
# If the task *terminated* (the pole fell), nothing comes afterwards, and the next value counts as 0, whatever the critic says about it.
# If the time was up (*truncated*), the pole still stands: the state that was reached is worth something, and $V(s_{t+1})$ counts as in any other step ([Pardo et al. 2018](https://arxiv.org/abs/1712.00378)). So the function only needs to know `terminated`; all it must rely on is that `next_values[t]` belongs to the state that step $t$ really led to, and not to the first state of the next episode.

# %% [markdown]
# ### Exercise 3: `td_error`
#
# *Difficulty 2 of 5, about 10 minutes, importance 5 of 5. 5 points.*
#
# All inputs are `[T, N]`, and so is the result. No loop is needed.


# %% nbgrader={"grade": false, "grade_id": "td_error", "locked": false, "schema_version": 3, "solution": true, "task": false}
def td_error(
    rewards: torch.Tensor,
    values: torch.Tensor,
    next_values: torch.Tensor,
    terminated: torch.Tensor,
    gamma: float,
) -> torch.Tensor:
    """TD error of every step: [T, N].

    Args:
        rewards: [T, N].
        values: [T, N], V(s_t).
        next_values: [T, N], the value of the observation that step t led to.
        terminated: bool [T, N], True where step t ended the task: nothing comes after it.
        gamma: discount.
    """
    ### BEGIN SOLUTION
    return rewards + gamma * next_values * (~terminated) - values
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_td_error", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
check("td_error", td_error)
### BEGIN HIDDEN TESTS
from autograde.hidden import hidden_test

hidden_test("lab3_actor_critic/td_error", td_error)
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# Three terms, one of which disappears where the task has ended. Which one?
# </details>
# <details><summary>Hint 2: the shapes</summary>
#
# Everything is `[T, N]` and stays so. Multiplying by a boolean tensor keeps an entry where it is True and makes it 0 where it is False.
# </details>
# <details><summary>Hint 3: almost code</summary>
#
# `~` turns a boolean tensor round. Multiply the discounted next values with the turned-round flag, add the rewards, subtract the values. The reward of the last step was paid: it stays.
# </details>
# <details><summary>Help, I get "Subtraction, the `-` operator, with a bool tensor is not supported"</summary>
#
# `1 - terminated` does not work with booleans. Write `~terminated`.
# </details>

# %% [markdown]
# **Bias against variance.** Now compare your two estimates on a task that is known exactly: eight states in a ring, two actions (mostly a step to one side or the other), noisy rewards, and after each step the task ends with probability 0.05.
# The critic is the exact $V$ plus an error that differs from state to state; the x-axis says how large that error is.
#
# For the policy gradient only *differences between actions* in the same state matter (part 1). So the left panel shows how far each estimate is off, on average, in the difference between the two actions; the right one shows the standard deviation of a single estimate.
#
# **Predict first.** For each of the two estimates and panels: does it rise with the critic's error, or not?

# %%
RING = 8


def play_the_ring(steps: int, envs: int, seed: int, gamma: float = 0.95):
    """A ring of states with a coin-toss policy: a batch of experience, and everything exact.

    Returns a namespace: states, actions, rewards, terminated, next_states [T, N]; exact values
    v [8] and action values q [8, 2]; returns [T, N], exact in expectation at the last step too.
    """
    rng = np.random.default_rng(seed)
    pay = np.random.default_rng(1).normal(0.0, 1.0, (RING, 2))  # mean reward of (state, action)
    move = np.zeros((RING, 2, RING))  # probability of the next state
    for s in range(RING):
        for a, side in enumerate((-1, 1)):
            move[s, a, (s + side) % RING] += 0.8
            move[s, a, (s - side) % RING] += 0.2
    v = np.linalg.solve(np.eye(RING) - gamma * 0.95 * move.mean(axis=1), pay.mean(axis=1))
    q = pay + gamma * 0.95 * move @ v
    states = np.empty((steps + 1, envs), dtype=np.int64)
    states[0] = rng.integers(RING, size=envs)
    actions = rng.integers(2, size=(steps, envs))
    terminated = rng.random((steps, envs)) < 0.05
    reached = np.empty((steps, envs), dtype=np.int64)
    for t in range(steps):
        side = np.where(rng.random(envs) < 0.8, 1, -1) * np.where(actions[t] == 1, 1, -1)
        reached[t] = (states[t] + side) % RING
        anew = rng.integers(RING, size=envs)
        states[t + 1] = np.where(terminated[t], anew, reached[t])
    rewards = pay[states[:-1], actions] + rng.normal(0.0, 1.0, (steps, envs))
    returns = np.empty((steps, envs))
    running = v[states[-1]]
    for t in reversed(range(steps)):
        running = rewards[t] + gamma * np.where(terminated[t], 0.0, running)
        returns[t] = running
    return SimpleNamespace(
        states=states[:-1], actions=actions, rewards=rewards, terminated=terminated,
        next_states=reached, returns=returns, v=v, q=q, gamma=gamma,
    )  # fmt: skip


# %% tags=["skip-execution"]
def off_and_spread(estimate: np.ndarray, ring) -> tuple[float, float]:
    """(how far the difference between the actions is off, standard deviation) of an estimate."""
    cells = [[estimate[(ring.states == s) & (ring.actions == a)] for a in (0, 1)]
             for s in range(RING)]  # fmt: skip
    means = np.array([[cell.mean() for cell in row] for row in cells])
    spread = np.mean([cell.std() for row in cells for cell in row])
    difference = (means[:, 1] - means[:, 0]) - (ring.q[:, 1] - ring.q[:, 0])
    return np.sqrt((difference**2).mean()), spread


with todo_guard():
    ring = play_the_ring(steps=1000, envs=200, seed=0)
    f32 = {n: torch.tensor(x, dtype=torch.float32)
           for n, x in vars(ring).items() if n in ("rewards", "returns")}  # fmt: skip
    pattern = np.random.default_rng(2).normal(0.0, 1.0, RING)
    errors = np.linspace(0.0, 4.0, 9)
    measured = {"whole return": [], "TD error": []}
    for error in errors:
        critic = torch.tensor(ring.v + error * pattern, dtype=torch.float32)
        values, next_values = critic[ring.states], critic[ring.next_states]
        whole = monte_carlo_advantages(f32["returns"], values)
        one_step = td_error(
            f32["rewards"], values, next_values, torch.tensor(ring.terminated), ring.gamma
        )
        measured["whole return"].append(off_and_spread(whole.numpy(), ring))
        measured["TD error"].append(off_and_spread(one_step.numpy(), ring))

    fig = Figure(figsize=(7.6, 3.0), layout="constrained")
    panels = fig.subplots(1, 2)
    for (name, rows), (color, style) in zip(measured.items(), figures.CYCLE, strict=False):
        for axes, column in zip(panels, np.transpose(rows), strict=True):
            axes.plot(errors, column, color=color, ls=style, lw=2, label=name)
    for axes, title in zip(panels, ("bias: off on average", "standard deviation"), strict=True):
        axes.set_title(title, fontsize=11)
        axes.set_xlabel("error of the critic")
        axes.set_ylim(bottom=0)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].legend(frameon=False)
    figures.show(
        fig,
        alt="Two panels against the error of the critic. Bias: the TD error rises from zero along "
        "a line, the whole return stays near zero. Standard deviation: the whole return stays at 3, "
        "the TD error rises from 1 to nearly 3.",
    )

# %% [markdown]
# <details><summary>Answer</summary>
#
# The whole return is right on average however wrong the critic is: its error is the same for both actions of a state and drops out. The price is its spread, which holds the noise of all the steps to the end.
# The TD error holds the noise of one step only: with a good critic it spreads about a third as widely (a wrong critic adds noise of its own, as its errors differ from one next state to the other). But it believes the critic about the *next* state, and so its bias grows along with the critic's error. It is free of bias if the critic is exact.
#
# At the start of training the critic is very wrong. Remember this when you meet one-step advantages in part 6.
# </details>

# %% [markdown]
# ## Part 5. The losses
#
# *About 65 minutes to here.*
#
# ### Exercise 4: `value_loss`
#
# *Difficulty 1 of 5, about 5 minutes, importance 5 of 5. 3 points.*
#
# The critic is trained like any regression, by the mean squared error between its values and its targets (returns, or anything that estimates them):
#
# $$L^{V} = \frac{1}{B} \sum_{b=1}^{B} \big(V(s_b) - \text{target}_b\big)^2 .$$
#
# The targets are constants, even if the critic took part in making them. If the gradient flowed into the target as well, the prediction would be pulled to the target and the target to the prediction, which is an easier way to make the loss small than to learn anything ("semi-gradient": [Sutton and Barto](http://incompleteideas.net/book/the-book-2nd.html), section 9.3). The first line takes care of that.


# %% nbgrader={"grade": false, "grade_id": "value_loss", "locked": false, "schema_version": 3, "solution": true, "task": false}
def value_loss(values: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Mean squared error of the critic, no factor 1/2.

    Args:
        values: [B].
        targets: [B].

    Returns:
        Scalar (0-d). Differentiable w.r.t. values, constant w.r.t. targets.
    """
    targets = targets.detach()
    ### BEGIN SOLUTION
    return (values - targets).square().mean()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_value_loss", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check("value_loss", value_loss)
### BEGIN HIDDEN TESTS
from autograde.hidden import hidden_test

hidden_test("lab3_actor_critic/value_loss", value_loss)
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# Difference, square, mean, in this order.
# </details>
# <details><summary>Hint 2: the shapes</summary>
#
# `[B]` and `[B]` give `[B]`, the mean gives a 0-d tensor. With `[B, 1]` anywhere you would average over a square of all pairs.
# </details>
# <details><summary>Hint 3: almost code</summary>
#
# Subtract, `** 2`, `.mean()`. PyTorch also has a function for it in `torch.nn.functional`; its name begins with `mse`.
# </details>

# %% [markdown]
# ### Exercise 5: `categorical_entropy`
#
# *Difficulty 3 of 5, about 15 minutes, importance 4 of 5. 4 points.*
#
# The entropy of a policy says how undecided it is: $\ln A$ if all $A$ actions are equally likely, 0 if one is certain.
#
# $$H\big(\pi(\cdot \mid s)\big) = -\sum_a \pi(a \mid s) \, \ln \pi(a \mid s)$$
#
# Its value is easy. Its *gradient* is where implementations break, when a policy is very sure of itself. In float32, the softmax of logits 1000 and $-1000$ is exactly 1 and 0.
# Then $0 \cdot \ln 0$ is 0 times minus infinity, which is NaN; and if you replace that NaN by 0 afterwards, the *slope* of the logarithm at 0 is still infinite, and the gradient is NaN. One such sample, and all the weights of the network are NaN.
# There is a way to get the log-probabilities without ever taking the logarithm of a probability. Then every factor is finite, and so are value and gradient.


# %% nbgrader={"grade": false, "grade_id": "categorical_entropy", "locked": false, "schema_version": 3, "solution": true, "task": false}
def categorical_entropy(logits: torch.Tensor) -> torch.Tensor:
    """Entropy of the softmax policy at each observation, in nats.

    Args:
        logits: [B, A], any numbers; value and gradient are finite for logits of +-1000 too.

    Returns:
        [B]. Differentiable w.r.t. logits.
    """
    ### BEGIN SOLUTION
    log_p = logits.log_softmax(dim=-1)
    return -(log_p.exp() * log_p).sum(dim=-1)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_categorical_entropy", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check("categorical_entropy", categorical_entropy)
### BEGIN HIDDEN TESTS
from autograde.hidden import hidden_test

hidden_test("lab3_actor_critic/categorical_entropy", categorical_entropy)
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# An average of minus the log-probability, where each action counts with its own probability.
# </details>
# <details><summary>Hint 2: the identity</summary>
#
# $\ln \pi(a \mid s) = z_a - \ln \sum_{a'} e^{z_{a'}}$ with logits $z$: no probability is needed for it, and it is a large negative number, not minus infinity. The sum runs over the last dimension, so `[B, A]` becomes `[B]`.
# </details>
# <details><summary>Hint 3: almost code</summary>
#
# Take `log_softmax` over the last dimension; its `.exp()` gives the probabilities. Multiply the two, sum over the actions, turn the sign.
# </details>
# <details><summary>Help, values are right and the check says that the gradient is NaN</summary>
#
# Somewhere you take the logarithm of a probability that can be 0. Masking the result (`torch.where`, `nan_to_num`) comes too late: autograd multiplies the infinite slope by 0 and gets NaN.
# </details>

# %% [markdown]
# ### Exercise 6: `a2c_loss`
#
# *Difficulty 3 of 5, about 15 minutes, importance 5 of 5. 5 points.*
#
# Put the three terms together ([Mnih et al. 2016](https://arxiv.org/abs/1602.01783), section 4, the asynchronous advantage actor-critic; "A2C" is its synchronous version):
#
# $$L^{\pi} = -\frac{1}{B} \sum_b \ln \pi_\theta(a_b \mid s_b)\, \hat A_b$$
#
# $$\text{loss} = L^{\pi} + c_v\, L^V - c_e \,\frac{1}{B} \sum_b H\big(\pi_\theta(\cdot \mid s_b)\big)$$
#
# with $L^{\pi}$ the policy loss, $c_v$ = `value_coef` and $c_e$ = `entropy_coef`. Mind the last sign: a *bonus* is subtracted from a loss.
# Advantages and returns are data: no gradient flows into them. They come as they are meant to be used, so nothing is normalized here.
# Besides the loss, report its three parts *before* their coefficients, as Python floats, so that no graph is kept alive by a list of numbers. You may use `select_log_probs`, `value_loss` and `categorical_entropy`.


# %% nbgrader={"grade": false, "grade_id": "a2c_loss", "locked": false, "schema_version": 3, "solution": true, "task": false}
def a2c_loss(
    logits: torch.Tensor,
    actions: torch.Tensor,
    values: torch.Tensor,
    advantages: torch.Tensor,
    returns: torch.Tensor,
    value_coef: float,
    entropy_coef: float,
) -> tuple[torch.Tensor, dict[str, float]]:
    """The loss of an advantage actor-critic, and its parts.

    Args:
        logits: [B, A].
        actions: int64 [B], those that were taken.
        values: [B], V(s) now.
        advantages: [B].
        returns: [B], the critic's targets.
        value_coef: weight of the value loss.
        entropy_coef: weight of the entropy bonus.

    Returns:
        (loss, parts): a scalar (0-d), differentiable w.r.t. logits and values, constant w.r.t.
        advantages and returns; and a dict of floats policy_loss, value_loss, entropy, means over
        the batch, each before its coefficient.
    """
    ### BEGIN SOLUTION
    log_probs = select_log_probs(logits, actions)
    policy_loss = -(log_probs * advantages.detach()).mean()
    critic_loss = value_loss(values, returns)
    entropy = categorical_entropy(logits).mean()
    loss = policy_loss + value_coef * critic_loss - entropy_coef * entropy
    parts = {
        "policy_loss": policy_loss.item(),
        "value_loss": critic_loss.item(),
        "entropy": entropy.item(),
    }
    return loss, parts
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_a2c_loss", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
check("a2c_loss", a2c_loss)
### BEGIN HIDDEN TESTS
from autograde.hidden import hidden_test

hidden_test("lab3_actor_critic/a2c_loss", a2c_loss)
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# Three 0-d tensors, one sum with the two coefficients, three floats.
# </details>
# <details><summary>Hint 2: the shapes</summary>
#
# Log-probabilities of the actions taken `[B]` times advantages `[B]` gives `[B]`; mean, minus. The value loss is a 0-d tensor already; the entropy `[B]` still needs its mean.
# </details>
# <details><summary>Hint 3: almost code</summary>
#
# `policy_loss`: minus the mean of the product, with `.detach()` on the advantages. Then `policy_loss` plus `value_coef` times the value loss minus `entropy_coef` times the entropy. In the dict, `.item()` makes a float of each part. Do not name a variable `value_loss`: that would hide your function of exercise 4.
# </details>
# <details><summary>Help, I get "local variable 'value_loss' referenced before assignment" or "cannot access local variable"</summary>
#
# A variable in your function has the same name as the function that you want to call. Give the variable another name.
# </details>

# %% [markdown]
# ## Part 6. A2C on CartPole
#
# *About 105 minutes to here.*
#
# The rest is given; read it once. It is a loop of three steps: play a few steps in 32 environments, work out advantages and targets, make *one* gradient step.
#
# **n-step returns.** The rollout has only 128 steps, and the episodes of a good agent go on beyond it. Between the whole return and the TD error lies this: add up the rewards as far as the rollout or the episode reaches, and let the critic say what the rest is worth. It is the return that [Mnih et al. 2016](https://arxiv.org/abs/1602.01783) use (their algorithm S3). Your `monte_carlo_advantages` turns it into advantages.
#
# **A true next observation.** Gymnasium's vectorized CartPole hands out the final observation of an episode together with `terminated` or `truncated`, and resets only in the *next* call of `step`, which ignores the action and pays nothing. That call is no transition of the game; `real` marks it, and it is left out of the batch.
#
# **A scale.** CartPole pays 1 for each step, so values grow to about 100. The loop multiplies rewards by $1 - \gamma$, which makes a return an average of rewards between 0 and 1. The critic, whose first guesses are near 0, then gets there sooner (with six seeds each, its squared error in updates 10 to 20 was less than half as large, measured in the same units), and part 7 shows another reason. Multiplying all rewards by a number does not change which policy is best.


# %%
def n_step_returns(rewards, next_values, terminated, truncated, gamma: float) -> torch.Tensor:
    """Discounted rewards up to the end of the rollout or the episode, then the critic: [T, N].

    After a termination nothing is added; after a time limit, or at the last step of the rollout,
    the value of the state that was reached. All inputs are [T, N].
    """
    rewards, done = rewards.numpy(), (terminated | truncated).numpy()
    reached = next_values.masked_fill(terminated, 0.0).numpy()
    returns, still_to_come = np.empty_like(rewards), reached[-1]
    for t in reversed(range(len(rewards))):
        still_to_come = rewards[t] + gamma * np.where(done[t], reached[t], still_to_come)
        returns[t] = still_to_come
    return torch.from_numpy(returns)


class Collector:
    """Plays N environments with the current policy, rollout after rollout."""

    def __init__(self, envs, generator: torch.Generator):
        self.envs, self.generator = envs, generator
        self.obs, _ = envs.reset()
        self.alive = np.ones(envs.num_envs, dtype=bool)  # False: the next step only resets
        self.scores = np.zeros(envs.num_envs)
        self.env_steps = 0

    @torch.no_grad()
    def collect(self, model, n_steps: int):
        """Play n_steps in every environment.

        Returns (rollout, finished): a dict of tensors obs [T, N, O], actions, rewards, terminated,
        truncated, values, next_values, real [T, N]; and the returns of the episodes that ended.
        """
        n_envs, n_actions = self.envs.num_envs, int(self.envs.single_action_space.n)
        noise = torch.empty(n_steps, n_envs, n_actions).exponential_(generator=self.generator)
        gumbel = -noise.log_()  # the largest of logits + Gumbel noise is a draw from the softmax
        obs = np.empty((n_steps + 1, *self.obs.shape), dtype=np.float32)
        actions = np.empty((n_steps, n_envs), dtype=np.int64)
        rewards = np.empty((n_steps, n_envs), dtype=np.float32)
        terminated, truncated, real = np.empty((3, n_steps, n_envs), dtype=bool)
        finished = []
        obs[0] = self.obs
        for t in range(n_steps):
            real[t] = self.alive
            logits, _ = model(torch.from_numpy(obs[t]))
            actions[t] = (logits + gumbel[t]).argmax(dim=-1).numpy()
            obs[t + 1], rewards[t], terminated[t], truncated[t], _ = self.envs.step(actions[t])
            done = terminated[t] | truncated[t]
            self.scores += rewards[t]
            finished += self.scores[done].tolist()
            self.scores[done] = 0.0
            self.alive = ~done
        self.obs = obs[-1]
        self.env_steps += int(real.sum())
        _, values = model(torch.from_numpy(obs))
        arrays = {
            "obs": obs[:-1], "actions": actions, "rewards": rewards,
            "terminated": terminated, "truncated": truncated, "real": real,
        }  # fmt: skip
        rollout = {name: torch.from_numpy(array) for name, array in arrays.items()}
        return {**rollout, "values": values[:-1], "next_values": values[1:]}, finished


@dataclass
class A2CConfig:
    """What a run needs to know."""

    total_steps: int = 1_000_000
    """budget of environment steps"""
    num_envs: int = 32
    """environments that are played side by side, N"""
    n_steps: int = 128
    """steps per environment and rollout, T"""
    learning_rate: float = 0.01
    """of Adam; large, because every batch has about 4,000 samples"""
    hidden: int = 64
    """units of a hidden layer"""
    gamma: float = 0.99
    """discount"""
    reward_scale: float = 0.01
    """rewards are multiplied by this before learning: 1 - gamma"""
    value_coef: float = 0.5
    """weight of the value loss"""
    entropy_coef: float = 0.0
    """weight of the entropy bonus"""
    one_step: bool = False
    """advantages from your td_error instead of n-step returns"""
    goal: float = 475.0
    """stop when the mean return of the last 100 episodes reaches this"""


def new_run(config: A2CConfig, seed: int, model=None, parameters=None) -> SimpleNamespace:
    """A fresh agent and all that belongs to it, made from one seed."""
    torch.manual_seed(seed)  # the initial weights
    envs = make_envs("CartPole-v1", num_envs=config.num_envs, seed=seed)
    if model is None:
        model = ActorCritic(4, 2, config.hidden)
        parameters = model.parameters()
    optimizer = torch.optim.Adam(parameters, lr=config.learning_rate)
    collector = Collector(envs, torch.Generator().manual_seed(seed))
    return SimpleNamespace(model=model, optimizer=optimizer, collector=collector)


def batch_of(rollout: dict, config: A2CConfig) -> dict[str, torch.Tensor]:
    """Advantages and targets for a rollout; everything flat [B], resets left out."""
    rewards, values = config.reward_scale * rollout["rewards"], rollout["values"]
    ends = rollout["terminated"]
    if config.one_step:
        advantages = td_error(rewards, values, rollout["next_values"], ends, config.gamma)
        targets = advantages + values
    else:
        targets = n_step_returns(
            rewards, rollout["next_values"], ends, rollout["truncated"], config.gamma
        )
        advantages = monte_carlo_advantages(targets, values)
    batch = {
        "obs": rollout["obs"], "actions": rollout["actions"],
        "advantages": advantages, "targets": targets,
    }  # fmt: skip
    return {name: tensor[rollout["real"]] for name, tensor in batch.items()}


def a2c_updates(run: SimpleNamespace, config: A2CConfig):
    """A2C on one screen: yields (returns of finished episodes, parts of the loss) per update."""
    while run.collector.env_steps < config.total_steps:
        rollout, finished = run.collector.collect(run.model, config.n_steps)
        batch = batch_of(rollout, config)
        logits, values = run.model(batch["obs"])
        loss, parts = a2c_loss(
            logits, batch["actions"], values, standardize(batch["advantages"]), batch["targets"],
            config.value_coef, config.entropy_coef,
        )  # fmt: skip
        run.optimizer.zero_grad()
        loss.backward()
        run.optimizer.step()
        yield finished, parts


def train(run: SimpleNamespace, config: A2CConfig):
    """Train in place until the goal or the end of the budget; return the monitor's history."""
    with Monitor(config.total_steps, goal=config.goal, title="A2C on CartPole-v1") as monitor:
        for finished, parts in a2c_updates(run, config):
            monitor.episodes(finished, run.collector.env_steps)
            monitor.log(**parts)
            if monitor.solved:
                break
    return monitor.history


# %% [markdown]
# CartPole-v1 counts as solved when the mean return of 100 episodes in a row is at least 475, out of at most 500.
#
# **Predict first.** Two actions: what is the entropy of the untrained policy? Will it reach 0? And will the value loss fall all the way?
#
# You may stop at any time with the square button or by pressing I twice; what was learned is kept.
# Your run is also written to the folder `results/` of the course: lab 5 draws it beside your runs of the other methods.

# %% tags=["skip-execution"]
config = A2CConfig()
with todo_guard():
    run = new_run(config, seed=0)
    history = train(run, config)
    save_run("lab3_actor_critic", "A2C", history)

# %% [markdown]
# <details><summary>Answer</summary>
#
# The entropy starts close to $\ln 2 \approx 0.69$, a coin toss, and falls, but not to 0: when the goal was reached it was between 0.41 and 0.50 in 30 runs of ours. There are states in which both actions are fine. The value loss does not simply fall: as the agent gets better its returns become larger and other than the critic expects, so the critic runs after a moving target.
# The policy loss says nothing about progress, as its advantages have mean 0.
# </details>
# <details><summary>It was nearly there, and then the return fell. Is that a fault?</summary>
#
# No. In 7 of those 30 runs the mean return fell by 100 or more at some point, and rose again. The advantages say in which direction to change the policy, from data of the policy as it was; nothing in this loss says how far one may go. Lab 5 takes that up.
# </details>
# <details><summary>It is not solved. What now?</summary>
#
# If all checks above are green, it should be: in our measurements all of 30 fresh seeds were, after 158,000 to 423,000 steps (half of them within 236,000). Make a new run with another seed, `new_run(config, seed=1)`, and train again. If it still fails, go through "common mistakes" below.
# </details>
#
# ### Try it yourself (not graded)
#
# With `one_step=True` the same loop takes your `td_error` for the advantages. Remember part 4, and predict before you run.

# %% tags=["skip-execution"]
one_step = A2CConfig(one_step=True, total_steps=150_000)
with todo_guard():
    run = new_run(one_step, seed=0)
    history = train(run, one_step)

# %% [markdown]
# <details><summary>What we saw</summary>
#
# Within these 150,000 steps the best mean return of 100 episodes was 77, 148 and 61, with seeds 0, 1 and 2. Three other seeds reached 83, 67 and 263 in 400,000 steps. With n-step returns every run gets to 475.
#
# A TD error sees one step ahead. Pushing the pole the wrong way costs nothing in that step; that the pole falls twenty steps later, the critic has to know already. At the start it does not, and its bias is what the policy then follows. Longer returns need it less. Lab 4 is about the whole range between the two.
# </details>

# %% [markdown]
# ## Part 7. Whose gradient is it?
#
# *About 120 minutes to here.*
#
# If actor and critic share a trunk, the gradients of both losses are added up in the trunk's weights. Whichever is longer decides where the trunk goes.
# The experiment trains a network with a shared trunk, and measures at each update how long the gradient of each of the two losses is *in the trunk*; once with CartPole's own rewards, once with rewards times $1 - \gamma$, as in part 6.
#
# **Predict first.** With rewards of 1, returns of about 12 at the start and up to 100 later, and advantages standardized: which of the two gradients is longer, and how many times?


# %%
def shared_run(config: A2CConfig, seed: int):
    """A run whose model has one hidden layer for both outputs, and that layer."""
    torch.manual_seed(seed)
    trunk = nn.Sequential(nn.Linear(4, config.hidden), nn.Tanh())
    to_logits, to_value = nn.Linear(config.hidden, 2), nn.Linear(config.hidden, 1)

    def model(obs):
        features = trunk(obs)
        return to_logits(features), to_value(features)[..., 0]

    parameters = [p for part in (trunk, to_logits, to_value) for p in part.parameters()]
    return new_run(config, seed, model, parameters), trunk


def norms_in_the_trunk(config: A2CConfig, seed: int, n_updates: int) -> np.ndarray:
    """Length of the gradient in the trunk at each update: [n_updates, 2], of policy and critic."""
    run, trunk = shared_run(config, seed)
    norms = []
    for _ in range(n_updates):
        rollout, _ = run.collector.collect(run.model, config.n_steps)
        batch = batch_of(rollout, config)
        logits, values = run.model(batch["obs"])
        of_policy, _ = a2c_loss(
            logits, batch["actions"], values, standardize(batch["advantages"]), batch["targets"],
            value_coef=0.0, entropy_coef=0.0,
        )  # fmt: skip
        of_critic = config.value_coef * value_loss(values, batch["targets"])
        row = []
        for part in (of_policy, of_critic):
            gradient = torch.autograd.grad(part, list(trunk.parameters()), retain_graph=True)
            row.append(torch.cat([g.flatten() for g in gradient]).norm().item())
        norms.append(row)
        run.optimizer.zero_grad()
        (of_policy + of_critic).backward()
        run.optimizer.step()
    return np.array(norms)


# %% tags=["skip-execution"]
with todo_guard():
    fig = Figure(figsize=(7.6, 3.0), layout="constrained")
    panels = fig.subplots(1, 2, sharey=True)
    ratios = []
    for axes, scale in zip(panels, (1.0, 0.01), strict=True):
        norms = norms_in_the_trunk(A2CConfig(reward_scale=scale), seed=0, n_updates=60)
        for column, name in enumerate(("policy loss", "value loss, times 0.5")):
            color, style = figures.CYCLE[column]
            axes.plot(norms[:, column], color=color, ls=style, lw=1.8, label=name)
        ratios.append(f"{float(f'{np.median(norms[:, 1] / norms[:, 0]):.1g}'):g}")
        axes.set_yscale("log")
        axes.set_title(f"rewards times {scale:g}: critic / policy = {ratios[-1]}", fontsize=11)
        axes.set_xlabel("update")
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("length of the gradient in the trunk")
    panels[0].legend(frameon=False)
    figures.show(
        fig,
        alt="Length of the two gradients in a shared trunk over 60 updates, logarithmic. With "
        f"rewards of 1 the critic's is {ratios[0]} times as long as the policy's (median); with "
        f"rewards times 0.01, {ratios[1]} times.",
    )

# %% [markdown]
# Does it matter for learning? Three seeds each, 150,000 steps; the table shows the best mean return of 100 episodes in a row.


# %% tags=["skip-execution"]
def best_mean_return(run, config: A2CConfig) -> float:
    """Best mean return of 100 episodes in a row until the budget is spent."""
    last, best = [], 0.0
    for finished, _ in a2c_updates(run, config):
        last = (last + finished)[-100:]
        best = max(best, float(np.mean(last)) if len(last) == 100 else 0.0)
    return best


with todo_guard():
    for scale in (1.0, 0.01):
        settings = A2CConfig(reward_scale=scale, total_steps=150_000)
        shared = [best_mean_return(shared_run(settings, seed)[0], settings) for seed in range(3)]
        print(f"shared trunk, rewards times {scale:4g}: " + ", ".join(f"{b:.0f}" for b in shared))

# %% [markdown]
# <details><summary>Answer</summary>
#
# With rewards of 1 the critic's gradient in the trunk is some hundreds of times longer than the policy's, and the trunk serves the critic alone. The policy can only make the best of features that were made for something else. In the table, with rewards of 1 our three seeds reached 172, 149 and 147; with scaled rewards 255, 425 and 360. With a budget of 400,000 steps and three other seeds, a shared trunk solved CartPole three times out of three with scaled rewards; with rewards of 1 it reached 169, 118 and 137.
#
# Remedies, which can be combined: scale rewards or returns; a smaller `value_coef` (which Adam partly undoes in the critic's own weights, but not in shared ones); two separate networks. That the parts of a loss need comparable scales holds wherever weights are shared.
# </details>

# %% [markdown]
# ## Part 8. The entropy bonus
#
# *About 130 minutes to here.*
#
# The bonus rewards the policy for staying undecided. [Mnih et al. 2016](https://arxiv.org/abs/1602.01783) (section 4) use it against settling too early on a poor policy that is almost deterministic.
# Too much of it is harmful as well: the optimum of the whole objective is then a policy that acts at random on purpose.
#
# Below are real runs: the loop of part 6, eight coefficients, six seeds each, made by `python benchmarks/entropy_sweep.py` and shipped with the course. The line is the median over the seeds, the band goes from the lowest to the highest.
#
# **Predict first.** Advantages are standardized, so a typical weight in the policy loss is 1. From which coefficient on will CartPole no longer be learned: 0.03, 0.3, or 3?

# %% tags=["skip-execution"]
entropy_explorer()

# %% [markdown]
# <details><summary>Answer</summary>
#
# From 0.3 on. Up to 0.1 the seeds differ more among themselves than the coefficients do: with six runs each, nothing can be said about which of these is best. (The dips of single runs late in training are not the bonus either; they are there with coefficient 0 too.)
# At 0.3 learning is slow, and no run gets to the goal. At 1 and 3 the agent acts almost at random for ever: the entropy stays near $\ln 2$, the return below 50. That is not a failure of the optimizer. It found what the loss asks for.
#
# CartPole needs no bonus: it has no trap to fall into, and a policy that learns fast is rewarded at once. Do not conclude that a bonus is useless; conclude that its coefficient has to be judged by the entropy that it leaves, and on the task at hand.
# </details>

# %% [markdown]
# ## Part 9. Is it better than REINFORCE?
#
# *About 140 minutes to here.*
#
# Three rules make a comparison fair. Count *environment steps*, not episodes or updates: a good agent plays longer episodes, so a hundred of its episodes are more experience. Run several *seeds*: single runs of one and the same method differ widely. And show an *interval*.
# Here are five seeds each. If the runs are independent, the range from the lowest to the highest of five contains the median of all possible runs with probability $1 - 2 \cdot (1/2)^5 = 15/16$, whatever their distribution: it misses only if all five lie on the same side.
#
# REINFORCE is the one of lab 2: 32 whole episodes per update, returns standardized over the batch, no critic.
#
# **Predict first.** Which of the two needs fewer environment steps on CartPole?


# %%
def reinforce_updates(seed: int, total_steps: int):
    """REINFORCE of lab 2: yields (returns of 32 finished episodes, environment steps so far)."""
    torch.manual_seed(seed)
    policy = nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 2))
    adam = torch.optim.Adam(policy.parameters(), lr=0.02)
    envs = make_envs("CartPole-v1", num_envs=32, seed=seed)
    rng = np.random.default_rng(seed)
    env_steps = 0
    while env_steps < total_steps:
        obs, _ = envs.reset()
        playing = np.ones(32, dtype=bool)
        rows = []
        while playing.any():
            with torch.no_grad():
                logits = policy(torch.from_numpy(obs)).numpy()
            actions = (logits + rng.gumbel(size=logits.shape)).argmax(axis=-1)
            rows.append((obs, actions, playing.copy()))
            obs, _, terminated, truncated, _ = envs.step(actions)
            playing &= ~(terminated | truncated)  # the reward is 1 for each step played
        obs_rows, action_rows, played = (np.stack(column) for column in zip(*rows, strict=True))
        returns = np.zeros(played.shape)
        to_go = np.zeros(32)
        for t in reversed(range(len(played))):
            to_go = played[t] * (1.0 + 0.99 * to_go)
            returns[t] = to_go
        weights = standardize(torch.tensor(returns[played], dtype=torch.float32))
        log_probs = select_log_probs(
            policy(torch.from_numpy(obs_rows[played])), torch.from_numpy(action_rows[played])
        )
        adam.zero_grad()
        (-log_probs * weights).mean().backward()
        adam.step()
        env_steps += int(played.sum())
        yield played.sum(axis=0).tolist(), env_steps


def on_a_grid(updates, grid: np.ndarray) -> np.ndarray:
    """Mean return of the last 100 episodes at the given numbers of steps; NaN before the first."""
    means, steps, last = [np.nan], [0], []
    for finished, env_steps in updates:
        last = (last + finished)[-100:]
        if last:
            means.append(np.mean(last))
            steps.append(env_steps)
    return np.array(means)[np.searchsorted(steps, grid, side="right") - 1]


# %% tags=["skip-execution"]
with todo_guard():
    grid = np.arange(0, 200_001, 4000)  # environment steps
    budget = A2CConfig(total_steps=200_000)
    curves = {"A2C, yours": [], "REINFORCE": []}
    for seed in range(5):
        agent = new_run(budget, seed)
        steps_too = ((done, agent.collector.env_steps) for done, _ in a2c_updates(agent, budget))
        curves["A2C, yours"].append(on_a_grid(steps_too, grid))
        curves["REINFORCE"].append(on_a_grid(reinforce_updates(seed, 200_000), grid))

    fig = Figure(figsize=(7.2, 3.4), layout="constrained")
    axes = fig.subplots()
    for (name, runs), (color, style) in zip(curves.items(), figures.CYCLE, strict=False):
        runs = np.array(runs)[:, 1:]
        thousands = grid[1:] / 1000
        axes.fill_between(thousands, runs.min(axis=0), runs.max(axis=0), color=color, alpha=0.2)
        axes.plot(thousands, np.median(runs, axis=0), color=color, ls=style, lw=2, label=name)
    axes.set_ylim(0, 510)
    axes.set_xlabel("thousand environment steps")
    axes.set_ylabel("mean return of the last 100 episodes")
    axes.set_title("median of five seeds; band: lowest to highest", fontsize=11)
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    ends = {name: np.array(runs)[:, -1] for name, runs in curves.items()}
    figures.show(
        fig,
        alt="Mean return against environment steps, five seeds each. After the last step: "
        + "; ".join(
            f"{name}: median {np.median(end):.0f}, from {end.min():.0f} to {end.max():.0f}"
            for name, end in ends.items()
        ),
    )

# %% [markdown]
# <details><summary>Answer</summary>
#
# REINFORCE, on this task. In our runs its median lies above that of A2C all along; over the first 100,000 steps the two bands hardly touch.
# So "with a critic it learns faster" is not a law. Plausible reasons here: episodes are short at first and every reward is 1, so returns are not very noisy; 32 whole episodes standardized together have a baseline already; and A2C depends on a critic that has to learn first.
#
# What the critic brings is something else: the agent learns from pieces of 128 steps, *before* an episode is over, and so also from tasks whose episodes are very long or never end. And the next labs build on it: lab 4 makes better advantages from the same critic, lab 5 makes each batch count more than once.
# </details>

# %% [markdown]
# ## Common mistakes
#
# What we saw when we put them into the loop of part 6, two seeds each.
#
# | mistake | how you notice |
# |---|---|
# | values `[B, 1]` against targets `[B]` | `mse_loss` warns, a subtraction does not; the critic predicts the same mean everywhere. The agent may learn all the same: a constant baseline is a baseline too |
# | critic detached | the value loss rises with the returns (to 0.14, otherwise it stayed at about 0.04) |
# | advantages with their graph | here not at all, as the rollout's values have none; where values are computed anew, the policy's loss trains the critic too |
# | entropy with the wrong sign | with a coefficient of 1 the entropy falls towards 0 and the return stays below 90; with 0.01 you see nothing |
# | time limit treated as a termination | the critic is told that a standing pole is worth nothing; on CartPole's curve we could not see it, lab 4 shows where one can |
# | logits through a softmax before the loss | the entropy stays above 0.58: probabilities taken for logits differ by 1 at most; the return stays at about 100 |
# | one wrong scale in a shared trunk | part 7 |
#
# A learning curve does not show all of them. That is why each of your functions has a check of its own.

# %% [markdown]
# ## Check your understanding
#
# *About 150 minutes to here.* Answer first, then open.
#
# **1.** Your critic is off by +100 in every state. What does this do to the policy gradient with whole returns? And with TD errors, $\gamma = 0.99$?
#
# <details><summary>Answer</summary>
#
# With whole returns: every advantage is 100 too small; on average the gradient is the same, its spread is much larger. With TD errors the two errors almost cancel, $0.99 \cdot 100 - 100 = -1$ in each step, except where the task terminates: there it is $-100$. (If advantages are standardized afterwards, a constant is removed anyway.)
# </details>
#
# **2.** Why is the entropy of the policy computed over *all* actions, and not as minus the log-probability of the action taken, which has the same mean?
#
# <details><summary>Answer</summary>
#
# Its value is right on average, but its gradient is not: the gradient of $-\ln \pi(a)$ for a sampled $a$ has mean zero (part 1, with $b = -1$). What is missing is how the probability of drawing $a$ changes. With all actions in the sum it is there, and there is no noise.
# </details>
#
# **3.** In `td_error`, what would go wrong if the mask were `~(terminated | truncated)`?
#
# <details><summary>Answer</summary>
#
# A time limit would count as the end of the task: a pole that stands after 500 steps would be worth nothing from there on. The observation does not show the time, so the same state would have to have two values.
# </details>
#
# **4.** `value_coef` is multiplied by 10. With two separate networks and Adam, how much changes? With a shared trunk?
#
# <details><summary>Answer</summary>
#
# With separate networks almost nothing: the value loss is the only one that reaches the critic's weights, and Adam divides each gradient by its own recent size. With a shared trunk a lot: the balance between the two gradients shifts by a factor of 10.
# </details>

# %% [markdown]
# ## A question in your own words (4 points, graded by your instructor)
#
# **A critic that is wrong does no harm as a baseline, but it can mislead the policy when its TD error is used as the advantage. Explain the difference. When would you still prefer the TD error?**
#
# Six to ten sentences. Say what in the policy gradient makes a baseline harmless, which term of the TD error breaks this, and what is gained in exchange.

# %% [markdown] nbgrader={"grade": true, "grade_id": "why_critic", "locked": false, "points": 4, "schema_version": 3, "solution": true, "task": false}
# **Model answer.** A baseline depends on the state only. In the expectation over actions it can be taken out of the sum, and what is left is the gradient of the sum of all probabilities, which is the gradient of 1, zero. So whatever number the critic gives for $V(s_t)$, right or wrong, the gradient is the same on average; a wrong one only makes it noisier. The TD error uses the critic a second time, for $V(s_{t+1})$. Which state comes next depends on the action, so an error there is not the same for all actions and does not drop out: actions that lead to overestimated states look better than they are. That is a bias, and more samples do not remove it. In exchange the TD error contains the randomness of a single step instead of the whole rest of the episode, so it spreads far less, and it is available at once, without waiting for the end. I would prefer it when the critic is already good, when episodes are long or never end, or when rewards are very noisy, and something in between (n-step returns) while the critic is still poor.
#
# **Marking.** 1 point: a baseline drops out because it does not depend on the action. 1 point: the value of the next state depends on the action, so its error does not. 1 point: bias against variance, with the right one on each side. 1 point: a sensible situation for the TD error.

# %% [markdown]
# ## Further reading
#
# - Sutton and Barto 2018, [Reinforcement Learning: An Introduction](http://incompleteideas.net/book/the-book-2nd.html), sections 13.4 and 13.5: baselines and actor-critic methods.
# - Mnih et al. 2016, [Asynchronous Methods for Deep Reinforcement Learning](https://arxiv.org/abs/1602.01783): the A3C paper; A2C is its synchronous sibling.
# - Sutton, McAllester, Singh, Mansour 1999, [Policy Gradient Methods for Reinforcement Learning with Function Approximation](https://papers.nips.cc/paper/1713-policy-gradient-methods-for-reinforcement-learning-with-function-approximation): when a critic leaves the gradient exact.
# - Greensmith, Bartlett, Baxter 2004, [Variance Reduction Techniques for Gradient Estimates in Reinforcement Learning](https://www.jmlr.org/papers/v5/greensmith04a.html): which baseline is best, and how much it brings.
# - Andrychowicz et al. 2020, [What Matters in On-Policy Reinforcement Learning?](https://arxiv.org/abs/2006.05990): shared or separate networks, and much else, measured.
# - Pardo, Tavakoli, Levdik, Kormushev 2018, [Time Limits in Reinforcement Learning](https://arxiv.org/abs/1712.00378).
