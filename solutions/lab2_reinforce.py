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
# # Lab 2: REINFORCE
#
# In lab 1 the world was a table small enough to solve exactly.
# Now it is a cart with a pole on it, whose equations you never get to see. All you can do is push, look what happens, and learn from it.
# In this lab you write REINFORCE, the simplest policy gradient algorithm, in five small pieces, and train a neural network with it that balances the pole after about a second of computing.
#
# **When you are done you will be able to**
#
# - say what an environment, an episode and a return are, and why "the task ended" and "the time was up" are two different things,
# - write a policy network, and say why it returns logits and starts out close to uniform,
# - compute discounted returns, and say what a reward 50 steps away is worth,
# - write REINFORCE, train an agent with it, and show its progress over several runs honestly,
# - measure how noisy the policy gradient is, and make it less noisy without changing what it estimates,
# - recognize two mistakes that raise no error and keep an agent from learning.
#
# **What you need.** PyTorch tensors, autograd, `nn.Module`. From lab 1: log-probabilities and the policy gradient theorem; the formulas are repeated where they are used.
#
# **Time.** About two and a half hours. Each part says how many minutes it takes to get there.
# **Points.** 24 for the five exercises, 4 for one question in your own words.
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
from IPython.display import display
from matplotlib.figure import Figure
from torch import nn

from course_utils import figures
from course_utils.checks import checker
from course_utils.device import choose_device
from course_utils.environments import make_envs
from course_utils.execution import todo_guard
from course_utils.replay import replay
from course_utils.returns_explorer import returns_explorer
from course_utils.runs import save_run
from course_utils.training import Monitor

check = checker("lab2_reinforce")
device = choose_device()

# %% [markdown]
# ## Notation and conventions
#
# They hold in every exercise of this lab.
#
# | symbol | in code | meaning |
# |---|---|---|
# | $s_t$ | `obs` | what the agent sees at step $t$; in CartPole that is the whole state, so we use the same word for both |
# | $a_t$ | `actions` | what it does |
# | $r_t$ | `rewards` | what it gets for that |
# | $\pi_\theta(a \mid s)$ | `policy`, `logits` | probability of action $a$ in state $s$; $\theta$ are the network's parameters |
# | $\gamma$ | `gamma` | discount, between 0 and 1 |
# | $G_t$ | `returns` | return: the discounted sum of the rewards from step $t$ on |
#
# - **Shapes.** An episode has $T$ steps. Several episodes one after the other are a batch `[B]`. There are `A` actions and `O` numbers in an observation.
# - **Time.** Index $t$ always describes transition $t$: `obs[t]` was seen, `actions[t]` was taken, `rewards[t]` came for it.
# - **Losses** are minimized, so they are *minus* what the papers maximize. They return a 0-d tensor, the mean over the batch.
# - **Log-probabilities** and logits, never probabilities.
# - **Gradients.** Each docstring says what the result is differentiable with respect to, and what it treats as constant. That is tested.
# - **Inputs** are never changed in place, and a function uses its arguments, not variables of the notebook.
# - **Randomness** comes only from the `torch.Generator` that is passed in. Numbers are `float32`, actions `int64`.

# %% [markdown]
# ## From lab 1, given
#
# You wrote both of these in lab 1 (the second one there was called `sample_actions`, and returned the log-probabilities as well). `select_log_probs` picks out $\log \pi_\theta(a_t \mid s_t)$ for the actions that were taken.
# `draw_actions` draws from the policy: adding Gumbel noise to the logits and taking the largest is an exact draw from the softmax ([Gumbel-max trick](https://en.wikipedia.org/wiki/Gumbel_distribution)).


# %%
def select_log_probs(logits: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
    """Log-probabilities of the actions taken (lab 1): logits [..., A], actions [...] -> [...]."""
    return logits.log_softmax(dim=-1).gather(-1, actions.unsqueeze(-1)).squeeze(-1)


def draw_actions(logits: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """One action per row, drawn from the policy: logits [B, A] -> int64 [B]."""
    gumbel = -torch.empty_like(logits).exponential_(generator=generator).log()
    return (logits + gumbel).argmax(dim=-1)


# %% [markdown]
# ## Part 1. An environment, an episode
#
# *About 5 minutes to here.*
#
# An **environment** is everything outside the agent. The agent sees an observation, chooses an action, and the environment answers with the next observation and a reward. Then it is the agent's turn again.
# [Gymnasium](https://gymnasium.farama.org/introduction/basic_usage/) is the usual Python interface for this, and it has two functions that matter: `reset` starts, `step` takes one action.
#
# Our environment is [CartPole](https://gymnasium.farama.org/environments/classic_control/cart_pole/). A pole stands on a cart, hinged at its foot; the agent pushes the cart to the left (action 0) or to the right (action 1), fifty times a second, and the pole should not fall.

# %% tags=["skip-execution"]
env = gym.make("CartPole-v1")
obs, info = env.reset(seed=0)
names = ("cart position", "cart velocity", "pole angle", "angular velocity")
print("reset :", {name: round(float(x), 3) for name, x in zip(names, obs, strict=True)})
for action in (1, 1, 0):
    obs, reward, terminated, truncated, info = env.step(action)
    print(f"step({action}):", obs.round(3), f"{reward=} {terminated=} {truncated=}")
env.close()

# %% [markdown]
# `step` returns five things.
#
# - The next **observation**: four numbers, as named in the first line.
# - A **reward**: here simply 1 for every step, whatever happens.
# - `terminated`: the **task has ended**. For CartPole that means failure: the pole leans more than 12 degrees, or the cart has left the track (2.4 units from the middle).
# - `truncated`: the **time is up**. CartPole stops after 500 steps. Nothing has gone wrong, somebody has just stopped watching.
# - `info`: extras, which we do not need.
#
# Everything from a reset to `terminated` or `truncated` is an **episode**. The sum of its rewards is its **return**; in CartPole that is the number of steps the pole was held, 500 at most.
# The environment counts as solved when the mean return of 100 episodes in a row is at least 475.
#
# Keep the two flags apart in your mind. After `terminated` there is nothing left to gain. After `truncated` there would have been; we just do not get to see it. Part 3 comes back to this.
#
# Playing one episode after the other is slow, so we play many side by side. `make_envs` makes `N` copies that step together, and `play` below lets each of them play one episode. Read it once.


# %%
@dataclass
class Episode:
    """One episode, from reset to its end."""

    obs: torch.Tensor
    """[T, O], what was seen"""
    actions: torch.Tensor
    """[T], what was done"""
    rewards: torch.Tensor
    """[T], what it brought"""
    terminated: bool
    """the task ended; False: only the time was up"""


def play(envs, policy, generator: torch.Generator) -> list[Episode]:
    """Play one episode in each of N environments; policy: obs [N, O] -> logits [N, A]."""
    obs, _ = envs.reset()
    playing = np.ones(envs.num_envs, dtype=bool)
    length = np.zeros(envs.num_envs, dtype=int)
    fell = np.zeros(envs.num_envs, dtype=bool)
    seen, done, paid = [], [], []
    while playing.any():
        with torch.no_grad():
            actions = draw_actions(policy(torch.from_numpy(obs)), generator)
        seen.append(torch.from_numpy(obs))
        done.append(actions)
        obs, rewards, terminated, truncated, _ = envs.step(actions.numpy())
        paid.append(torch.from_numpy(rewards).float())
        length += playing
        fell |= playing & terminated
        playing &= ~(terminated | truncated)  # who has finished waits; what it does is not kept
    seen, done, paid = torch.stack(seen), torch.stack(done), torch.stack(paid)
    return [
        Episode(seen[:t, n], done[:t, n], paid[:t, n], bool(fell[n])) for n, t in enumerate(length)
    ]


# %% [markdown]
# Now an agent that tosses a coin at every step.
#
# **Predict first.** For how many steps does it hold the pole, on average? And how many steps does the luckiest of 1,000 such episodes last?


# %% tags=["skip-execution"]
def coin_toss(obs: torch.Tensor) -> torch.Tensor:
    """Equal logits for both actions, whatever the observation."""
    return torch.zeros(len(obs), 2)


lengths = [
    len(episode.rewards)
    for episode in play(
        make_envs("CartPole-v1", num_envs=1000, seed=0), coin_toss, torch.Generator().manual_seed(0)
    )
]
fig = Figure(figsize=(7.2, 2.6), layout="constrained")
axes = fig.subplots()
axes.hist(lengths, bins=np.arange(5, max(lengths) + 5, 3), color=figures.BLUE)
axes.axvline(np.mean(lengths), color="black", ls="--", label=f"mean {np.mean(lengths):.1f}")
axes.set_xlabel("steps until the pole fell (return of the episode)")
axes.set_ylabel("episodes")
axes.legend(frameon=False)
figures.show(
    fig,
    alt=f"Histogram of the lengths of 1,000 episodes played by coin toss. Most last 10 to 40 "
    f"steps; the mean is {np.mean(lengths):.0f}, the longest has {max(lengths)}.",
)

# %% tags=["skip-execution"]
coin = np.random.default_rng(1)
replay(lambda obs: int(coin.integers(2)), "CartPole-v1", seed=3)

# %% [markdown]
# <details><summary>Answer</summary>
#
# About 22 steps, less than half a second. The luckiest of a thousand lasts around 100 steps. Nobody gets to 500 by chance, so there is something to learn.
# </details>

# %% [markdown]
# ## Part 2. The policy network
#
# *About 25 minutes to here.*
#
# The policy is a small network: four numbers in, one number per action out. These numbers are **logits**: any real numbers, which softmax turns into probabilities,
#
# $$\pi_\theta(a \mid s) = \frac{e^{z_a}}{\sum_b e^{z_b}}, \qquad z = \text{network}(s).$$
#
# Why not put the softmax into the network? Because what we need is $\log \pi_\theta$, and from logits `log_softmax` computes it without ever forming a probability. A probability that has been rounded to 0 has no logarithm any more.
#
# Two things are asked of a policy network that a classifier does not need.
# It is asked about single observations (while it plays), about batches, and about whole rollouts `[T, N, O]`; so it must take **any leading dimensions**. And it has to **start close to uniform**: an action that is never tried is never learned about.

# %% [markdown]
# ### Exercise 1: `PolicyNetwork`
#
# *Difficulty 2 of 5, about 15 minutes, importance 4 of 5. 6 points.*
#
# Write the network with at least one hidden layer of `hidden` units and a non-linearity of your choice (`nn.Tanh` is a good one here). PyTorch's default initialization of `nn.Linear` starts close enough to uniform.
# The same observation gets the same logits, alone or in a batch, today and in a minute: nothing random in it, nothing that mixes the observations of a batch.


# %% nbgrader={"grade": false, "grade_id": "PolicyNetwork", "locked": false, "schema_version": 3, "solution": true, "task": false}
class PolicyNetwork(nn.Module):
    """A policy for discrete actions.

    Args:
        obs_dim: O, numbers in an observation.
        n_actions: A.
        hidden: units of a hidden layer.

    forward: obs [..., O] -> logits [..., A], with any number of leading dimensions (also none).
    At the start the mean entropy of the policy is at least 90 % of ln A (its value when all actions
    are equally likely), on observations drawn from a standard normal distribution.
    """

    def __init__(self, obs_dim: int, n_actions: int, hidden: int = 64):
        super().__init__()
        ### BEGIN SOLUTION
        self.net = nn.Sequential(
            nn.Linear(obs_dim, hidden), nn.Tanh(), nn.Linear(hidden, n_actions)
        )
        ### END SOLUTION

    def forward(self, obs: torch.Tensor) -> torch.Tensor:
        ### BEGIN SOLUTION
        return self.net(obs)
        ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_PolicyNetwork", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
check("PolicyNetwork", PolicyNetwork)
### BEGIN HIDDEN TESTS
from autograde.hidden import hidden_test

hidden_test("lab2_reinforce/PolicyNetwork", PolicyNetwork)
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# It is an ordinary small classifier without its last softmax: linear layer, activation, linear layer. Make the layers in `__init__`, use them in `forward`.
# </details>
# <details><summary>Hint 2: the shapes</summary>
#
# `[..., O]` to `[..., hidden]` to `[..., A]`. `nn.Linear` and activations work on the last dimension and leave all others alone, so there is nothing to reshape.
# </details>
# <details><summary>Hint 3: almost code</summary>
#
# Put two `nn.Linear` with an `nn.Tanh()` between them into one `nn.Sequential`, keep it as an attribute of `self`, and call it in `forward`. Nothing comes after the second linear layer.
# </details>
# <details><summary>Help, I get "optimizer got an empty parameter list", or the check finds no parameters</summary>
#
# The layers are in a plain Python list, or made in `forward`. A module knows only layers that are its own attributes: `self.net = ...`, or an `nn.ModuleList`.
# </details>
# <details><summary>Help, I get "mat1 and mat2 shapes cannot be multiplied"</summary>
#
# Two layers do not fit together, or something flattens or unsqueezes the observations. `nn.Linear(n_in, n_out)` takes the size of its input first.
# </details>

# %% [markdown]
# What does your network think before it has learned anything?

# %% tags=["skip-execution"]
with todo_guard():
    torch.manual_seed(0)
    untrained = PolicyNetwork(obs_dim=4, n_actions=2)
    (episode,) = play(make_envs("CartPole-v1", 1, seed=5), coin_toss, torch.Generator())
    with torch.no_grad():
        right = untrained(episode.obs).softmax(dim=-1)[:, 1]
    print("probability of pushing right, at each step of an episode:")
    print(" ".join(f"{p:.2f}" for p in right))

# %% [markdown]
# Not far from one half: it tosses a coin that is a little bent. Learning will bend it differently in each state.

# %% [markdown]
# ## Part 3. Returns
#
# *About 45 minutes to here.*
#
# Which of the pushes in an episode were good ones? Every step was rewarded with 1, also the hopeless ones just before the fall. What tells a good push from a bad one is what came *after* it. So each step is judged by the rewards from there on, the **discounted return** ([Sutton and Barto, section 3.3](http://incompleteideas.net/book/the-book-2nd.html)):
#
# $$G_t = r_t + \gamma\, r_{t+1} + \gamma^2 r_{t+2} + \dots = \sum_{k=t}^{T-1} \gamma^{k-t}\, r_k .$$
#
# The discount $\gamma$ says how much the future counts. With $\gamma = 0$ only the present reward does, with $\gamma = 1$ all count alike. In between, a reward of 1 at every step for ever adds up to $1 / (1-\gamma)$: with $\gamma = 0.99$ that is 100, as if one looked about 100 steps ahead.
# Discounting also reduces noise: what happens 400 steps later has little to do with this push, and counting it in full only adds chance.
#
# **When only the time was up.** Then the sum is cut off, although more rewards would have come. If we know, or can guess, what the state after the last reward is worth, that goes in as one more term, $\gamma^{T-t}\, v$, with $v$ = `last_value`. If the task really ended, $v = 0$.

# %% [markdown]
# ### Exercise 2: `discounted_returns`
#
# *Difficulty 2 of 5, about 15 minutes, importance 5 of 5. 6 points.*
#
# The definition has a sum for each step, and each of these sums runs over all later steps. For an episode of 5,000 steps that would be 12 million terms. You need only 5,000.


# %% nbgrader={"grade": false, "grade_id": "discounted_returns", "locked": false, "schema_version": 3, "solution": true, "task": false}
def discounted_returns(
    rewards: torch.Tensor, gamma: float, last_value: float = 0.0
) -> torch.Tensor:
    """Discounted return from each step of one episode on.

    Args:
        rewards: [T], T >= 1.
        gamma: discount, 0 to 1 (both included).
        last_value: what the state after the last reward is worth; 0 if the task ended there.

    Returns:
        float32 [T]. The time it takes grows with T, not with T squared.
    """
    ### BEGIN SOLUTION
    running, returns = last_value, []
    for reward in reversed(rewards.tolist()):
        running = reward + gamma * running
        returns.append(running)
    return torch.tensor(returns[::-1])
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_discounted_returns", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
check("discounted_returns", discounted_returns)
### BEGIN HIDDEN TESTS
from autograde.hidden import hidden_test

hidden_test("lab2_reinforce/discounted_returns", discounted_returns)
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# Suppose you know the return from step 8 on. What is missing for the return from step 7 on?
# </details>
# <details><summary>Hint 2: the identity</summary>
#
# $G_t = r_t + \gamma\, G_{t+1}$. So start at the end, where you know everything: after the last reward there is `last_value`.
# </details>
# <details><summary>Hint 3: almost code</summary>
#
# One number is carried backwards through the episode. At each step it is multiplied by the discount, the reward is added, and the result is noted for that step. Either write into an empty tensor `[T]`, or collect a list and turn it around at the end.
# </details>
# <details><summary>Help, my first and last entries are swapped</summary>
#
# A list that was filled from the end begins with the last step. Turn it around.
# </details>
# <details><summary>Help, I get "The size of tensor a must match ..." or a result that is one longer than the rewards</summary>
#
# `last_value` belongs to the state *after* the last step. It goes into the returns, but has no return of its own.
# </details>

# %% [markdown]
# **Move the slider.** Both pictures are drawn with *your* function. On the left, an episode with a single reward, 50 steps away from the start. On the right, 120 steps of CartPole: once the pole fell after them, once only the time was up and 380 more rewards would have followed.
# Use Tab to reach the slider and the arrow keys to move it.
#
# **Predict first.** With $\gamma = 0.99$: is a reward 50 steps away worth 0.95, 0.6 or 0.1 now? And with $\gamma = 0.9$?

# %% tags=["skip-execution"]
returns_explorer(discounted_returns)

# %% [markdown]
# <details><summary>Answer</summary>
#
# $0.99^{50} \approx 0.61$, but $0.9^{50} \approx 0.005$: with $\gamma = 0.9$ it is as good as gone. A discount that looks close to another one can mean a very different horizon.
#
# The right picture shows why the two endings must not be confused. When the pole fell, the last steps have low returns, and rightly so: these are the steps that could not save it. When only the time was up, the same steps are as good as all others. A learner that takes one for the other punishes the end of its best episodes.
# </details>

# %% [markdown]
# ## Part 4. REINFORCE
#
# *About 70 minutes to here.*
#
# We want the parameters that make the expected return $J(\theta) = \mathbb E\left[\sum_t \gamma^t r_t\right]$ large. An episode $\tau = (s_0, a_0, r_0, s_1, \dots)$ has probability
#
# $$p_\theta(\tau) = p(s_0) \prod_t \pi_\theta(a_t \mid s_t)\; p(s_{t+1} \mid s_t, a_t).$$
#
# From lab 1 you know that $\nabla p = p\, \nabla \log p$ turns the gradient of an expectation into an expectation, which can be sampled. The logarithm turns the product into a sum, and in it *the environment's part does not depend on* $\theta$: it drops out. We never need to know how the cart moves.
#
# $$\nabla_\theta J = \mathbb E\Big[ \sum_t \nabla_\theta \log \pi_\theta(a_t \mid s_t) \; \cdot \; \text{return of the episode} \Big]$$
#
# One more step. What came before an action is not that action's doing: rewards of the past are multiplied by $\nabla \log \pi$ of the present, and that product is zero on average ([a short proof](https://spinningup.openai.com/en/latest/spinningup/rl_intro3.html), there called "don't let the past distract you"). So each action may be weighted with what came *after* it, which is $G_t$. This is **REINFORCE** ([Williams 1992](https://doi.org/10.1007/BF00992696); [Sutton and Barto, section 13.3](http://incompleteideas.net/book/the-book-2nd.html)):
#
# > Repeat:
# > 1. play some episodes with the current policy,
# > 2. compute $G_t$ for every step of them,
# > 3. take one gradient step on the loss $\; L(\theta) = -\frac{1}{B} \sum_t \log \pi_\theta(a_t \mid s_t)\; G_t$.
#
# In words: make what was followed by much reward likelier, and do that more strongly the more it was.
#
# **A factor that is missing.** Sutton and Barto's box has an extra $\gamma^t$ in front of each term, and strictly it belongs there: seen from the start, late steps count less. Almost everyone leaves it out, because otherwise the end of a long episode would hardly be learned from. We do too. What remains is no longer the gradient of $J$, nor of any other function ([Nota and Thomas 2020](https://arxiv.org/abs/1906.07073)). It works well in practice, but it is not what the theorem says.

# %% [markdown]
# ### Exercise 3: `standardize`
#
# *Difficulty 1 of 5, about 10 minutes, importance 4 of 5. 3 points.*
#
# In CartPole every return is positive, so REINFORCE pushes *every* action that was taken, just some more than others. It learns better when the below-average ones are pushed down. So we shift the returns of a batch to mean 0 and scale them to standard deviation 1. Part 7 measures what the shift is good for; the scale makes the size of a step independent of how large rewards happen to be.
#
# If all returns are the same there is nothing to choose between: the answer is zeros, and not 0/0. The same holds for a batch with a single entry.
# (Standard deviation with N or N - 1, and where exactly `eps` goes: your choice.)


# %% nbgrader={"grade": false, "grade_id": "standardize", "locked": false, "schema_version": 3, "solution": true, "task": false}
def standardize(x: torch.Tensor, eps: float = 1e-8) -> torch.Tensor:
    """Shift and scale a batch to mean 0 and standard deviation 1.

    Args:
        x: [B], B >= 1.
        eps: a small number that keeps the denominator away from 0.

    Returns:
        float32 [B]; zeros if all entries are the same, or if there is only one.
    """
    ### BEGIN SOLUTION
    # correction=0 divides by N: with N - 1 the standard deviation of a single entry is NaN
    return (x - x.mean()) / (x.std(correction=0) + eps)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_standardize", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check("standardize", standardize)
### BEGIN HIDDEN TESTS
from autograde.hidden import hidden_test

hidden_test("lab2_reinforce/standardize", standardize)
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# Two numbers describe the batch, its mean and its standard deviation. Take away the first, divide by the second.
# </details>
# <details><summary>Hint 2: the corners</summary>
#
# What is `torch.tensor([2.0]).std()`? Try it. Then look up `correction` in the [documentation](https://docs.pytorch.org/docs/stable/generated/torch.std.html).
# </details>
# <details><summary>Hint 3: almost code</summary>
#
# Difference to the mean, in parentheses, divided by (the standard deviation that divides by N, plus `eps`), in parentheses too.
# </details>
# <details><summary>Help, I get NaN</summary>
#
# Either the denominator was 0 (a constant batch, no `eps` in the denominator), or the standard deviation itself was NaN (one entry, divided by N - 1 = 0).
# </details>

# %% [markdown]
# ### Exercise 4: `reinforce_loss`
#
# *Difficulty 2 of 5, about 15 minutes, importance 5 of 5. 5 points.*
#
# Write the loss of step 3 in the box. The returns are data, whatever they were computed from: no gradient goes into them.
# Each log-probability is multiplied with its *own* return, so look at the shapes before you multiply.


# %% nbgrader={"grade": false, "grade_id": "reinforce_loss", "locked": false, "schema_version": 3, "solution": true, "task": false}
def reinforce_loss(
    logits: torch.Tensor, actions: torch.Tensor, returns: torch.Tensor
) -> torch.Tensor:
    """The REINFORCE loss of a batch of steps.

    Args:
        logits: [B, A], the policy's answers to the observations.
        actions: int64 [B], the actions that were taken.
        returns: [B], G_t (standardized or not), used as they come.

    Returns:
        Scalar (0-d), the mean over the batch. Differentiable w.r.t. logits, constant w.r.t.
        returns. Finite also where a probability is too small for float32.
    """
    ### BEGIN SOLUTION
    return -(select_log_probs(logits, actions) * returns.detach()).mean()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_reinforce_loss", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
check("reinforce_loss", reinforce_loss)
### BEGIN HIDDEN TESTS
from autograde.hidden import hidden_test

hidden_test("lab2_reinforce/reinforce_loss", reinforce_loss)
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# A weighted sum of log-probabilities. One of the functions given at the top does the first half.
# </details>
# <details><summary>Hint 2: the shapes</summary>
#
# Log-probabilities of the actions taken `[B]`, returns `[B]`, product `[B]`, mean: no dimension left. Then the sign.
# </details>
# <details><summary>Hint 3: almost code</summary>
#
# Call `select_log_probs`, multiply with the detached returns, take the mean, put a minus in front.
# </details>
# <details><summary>Help, values are right and the gradient is wrong</summary>
#
# If the returns carry a graph, it must be cut (`.detach()`). If the logits get no gradient, something was detached, or turned into a plain number, that should not be.
# </details>

# %% [markdown]
# ## Part 5. First exhibit: an agent that never learned
#
# *About 95 minutes to here.*
#
# An earlier edition of this lab trained its agent with the loss below, for a thousand episodes. There was no error and no warning. In three runs the mean return of the last 100 episodes was 9.4, 9.7 and 9.6, half of what a coin toss gets.
#
# The log-probabilities are picked out with `gather`, as in lab 1. Compare with your own loss.


# %%
def exhibit_loss(logits: torch.Tensor, actions: torch.Tensor, returns: torch.Tensor):
    """The loss of the first exhibit: logits [B, A], actions [B], returns [B] -> scalar."""
    log_probs = logits.log_softmax(dim=-1).gather(-1, actions.unsqueeze(-1))
    return -(log_probs * returns).mean()


def as_batch(episodes: list[Episode], gamma: float, worth_when_time_is_up: float):
    """All steps of all episodes: obs [B, O], actions [B], returns [B] (not standardized)."""
    returns = [
        discounted_returns(e.rewards, gamma, 0.0 if e.terminated else worth_when_time_is_up)
        for e in episodes
    ]
    obs, actions = [e.obs for e in episodes], [e.actions for e in episodes]
    return torch.cat(obs), torch.cat(actions), torch.cat(returns)


def follow_the_gradient(loss_function, seed: int, rounds: int = 30, learning_rate: float = 3.0):
    """Plain gradient descent on a loss, a fresh batch of 32 episodes each round.

    Returns the mean return and the largest entry of the gradient, both [rounds].
    """
    torch.manual_seed(seed)
    policy, generator = PolicyNetwork(4, 2), torch.Generator().manual_seed(seed)
    envs = make_envs("CartPole-v1", num_envs=32, seed=seed)
    parameters = list(policy.parameters())
    mean_returns, largest = [], []
    for _ in range(rounds):
        episodes = play(envs, policy, generator)
        obs, actions, returns = as_batch(episodes, gamma=0.99, worth_when_time_is_up=100.0)
        loss = loss_function(policy(obs), actions, standardize(returns))
        slopes = torch.autograd.grad(loss, parameters, allow_unused=True, materialize_grads=True)
        with torch.no_grad():
            for parameter, slope in zip(parameters, slopes, strict=True):
                parameter -= learning_rate * slope
        mean_returns.append(len(obs) / len(episodes))
        largest.append(max(slope.abs().max().item() for slope in slopes))
    return mean_returns, largest


# %% [markdown]
# **Predict first.** One of the two losses learns to hold the pole. What will the other one do: learn more slowly, get worse, or stay where it is? Can you see the difference in the code already?

# %% tags=["skip-execution"]
with todo_guard():
    fig = Figure(figsize=(7.2, 3.0), layout="constrained")
    left, right = fig.subplots(1, 2)
    losses = {"your loss": reinforce_loss, "the exhibit": exhibit_loss}
    for (name, loss), (color, style) in zip(losses.items(), figures.CYCLE, strict=False):
        for seed in range(3):
            mean_returns, largest = follow_the_gradient(loss, seed)
            label = name if seed == 0 else None
            left.plot(mean_returns, color=color, ls=style, label=label)
            right.semilogy(largest, color=color, ls=style, label=label)
    left.set_ylabel("mean return of 32 episodes")
    right.set_ylabel("largest entry of the gradient")
    for axes in (left, right):
        axes.set_xlabel("gradient steps")
    left.legend(frameon=False)
    figures.show(
        fig,
        alt="Left: with your loss the mean return of three runs rises from 22 to several hundred; "
        "with the exhibit it stays at 22. Right: the exhibit's gradient is about 10 million times "
        "smaller than that of your loss.",
    )

# %% [markdown]
# The exhibit does not learn slowly. It does not learn at all: its gradient is some ten million times too small. Find out why before you open the answer; the next cell has what you need.

# %% tags=["skip-execution"]
with todo_guard():
    torch.manual_seed(0)
    logits, actions = torch.randn(6, 2), torch.tensor([0, 1, 1, 0, 1, 0])
    returns = standardize(torch.tensor([9.0, 7.0, 6.0, 4.0, 2.0, 1.0]))
    log_probs = logits.log_softmax(dim=-1).gather(-1, actions.unsqueeze(-1))
    print("log_probs          ", list(log_probs.shape))
    print("returns            ", list(returns.shape))
    print("log_probs * returns", list((log_probs * returns).shape))
    print(f"sum of the returns  {returns.sum().item():.1e}")
    print(f"your loss           {reinforce_loss(logits, actions, returns).item():.4f}")
    print(f"the exhibit         {exhibit_loss(logits, actions, returns).item():.1e}")

# %% [markdown]
# <details><summary>Answer</summary>
#
# `gather` returns a column `[B, 1]`, and the last `squeeze` was forgotten. A column times a row `[B]` is no error in PyTorch or NumPy: it is [broadcast](https://docs.pytorch.org/docs/stable/notes/broadcasting.html) to a square `[B, B]` that holds *every* log-probability times *every* return. The mean of that square is
#
# $$\frac{1}{B^2} \sum_{i,j} \log\pi_i\; G_j \;=\; \Big(\frac{1}{B} \sum_i \log \pi_i\Big) \Big(\frac{1}{B} \sum_j G_j\Big),$$
#
# and the second factor, the mean of standardized returns, is 0. What is left is rounding error.
#
# No action meets its own return, so nothing can be learned about actions. And nothing complains: the loss is a number, the code runs, the optimizer steps. Optimizers such as Adam even divide the gradient by its own size, and so walk around at random on the rounding errors.
#
# Two habits that would have caught it: look at the shape of every product once, and look at the size of the gradient. This is why `reinforce_step` below returns its length.
# </details>

# %% [markdown]
# ## Part 6. The training loop
#
# *About 110 minutes to here.*
#
# ### Exercise 5: `reinforce_step`
#
# *Difficulty 2 of 5, about 10 minutes, importance 4 of 5. 4 points.*
#
# One gradient step on your loss, with the optimizer that is passed in. What comes back is for reading: two plain numbers, the loss and the length (Euclidean norm) of the whole gradient, over all parameters together and before the step. No clipping, no standardizing here.
# A tensor in a log keeps the graph it came from in memory, and with it the whole batch. So return Python floats.


# %% nbgrader={"grade": false, "grade_id": "reinforce_step", "locked": false, "schema_version": 3, "solution": true, "task": false}
def reinforce_step(
    policy: nn.Module,
    optimizer: torch.optim.Optimizer,
    obs: torch.Tensor,
    actions: torch.Tensor,
    returns: torch.Tensor,
) -> dict[str, float]:
    """Take one gradient step on the REINFORCE loss of a batch, in place.

    Args:
        policy: obs [B, O] -> logits [B, A].
        optimizer: of the policy's parameters; gradients of earlier calls play no part.
        obs: [B, O].
        actions: int64 [B].
        returns: [B], used as they come.

    Returns:
        A dict of Python floats: loss (before the step) and grad_norm, the Euclidean norm of the
        gradient over all parameters together.
    """
    ### BEGIN SOLUTION
    loss = reinforce_loss(policy(obs), actions, returns)
    optimizer.zero_grad()
    loss.backward()
    norms = torch.stack([parameter.grad.norm() for parameter in policy.parameters()])
    optimizer.step()
    return {"loss": loss.item(), "grad_norm": norms.norm().item()}
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_reinforce_step", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check("reinforce_step", reinforce_step)
### BEGIN HIDDEN TESTS
from autograde.hidden import hidden_test

hidden_test("lab2_reinforce/reinforce_step", reinforce_step)
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# The four lines of every PyTorch training loop, and two numbers noted on the way.
# </details>
# <details><summary>Hint 2: the identity</summary>
#
# The norm over all parameters together is the root of the sum of all squared entries, which is also the norm of the parameters' norms.
# </details>
# <details><summary>Hint 3: almost code</summary>
#
# Logits from the policy, loss from your function; clear, backward, measure every `parameter.grad`, step. Then a dict with the two names from the docstring, each value turned into a number by `.item()`.
# </details>
# <details><summary>Help, the first call is right and the later ones are not</summary>
#
# PyTorch *adds* every new gradient to `.grad`. Something has to clear it between two calls.
# </details>
# <details><summary>Help, grad_norm is 0, or I get "'NoneType' object has no attribute 'norm'"</summary>
#
# The gradient exists between `backward()` and the moment it is cleared. Measure it there. (A layer that your network has but does not use never gets one.)
# </details>

# %% [markdown]
# ### Training
#
# The rest is given: `new_run` makes an agent with everything that belongs to it, and `train` is the box of part 4. Read it once; it is REINFORCE on one screen.
#
# **What we put in when the time is up.** After 500 steps the pole still stands, and `discounted_returns` asks for `last_value`. A learned estimate of it is called a critic, and you will build one in lab 3. We have none, so we use the most that the state can be worth: a pole that never falls earns 1 for ever, discounted $1/(1-\gamma) = 100$.
# That is a guess by someone who knows the game, and an optimistic one: right for an agent that never falls, too high for one that would have fallen at step 510. Putting in 0 would be the opposite guess, that the pole fell at that very moment. (We tried both with 24 seeds each: no difference that we could tell from chance. Do not conclude that it never matters; lab 4 shows where it does.)


# %%
@dataclass
class TrainConfig:
    """What a training run needs to know."""

    total_steps: int = 600_000
    """budget of environment steps"""
    num_envs: int = 32
    """episodes per gradient step, N"""
    learning_rate: float = 0.03
    """of Adam; large, because the batches are large and the network is small"""
    hidden: int = 64
    """units of the hidden layer"""
    gamma: float = 0.99
    """discount"""
    worth_when_time_is_up: float = 100.0
    """last_value after a time limit: 1 / (1 - gamma), a pole that never falls"""
    goal: float | None = 475.0
    """stop when the mean return of the last 100 episodes reaches this; None: never"""


def new_run(config: TrainConfig, seed: int) -> SimpleNamespace:
    """A fresh agent and all that belongs to it, made from one seed."""
    torch.manual_seed(seed)  # the initial weights
    envs = make_envs("CartPole-v1", num_envs=config.num_envs, seed=seed)
    obs_dim, n_actions = envs.single_observation_space.shape[0], envs.single_action_space.n
    policy = PolicyNetwork(obs_dim, int(n_actions), config.hidden)
    optimizer = torch.optim.Adam(policy.parameters(), lr=config.learning_rate)
    generator = torch.Generator().manual_seed(seed)  # actions
    return SimpleNamespace(policy=policy, optimizer=optimizer, envs=envs, generator=generator)


def train(run: SimpleNamespace, config: TrainConfig, figure: bool = True):
    """Train in place until the goal or the end of the budget; return the monitor's history."""
    env_steps, title = 0, "REINFORCE on CartPole-v1"
    with Monitor(config.total_steps, config.goal, title, figure=figure) as monitor:
        while env_steps < config.total_steps and not monitor.solved:
            episodes = play(run.envs, run.policy, run.generator)
            obs, actions, returns = as_batch(episodes, config.gamma, config.worth_when_time_is_up)
            numbers = reinforce_step(run.policy, run.optimizer, obs, actions, standardize(returns))
            env_steps += len(obs)
            monitor.episodes([e.rewards.sum().item() for e in episodes], env_steps)
            monitor.log(**numbers)
    return monitor.history


def watch(run: SimpleNamespace):
    """A video of one episode in which the agent always takes its favorite action."""

    def act(obs):
        with torch.no_grad():
            return int(run.policy(torch.from_numpy(obs)).argmax())

    return replay(act, "CartPole-v1", seed=7)


# %% [markdown]
# First, the agent before any training. Its policy is close to a coin toss; the video shows the action that is a little likelier, so it may push to one side only.

# %% tags=["skip-execution"]
config, run = TrainConfig(), None
with todo_guard():
    run = new_run(config, seed=0)
    display(watch(run))

# %% [markdown]
# Now train it. The curve shows training episodes, with actions drawn from the policy.
#
# **Predict first.** How many environment steps until it is solved: ten thousand, a hundred thousand, a million? Will the curve rise steadily?
#
# You may stop at any time with the square button or by pressing I twice; what was learned is kept.
# Your run goes into the folder `results/`; lab 5 draws it beside your runs of the other methods.

# %% tags=["skip-execution"]
with todo_guard():
    run = new_run(config, seed=0)
    history = train(run, config)
    save_run("lab2_reinforce", "REINFORCE", history)

# %% [markdown]
# And the same agent after training, in an episode with the same start.

# %% tags=["skip-execution"]
if run is not None:
    display(watch(run))

# %% [markdown]
# <details><summary>It is not solved. What now?</summary>
#
# If all checks above are green, it should be: in our measurements every one of 180 fresh seeds was, after 125,000 steps in the median. The slowest, which fell back on its way, took 524,000. Set `seed=1` and train again. If it still fails, go through "common mistakes" below from top to bottom.
# </details>
#
# ### One run is no result
#
# Run the same code with another seed and you get another curve. A figure that claims something about REINFORCE needs several runs, and has to show how far they lie apart. The x-axis counts *environment steps*, since they are what experience costs; counting episodes would flatter an agent with long episodes.
#
# **Predict first.** Eight runs of the same code, 200,000 steps each: how far apart will they be in the middle, and at the end?


# %%
def plot_runs(histories: list[dict]) -> None:
    """Show all runs, their mean and its 95 % interval over environment steps."""
    grid = np.arange(10_000, 200_001, 5_000)
    curves = np.stack([np.interp(grid, h["env_steps"], h["mean_return"]) for h in histories])
    mean, n = curves.mean(axis=0), len(curves)
    # 97.5 % point of Student's t distribution with n - 1 degrees of freedom, n = 2 to 8
    t = (12.71, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365)[n - 2]
    half_width = t * curves.std(axis=0, ddof=1) / np.sqrt(n)
    low, high = np.maximum(mean - half_width, 0), np.minimum(mean + half_width, 500)

    figure = Figure(figsize=(7.2, 3.4), layout="constrained")
    axes = figure.subplots()
    axes.plot(grid / 1000, curves.T, color=figures.GRAY, lw=0.8, alpha=0.7)
    axes.fill_between(
        grid / 1000, low, high, color=figures.SKY, alpha=0.4, label="95 % interval of the mean"
    )
    axes.plot(grid / 1000, mean, color=figures.BLUE, lw=2.2, label=f"mean of {n} runs")
    axes.axhline(475, color=figures.VERMILION, ls="--", lw=1.4, label="goal 475")
    axes.set_xlabel("thousand environment steps")
    axes.set_ylabel("mean return of the last 100 episodes")
    axes.legend(frameon=False, loc="lower right")
    middle = curves[:, len(grid) // 2]
    figures.show(
        figure,
        alt=f"Mean return of the last 100 episodes against environment steps for {n} runs, with "
        f"their mean and its 95 % interval. After {grid[len(grid) // 2]:,} steps the runs lie "
        f"between {middle.min():.0f} and {middle.max():.0f}, at the end between "
        f"{curves[:, -1].min():.0f} and {curves[:, -1].max():.0f}.",
    )


# %% tags=["skip-execution"]
with todo_guard():
    long_config, histories = TrainConfig(total_steps=200_000, goal=None), []
    for seed in range(100, 108):
        history = train(new_run(long_config, seed), long_config, figure=False)
        if not history["env_steps"].size or history["env_steps"][-1] < long_config.total_steps:
            break  # stopped by hand, or a function is not written yet
        histories.append(history)
    if len(histories) > 1:
        plot_runs(histories)

# %% [markdown]
# <details><summary>What to see here</summary>
#
# The runs agree about the outcome and not about the way: in our figure, after 100,000 steps, one run is close to the goal and another below 300, and some fall back for a while before they go on. The band is where the *mean* of many such runs probably lies (95 %, from eight runs, assuming that they are roughly normally distributed). It says little about where the next single run will be; the gray lines say more about that.
#
# Dips are typical of REINFORCE. A batch of 32 episodes gives a noisy gradient, and a step in a wrong direction changes the policy that collects the next batch.
# </details>

# %% [markdown]
# ## Part 7. How noisy is the gradient?
#
# *About 125 minutes to here.*
#
# REINFORCE is said to have a high variance. Variance of what? Not of the rewards: of the *gradient estimate*. Collect another batch with the same policy, and you get another gradient. So let us hold one policy fixed and look at the estimates that single episodes give. Three ways to weight $\nabla \log \pi_\theta(a_t \mid s_t)$, all with the same expectation:
#
# 1. the **return of the whole episode**, $\sum_k r_k$, the same for all its steps,
# 2. the **reward-to-go**, $\sum_{k \ge t} r_k$, only what came after the action,
# 3. reward-to-go **minus a baseline** $b$, a number that does not depend on the action: here the mean reward-to-go of *other* episodes.
#
# (Here $\gamma = 1$. With a discount, 1 and 2 would differ by the $\gamma^t$ of part 4 and not estimate the same thing.)
#
# Why may a baseline be subtracted? Because $\mathbb E_{a \sim \pi}[\nabla \log \pi_\theta(a \mid s)\, b] = b\, \nabla \sum_a \pi_\theta(a \mid s) = b\, \nabla 1 = 0$ ([Sutton and Barto, section 13.4](http://incompleteideas.net/book/the-book-2nd.html)).
#
# **Predict first.** Set the variance of 1 to 100 %. Where will 2 and 3 be?


# %%
def gradient_from(policy: nn.Module, episode: Episode, weights: torch.Tensor) -> torch.Tensor:
    """One episode's estimate of the policy gradient, over all parameters: weights [T] -> [D]."""
    log_probs = select_log_probs(policy(episode.obs), episode.actions)
    total = (weights * log_probs).sum()
    parameters = list(policy.parameters())
    slopes = torch.autograd.grad(total, parameters, allow_unused=True, materialize_grads=True)
    return torch.cat([slope.flatten() for slope in slopes])


# %% tags=["skip-execution"]
with todo_guard():
    half_way = TrainConfig(total_steps=5_000, goal=None)
    fixed = new_run(half_way, seed=0)
    train(fixed, half_way, figure=False)
    many = make_envs("CartPole-v1", num_envs=640, seed=1)
    episodes, others = (play(many, fixed.policy, fixed.generator) for _ in range(2))
    baseline = torch.cat([discounted_returns(e.rewards, 1.0) for e in others]).mean()

    weightings = {
        "return of the episode": lambda e: e.rewards.sum().expand(len(e.rewards)),
        "reward-to-go": lambda e: discounted_returns(e.rewards, 1.0),
        "minus a baseline": lambda e: discounted_returns(e.rewards, 1.0) - baseline,
    }

    def estimates(name, of):  # [E, D], one estimate per episode
        return torch.stack([gradient_from(fixed.policy, e, weightings[name](e)) for e in of])

    # The best direction we can get: the mean over 640 episodes that are used for nothing else.
    direction = estimates("minus a baseline", others).mean(dim=0)
    variance, agreement = {}, {}
    for name in weightings:
        found = estimates(name, episodes)
        variance[name] = found.var(dim=0).sum().item()
        batches = found.view(20, 32, -1).mean(dim=1)
        agreement[name] = torch.cosine_similarity(batches, direction[None], dim=1)

    whole = variance["return of the episode"]
    fig = Figure(figsize=(7.6, 3.0), layout="constrained")
    left, right = fig.subplots(1, 2, sharey=True)
    for row, (name, value) in enumerate(variance.items()):
        color = figures.CYCLE[row][0]
        left.barh(row, value / whole, color=color)
        left.text(value / whole + 0.02, row, f"{value / whole:.0%}", va="center")
        right.plot(agreement[name], np.full(20, row), "o", color=color, alpha=0.5)
        right.plot(agreement[name].mean(), row, "|", color="black", ms=22, mew=2)
    left.set_yticks(range(3), list(variance))
    left.invert_yaxis()
    left.set_xlim(0, 1.25)
    right.set_xlim(-1.05, 1.05)
    left.set_xlabel("variance of one episode's gradient (first = 1)")
    right.set_xlabel("cosine with the mean of 640 episodes")
    right.set_title("20 batches of 32 episodes", fontsize=10)
    shares = ", ".join(f"{name} {value / whole:.0%}" for name, value in variance.items())
    figures.show(
        fig,
        alt=f"Left: variance of the gradient of one episode: {shares}. Right: cosine between the "
        "gradient of a batch of 32 episodes and a good estimate; it comes closer to 1 from the "
        "first weighting to the third.",
    )
    print(
        f"mean length of an episode with this policy: {np.mean([len(e.rewards) for e in episodes]):.0f}"
    )

# %% [markdown]
# <details><summary>What to see here</summary>
#
# Reward-to-go takes away about three quarters of the variance, and the baseline about half of what is left. All three estimates agree on average, so nothing was lost: to get a gradient of the same accuracy, the first needs eight to ten times as many episodes as the third.
# The right side shows what that means for a single step. With the return of the whole episode many batches of 32 point hardly better than at random; with the baseline nearly all point roughly the right way.
#
# This is what `standardize` does for us: subtracting the batch's mean return is a baseline. (Not quite by the book, since each return is part of the mean that is subtracted from it; in a batch of thousands that does not matter.)
#
# A constant is the simplest baseline. A better one knows the state: standing upright in the middle promises more than leaning at the edge. That is the critic of lab 3.
# </details>

# %% [markdown]
# ## Part 8. Standardize over what?
#
# *About 135 minutes to here.*
#
# Many REINFORCE programs standardize the returns of *each episode by itself*. It looks like a detail. In CartPole the agent learns with it, too. Here is a world where it makes all the difference.
#
# Four doors in a row, each with two handles. The wrong handle ends the episode, with nothing. Behind the fourth door waits a reward of 1. Whoever tries handles at random gets there in 1 of 16 episodes.
#
# **Predict first.** Two agents, which differ in one line only: one standardizes over the whole batch of 32 episodes, the other within each episode. In how many of their episodes do they reach the reward after 60 gradient steps?


# %%
def play_doors(policy, handles: torch.Tensor, generator: torch.Generator) -> list[Episode]:
    """Play 32 episodes; handles [4] are the right ones. The observation is the door, one-hot."""
    doors = torch.eye(len(handles))
    with torch.no_grad():
        logits = policy(doors).repeat(32, 1)
    tries = draw_actions(logits, generator).view(32, len(handles))
    episodes = []
    for tried, wrong in zip(tries, tries != handles, strict=True):
        steps = int(wrong.float().argmax()) + 1 if wrong.any() else len(handles)
        rewards = torch.zeros(steps)
        rewards[-1] = float(not wrong.any())
        episodes.append(Episode(doors[:steps], tried[:steps], rewards, terminated=True))
    return episodes


def learn_doors(each_by_itself: bool, gamma: float, seed: int, rounds: int = 60) -> list[float]:
    """Share of the episodes that reach the reward, before each of 60 gradient steps."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    handles = torch.randint(2, (4,), generator=generator)
    policy = PolicyNetwork(4, 2)
    optimizer = torch.optim.Adam(policy.parameters(), lr=0.03)
    success = []
    for _ in range(rounds):
        episodes = play_doors(policy, handles, generator)
        returns = [discounted_returns(e.rewards, gamma) for e in episodes]
        if each_by_itself:
            weights = torch.cat([standardize(r) for r in returns])
        else:
            weights = standardize(torch.cat(returns))
        obs = torch.cat([e.obs for e in episodes])
        actions = torch.cat([e.actions for e in episodes])
        reinforce_step(policy, optimizer, obs, actions, weights)
        success.append(sum(e.rewards.sum().item() for e in episodes) / len(episodes))
    return success


# %% tags=["skip-execution"]
with todo_guard():
    fig = Figure(figsize=(7.2, 3.0), layout="constrained")
    all_axes = fig.subplots(1, 2, sharey=True)
    for axes, gamma in zip(all_axes, (0.99, 1.0), strict=True):
        ways = {"over the batch": False, "each episode by itself": True}
        for (name, each), (color, style) in zip(ways.items(), figures.CYCLE, strict=False):
            runs = np.array([learn_doors(each, gamma, seed) for seed in range(8)])
            axes.plot(runs.T, color=color, lw=0.6, alpha=0.4)
            axes.plot(runs.mean(axis=0), color=color, ls=style, lw=2.2, label=name)
            print(f"gamma {gamma}: {name}, last 10 rounds: {runs[:, -10:].mean():.2f}")
        axes.set_title(f"gamma = {gamma}", fontsize=11)
        axes.set_xlabel("gradient steps")
    all_axes[0].set_ylabel("share that reaches the reward")
    all_axes[0].legend(frameon=False, loc="center right")
    figures.show(
        fig,
        alt="Share of episodes that reach the reward, eight runs each. Standardized over the batch "
        "it rises to 1. Standardized within each episode it falls to 0 with gamma 0.99 and stays "
        "near one in sixteen with gamma 1.",
    )

# %% [markdown]
# <details><summary>Answer</summary>
#
# Over the batch: 1.00. Each episode by itself: 0.00 with $\gamma = 0.99$, worse than trying at random.
#
# What carries the information here is the difference *between* episodes: some bring 1, most bring 0. Standardizing each by itself deletes exactly that. An episode without reward has returns 0, 0, ..., which stay zeros, so no failure is ever held against an action. What remains is the difference *within* the successful ones: their returns are $\gamma^3, \gamma^2, \gamma, 1$, so the early, perfectly right actions are below the episode's mean and get punished.
# With $\gamma = 1$ even that is gone: all returns of an episode are alike, all weights are zeros, and the agent keeps trying at random.
#
# In CartPole the fault hides, because there the end of an episode, the fall, is what is bad, and that is visible within the episode.
# </details>

# %% [markdown]
# ## Common mistakes
#
# We planted each of these in this very notebook and trained three seeds. A run that was not solved had 200,000 steps.
#
# | planted mistake | what training looks like |
# |---|---|
# | `[B, 1]` against `[B]`, the exhibit | return stays between 15 and 30; gradient of length $10^{-9}$ |
# | sign of the loss | return falls to 9, the worst possible, and stays there |
# | returns not turned around, so that the first belongs to the last step | the same |
# | the logit in place of its log-probability | up to about 50, then down to 9 |
# | weights of the last layer far too large at the start | two of three runs at 9 for ever, with a gradient of length $10^{-14}$; no action but one is ever tried |
# | probability in place of its logarithm | learns, but has only reached 100 to 140 in the end |
# | softmax at the end of the network | the same, 130 to 150 |
# | hidden layers in a plain Python list | the same, 190 to 230: only the last layer learns |
# | each episode standardized by itself | two of three solved |
# | returns not standardized at all | two of three solved |
# | gradients not cleared | two of three solved |
# | return of the whole episode at every step | **solved** |
# | time limit taken for a fall | **solved** |
# | no activation between the layers | **solved**: a linear rule is enough to balance a pole |
#
# Look at the lower half. CartPole is forgiving, and a learning curve that goes up proves little. This is why the checks above look at values, gradients and corners, and not at learning curves.

# %% [markdown]
# ## Check your understanding
#
# *About 145 minutes to here.* Answer first, then open.
#
# **1.** After a perfect episode of 500 steps, `terminated` is false and `truncated` is true. What goes wrong if the training loop looks only at "done"?
#
# <details><summary>Answer</summary>
#
# Then `last_value` is 0 for it, as if the pole had fallen after step 500. The returns of its last hundred steps sink towards 1, below those of mediocre episodes in their middle, and the actions that kept the pole up are made rarer. With a large batch this does little harm in CartPole; it is wrong all the same.
# </details>
#
# **2.** You add 1000 to all logits of your network. What changes?
#
# <details><summary>Answer</summary>
#
# Nothing. Softmax looks at differences only: $e^{z_a + c} / \sum_b e^{z_b + c} = e^{z_a} / \sum_b e^{z_b}$. So neither the actions nor the log-probabilities nor the gradient change.
# </details>
#
# **3.** All 32 episodes of a batch have the same length, and $\gamma = 1$. Does `standardize` give zeros? Is there a gradient?
#
# <details><summary>Answer</summary>
#
# No zeros: the returns fall from $T$ to 1 within each episode. There is a gradient, but it says only that early actions were better than late ones, which is true of any action. On average over many batches it pushes nowhere; in this one batch it is noise.
# </details>
#
# **4.** The loss of your run goes up and down around 0 while the return climbs. Is something wrong?
#
# <details><summary>Answer</summary>
#
# No. The value of this loss is no measure of progress. With standardized returns it is minus the covariance of log-probabilities and returns in this batch, and it is computed for another batch each time. What matters is its gradient.
# </details>
#
# **5.** Someone uses the return of *this very episode* as its baseline, because it is the best guess of what the episode is worth. What happens?
#
# <details><summary>Answer</summary>
#
# In CartPole the weight of the first step is then always 0 and those of all later steps are negative, however good the actions were. A baseline must not depend on the action it is subtracted for, and the return of the same episode does. The doors of part 8 are the same mistake in a milder form.
# </details>
#
# **6.** Your batch has 4,000 steps. Would two gradient steps on it be twice as good as one?
#
# <details><summary>Answer</summary>
#
# The formula holds for episodes of the *current* policy. After the first step the policy is another one, and the batch no longer speaks about it. How to take several steps all the same is the subject of lab 5.
# </details>

# %% [markdown]
# ## A question in your own words (4 points, graded by your instructor)
#
# **Why may one subtract a baseline from the returns, and what is gained by it? Why is the mean return of the whole batch a good baseline, and the mean return of each single episode a bad one?**
#
# Six to ten sentences. Say what stays the same on average and why, what becomes smaller, and use what you saw in parts 7 and 8.

# %% [markdown] nbgrader={"grade": true, "grade_id": "why_baseline", "locked": false, "points": 4, "schema_version": 3, "solution": true, "task": false}
# **Model answer.** The expectation of the gradient stays the same, because $\mathbb E_{a \sim \pi}[\nabla \log \pi(a \mid s)\, b] = b \nabla \sum_a \pi(a \mid s) = b \nabla 1 = 0$ for every number $b$ that does not depend on the action. What becomes smaller is the variance: without a baseline every action of CartPole is pushed up, by large and similar amounts, and the information lies in small differences between large numbers; with it, actions that did worse than usual are pushed down and the pushes are of the size of the differences themselves. In part 7 the baseline halved the variance that reward-to-go had left, so fewer episodes give the same accuracy. The mean over the whole batch hardly depends on any single action, since it is taken over thousands of steps, and it is the same for all, so an episode that was better than the others keeps a higher weight than they have. The mean of a single episode depends strongly on the actions of that very episode, so the argument above does not hold, and subtracting it deletes the difference between good and bad episodes: all of them then have mean 0. At the doors, where that difference is all there is, the agent learned to fail.
#
# **Marking.** 1 point: the expectation does not change, with the reason (sum of probabilities, or "does not depend on the action"). 1 point: the variance becomes smaller, with a reason or the measured numbers. 1 point: the batch mean is (nearly) independent of a single action, and keeps the differences between episodes. 1 point: the episode's own mean depends on its actions, or deletes the differences between episodes, with the doors as evidence.

# %% [markdown]
# ## What comes next
#
# REINFORCE has to wait for the end of an episode, uses each batch once, and its gradient is noisy. Lab 3 replaces the constant baseline by a learned one, the critic, which also answers what a state is worth when the time is up. Lab 4 mixes the critic's guess and the rewards that were seen. Lab 5 uses each batch several times.
#
# ## Further reading
#
# - Williams 1992, [Simple Statistical Gradient-Following Algorithms for Connectionist Reinforcement Learning](https://doi.org/10.1007/BF00992696). The name is an acronym: REward Increment = Nonnegative Factor x Offset Reinforcement x Characteristic Eligibility.
# - Sutton and Barto 2018, [Reinforcement Learning: An Introduction](http://incompleteideas.net/book/the-book-2nd.html), chapters 3 and 13, free as PDF.
# - Achiam 2018, [Spinning Up: Intro to Policy Optimization](https://spinningup.openai.com/en/latest/spinningup/rl_intro3.html). The derivations of part 4, with all steps.
# - Greensmith, Bartlett, Baxter 2004, [Variance Reduction Techniques for Gradient Estimates in Reinforcement Learning](https://www.jmlr.org/papers/v5/greensmith04a.html). Which baseline is best, exactly.
# - Nota and Thomas 2020, [Is the Policy Gradient a Gradient?](https://arxiv.org/abs/1906.07073). About the missing $\gamma^t$.
# - Pardo, Tavakoli, Levdik, Kormushev 2018, [Time Limits in Reinforcement Learning](https://arxiv.org/abs/1712.00378).
