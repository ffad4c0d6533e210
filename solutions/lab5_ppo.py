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
# # Lab 5: Proximal Policy Optimization
#
# In the labs before this one every batch of experience was used for one gradient step and then thrown away.
# That is a waste: playing is often the expensive part.
# In this lab you find out what goes wrong when a batch is used again and again, you write the eight small functions that make up PPO, and you train an agent with them that balances a pole, in a few seconds of computing.
#
# **When you are done you will be able to**
#
# - say why a batch cannot simply be reused with the plain policy gradient,
# - write PPO's clipped loss, and say for each sample whether it still has a gradient,
# - assemble a complete PPO update: epochs, shuffled minibatches, value loss, entropy bonus, gradient clipping, early stop,
# - read the numbers that a PPO run prints (approximate KL, clip fraction, entropy, value loss) and tell health from trouble,
# - say which part of PPO is carried over to language models, and which is not.
#
# **What you need.** PyTorch tensors and autograd, the policy gradient, and advantages.
# What earlier labs asked you to write is given below as worked code.
#
# **Time.** About three hours. Each part says how many minutes it takes to get there.
# **Points.** 40 for the eight exercises, 4 for one question in your own words.
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
from course_utils.device import choose_device
from course_utils.environments import make_envs
from course_utils.execution import todo_guard
from course_utils.explorers import clip_explorer
from course_utils.replay import replay
from course_utils.runs import load_runs, references, save_run
from course_utils.training import Monitor

check = checker("lab5_ppo")
device = choose_device()

# %% [markdown]
# ## Notation and conventions
#
# They hold in every exercise of this lab.
#
# | symbol | in code | meaning |
# |---|---|---|
# | $\theta$, $\pi_\theta(a \mid s)$ | `model`, `logits` | the policy and its parameters, the ones being trained |
# | $\theta_\text{old}$ | `old_log_probs` | the parameters that *collected this batch*; they are constants |
# | $r_t(\theta)$ | `ratio` | probability ratio $\pi_\theta(a_t \mid s_t) / \pi_{\theta_\text{old}}(a_t \mid s_t)$ (not the reward) |
# | $\hat A_t$ | `advantages` | estimated advantage: how much better the action was than the policy's average |
# | $\hat R_t$ | `returns` | target of the value function, $\hat A_t + V_{\theta_\text{old}}(s_t)$ |
# | $V_\theta(s)$ | `values` | the critic |
# | $\epsilon$ | `clip_epsilon` | half-width of the band $[1-\epsilon,\ 1+\epsilon]$ |
# | $\gamma$, $\lambda$ | `gamma`, `lam` | discount, and the parameter of GAE |
#
# - **Shapes.** A rollout of $T$ steps in $N$ environments is `[T, N]`; flattened it is a batch `[B]`. There are `A` actions and `O` numbers in an observation.
# - **Losses** are minimized, so they are *minus* the paper's objectives. They return a 0-d tensor, the mean over the batch.
# - **Time.** Index $t$ always describes transition $t$: `obs[t], actions[t], rewards[t], terminated[t], truncated[t]`. `terminated` means that the task ended, `truncated` that time was up; `done` is either.
# - **Log-probabilities** and logits, never probabilities.
# - **Gradients.** Each docstring says what the result is differentiable with respect to, and what it treats as constant. That is tested.
# - **Inputs** are never changed in place, and a function uses its arguments, not variables of the notebook.
# - **Randomness** comes only from the `torch.Generator` that is passed in.

# %% [markdown]
# ## From earlier labs, given
#
# Read these once; nothing here needs changing. You will call `select_log_probs`, `categorical_entropy` and `value_loss` from `ppo_update`.


# %%
class ActorCritic(nn.Module):
    """Policy and value function as two separate small networks (lab 3).

    forward: obs [..., O] -> (logits [..., A], values [...]).
    """

    def __init__(self, obs_dim: int, n_actions: int, hidden: int = 64):
        super().__init__()
        self.actor = nn.Sequential(
            nn.Linear(obs_dim, hidden), nn.Tanh(), nn.Linear(hidden, n_actions)
        )
        self.critic = nn.Sequential(nn.Linear(obs_dim, hidden), nn.Tanh(), nn.Linear(hidden, 1))

    def forward(self, obs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.actor(obs), self.critic(obs).squeeze(-1)


def select_log_probs(logits: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
    """Log-probabilities of the actions taken (lab 1): logits [..., A], actions [...] -> [...]."""
    # With only two actions, log_softmax is far quicker along the first axis than along the last.
    log_p = logits.movedim(-1, 0).log_softmax(dim=0)  # [A, ...]
    return log_p.gather(0, actions.unsqueeze(0)).squeeze(0)


def categorical_entropy(logits: torch.Tensor) -> torch.Tensor:
    """Entropy of the policy at each observation, in nats (lab 3): [..., A] -> [...]."""
    log_p = logits.movedim(-1, 0).log_softmax(dim=0)  # as above
    return -(log_p.exp() * log_p).sum(dim=0)


def value_loss(values: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Mean squared error of the critic (lab 3): [B], [B] -> scalar, constant w.r.t. targets."""
    return (values - targets.detach()).square().mean()


def gae(rewards, values, next_values, terminated, truncated, gamma: float, lam: float):
    """Generalized advantage estimation (lab 4): all [T, N] -> (advantages, returns), both [T, N].

    A time limit (truncated) ends the recursion, but the last step still looks ahead to the value
    of the state that was reached; only a real end (terminated) is worth nothing afterwards.
    Source: https://arxiv.org/abs/1506.02438, section 3
    """
    deltas = rewards + gamma * next_values * (~terminated) - values
    carry_on = gamma * lam * (~(terminated | truncated))
    advantages = torch.empty_like(deltas)
    running = torch.zeros_like(deltas[0])
    for t in reversed(range(len(deltas))):
        running = deltas[t] + carry_on[t] * running
        advantages[t] = running
    return advantages, advantages + values


# %% [markdown]
# Next, the code that plays. Two things in it deserve a look.
#
# **Time limits.** CartPole stops after 500 steps. The pole has not fallen, so the last state still has a value, and `gae` above uses it.
# For that we need the *true* final observation. Gymnasium's vectorized CartPole hands it to us: the observation that comes with `terminated` or `truncated` is the final one, and only the *next* call of `step` resets (Gymnasium calls this mode `NEXT_STEP`).
# That next call ignores the action and pays no reward. It is not a transition of the game, and `Collector` leaves it out of the batch.
#
# **Speed.** Sampling one action for 64 environments is so little work that PyTorch's own bookkeeping would take most of the time.
# So the rollout uses NumPy on the *same memory* as the network's weights. Adding Gumbel noise to the logits and taking the largest draws exactly from the softmax ([Gumbel-max trick](https://en.wikipedia.org/wiki/Gumbel_distribution)).


# %%
def numpy_policy(model: ActorCritic):
    """The actor as a NumPy function obs [..., O] -> logits [..., A], on the model's own weights."""
    weight1, bias1, weight2, bias2 = (p.detach().numpy() for p in model.actor.parameters())
    return lambda obs: np.tanh(obs @ weight1.T + bias1) @ weight2.T + bias2


class Collector:
    """Plays N environments with the current policy and returns the experience as a flat batch."""

    def __init__(self, envs, generator: torch.Generator):
        self.envs, self.generator = envs, generator
        self.obs, _ = envs.reset()
        self.alive = np.ones(envs.num_envs, dtype=bool)  # False: the next step only resets
        self.scores = np.zeros(envs.num_envs)
        self.env_steps = 0

    def collect(self, model: ActorCritic, n_steps: int, gamma: float, lam: float):
        """Play n_steps in every environment.

        Returns (rollout, finished): a dict of flat tensors obs [B, O], actions, log_probs,
        advantages, returns, values [B], without graph; and the returns of the episodes that ended.
        """
        n_envs, n_actions = self.envs.num_envs, int(self.envs.single_action_space.n)
        noise = torch.empty(n_steps, n_envs, n_actions).exponential_(generator=self.generator)
        gumbel = -noise.log().numpy()  # minus the log of an exponential draw is Gumbel noise
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

        obs, actions, rewards, terminated, truncated, real = map(
            torch.from_numpy, (obs, actions, rewards, terminated, truncated, real)
        )
        with torch.no_grad():
            logits, values = model(obs)
            log_probs = select_log_probs(logits[:-1], actions)
            # obs[t + 1] is the true next observation of every real transition, see above.
            advantages, returns = gae(
                rewards, values[:-1], values[1:], terminated, truncated, gamma, lam
            )
        rollout = {
            "obs": obs[:-1],
            "actions": actions,
            "log_probs": log_probs,
            "advantages": advantages,
            "returns": returns,
            "values": values[:-1],
        }
        return {name: tensor[real] for name, tensor in rollout.items()}, finished


# %% [markdown]
# ## Part 1. Why can't we just take bigger steps?
#
# *About 15 minutes to here.*
#
# The policy gradient is an expectation under the *current* policy:
#
# $$\nabla_\theta J(\theta) \;\propto\; \hat{\mathbb E}_t\!\left[\nabla_\theta \log \pi_\theta(a_t \mid s_t)\, \hat A_t\right], \qquad a_t \sim \pi_\theta .$$
#
# After one gradient step $\theta$ has changed, but the batch is still the one that the old policy played. It shows states that the new policy may not visit, and says nothing about those that it will.
# A second step on it follows a direction that was right a moment ago. Many such steps are one big step in a direction that nobody has checked.
#
# The experiment below makes that visible. It takes three half-trained agents and collects one batch of about 4,000 steps with each.
# On that one batch it takes 1, 2, 4, ... up to 128 gradient steps with the plain policy gradient, and after each of these it lets the agent play 64 new episodes.
#
# **Predict first.** The agents hold the pole for 120 to 220 steps. How does the curve go on: up, flat, up and then down?

# %% [markdown]
# <details><summary>Answer, to be opened after your prediction</summary>
#
# A curve may rise at first, even close to the maximum of 500. Then every one of them falls, and all end below where they began.
# Where the best point lies differs from agent to agent: for one it may be at 16 steps, for another at none at all. And nothing in the loss tells you when it has passed, for the loss gets better and better all the way down.
#
# This is what section 2.1 of [the PPO paper](https://arxiv.org/abs/1707.06347) reports in one sentence: several steps on the same trajectory are appealing, not well justified, and often lead to destructively large updates.
# </details>

# %%
CHECKPOINTS = (0, 1, 2, 4, 8, 16, 32, 64, 128)


def half_trained(seed: int):
    """An agent after 100 short actor-critic updates (lab 3), with one batch that it collected."""
    torch.manual_seed(seed)
    model = ActorCritic(4, 2)
    adam = torch.optim.Adam(model.parameters(), lr=0.01)
    collector = Collector(
        make_envs("CartPole-v1", num_envs=32, seed=seed), torch.Generator().manual_seed(seed)
    )
    for _ in range(100):
        batch, _ = collector.collect(model, n_steps=32, gamma=0.99, lam=0.95)
        logits, values = model(batch["obs"])
        actor_term = (select_log_probs(logits, batch["actions"]) * standard(batch)).mean()
        adam.zero_grad()
        (value_loss(values, batch["returns"]) / 100 - actor_term).backward()
        adam.step()
    batch, _ = collector.collect(model, n_steps=128, gamma=0.99, lam=0.95)
    return model, batch


def standard(batch):
    """The batch's advantages with mean 0 and standard deviation 1."""
    return (batch["advantages"] - batch["advantages"].mean()) / batch["advantages"].std()


def mean_episode_length(model, seed: int, episodes: int = 64) -> float:
    """Mean length of fresh episodes, one per environment."""
    envs = make_envs("CartPole-v1", num_envs=episodes, seed=seed)
    policy, rng = numpy_policy(model), np.random.default_rng(seed)
    obs, _ = envs.reset()
    playing, length = np.ones(episodes, dtype=bool), 0
    while playing.any():
        length += playing.sum()
        noisy_logits = policy(obs) + rng.gumbel(size=(episodes, 2))
        obs, _, terminated, truncated, _ = envs.step(noisy_logits.argmax(axis=-1))
        playing &= ~(terminated | truncated)
    return length / episodes


def reuse_one_batch(model, batch, policy_loss):
    """Gradient steps on one and the same batch; the mean episode length at each checkpoint.

    policy_loss(new_log_probs [B], old_log_probs [B], advantages [B]) -> scalar
    """
    student = ActorCritic(4, 2)
    student.load_state_dict(model.state_dict())
    adam = torch.optim.Adam(student.actor.parameters(), lr=0.01)
    lengths = []
    for step in range(max(CHECKPOINTS) + 1):
        if step in CHECKPOINTS:
            lengths.append(mean_episode_length(student, seed=1000 + step))
        new_log_probs = select_log_probs(student.actor(batch["obs"]), batch["actions"])
        adam.zero_grad()
        policy_loss(new_log_probs, batch["log_probs"], standard(batch)).backward()
        adam.step()
    return lengths


def plot_reuse(curves_by_loss: dict) -> Figure:
    """One line per agent, one style per loss, over the number of gradient steps."""
    figure = Figure(figsize=(7.2, 3.4), layout="constrained")
    axes = figure.subplots()
    for (name, curves), (color, style) in zip(curves_by_loss.items(), figures.CYCLE, strict=False):
        for i, curve in enumerate(curves):
            label = name if i == 0 else None
            axes.plot(CHECKPOINTS, curve, color=color, ls=style, marker="o", ms=4, label=label)
    axes.set_xscale("symlog", linthresh=1, base=2)
    axes.set_xticks(CHECKPOINTS, [str(n) for n in CHECKPOINTS])
    axes.set_ylim(0, 510)
    axes.set_xlabel("gradient steps on one and the same batch")
    axes.set_ylabel("mean length of 64 new episodes")
    axes.legend(frameon=False)
    return figure


# %% tags=["skip-execution"]
def plain_policy_gradient(new_log_probs, old_log_probs, advantages):
    return -(new_log_probs * advantages).mean()


agents = [half_trained(seed) for seed in range(3)]
plain_curves = [reuse_one_batch(*agent, plain_policy_gradient) for agent in agents]
figures.show(
    plot_reuse({"plain policy gradient": plain_curves}),
    alt="Mean episode length of three agents against the number of gradient steps on one batch. "
    "One rises close to the maximum of 500 first; all three fall, and end below their start.",
)

# %% [markdown]
# What we want is a loss that can be minimized for several epochs on the same batch *without* someone watching for the right moment to stop.
# PPO's answer has two parts: account for the fact that the data came from another policy (the ratio, part 2), and take away the reward for moving further once a sample has moved far enough (clipping, part 3).

# %% [markdown]
# ## Part 2. The probability ratio
#
# *About 25 minutes to here.*
#
# A batch from $\pi_{\theta_\text{old}}$ can tell us about $\pi_\theta$ if every sample is weighted by how much more (or less) likely the new policy makes its action. That weight is the probability ratio
#
# $$r_t(\theta) = \frac{\pi_\theta(a_t \mid s_t)}{\pi_{\theta_\text{old}}(a_t \mid s_t)}, \qquad L^{CPI}(\theta) = \hat{\mathbb E}_t\!\left[ r_t(\theta)\, \hat A_t \right].$$
#
# The paper calls this objective $L^{CPI}$, after conservative policy iteration ([PPO, section 3, equation 6](https://arxiv.org/abs/1707.06347)).
# At $\theta = \theta_\text{old}$ every ratio is 1, and there the gradient of $L^{CPI}$ is exactly the policy gradient, because $\nabla r = r\, \nabla \log \pi_\theta$.
# The weight corrects the *action* probabilities only. The states are still those that the old policy visited, and that is one reason why the two policies must stay close.

# %% [markdown]
# ### Exercise 1: `probability_ratio`
#
# *Difficulty 1 of 5, about 5 minutes, importance 5 of 5. 3 points.*
#
# A rollout stores $\log \pi_{\theta_\text{old}}(a_t \mid s_t)$ and the model gives $\log \pi_\theta(a_t \mid s_t)$. Turn the two into the ratio.
# Do not compute the two probabilities: under a language model the log-probability of a few sentences is easily $-200$, and `exp(-200)` is 0 in float32. The quotient of two such numbers can still be perfectly ordinary.
# The old policy is a constant: nothing may be differentiated through it. The first line takes care of that; the rest is yours.


# %% nbgrader={"grade": false, "grade_id": "probability_ratio", "locked": false, "schema_version": 3, "solution": true, "task": false}
def probability_ratio(new_log_probs: torch.Tensor, old_log_probs: torch.Tensor) -> torch.Tensor:
    """Probability ratio r of the new policy to the old one, sample by sample.

    Args:
        new_log_probs: [B], log pi_theta(a|s).
        old_log_probs: [B], log pi_theta_old(a|s), as stored in the rollout.

    Returns:
        [B]. Differentiable w.r.t. new_log_probs, constant w.r.t. old_log_probs.
        Finite whenever the ratio itself is, even if both probabilities are too small for float32.
    """
    old = old_log_probs.detach()
    ### BEGIN SOLUTION
    return (new_log_probs - old).exp()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_probability_ratio", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check("probability_ratio", probability_ratio)
### BEGIN HIDDEN TESTS
from autograde.hidden import hidden_test

hidden_test("lab5_ppo/probability_ratio", probability_ratio)
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# You have two logarithms and want the quotient of the numbers behind them.
# </details>
# <details><summary>Hint 2: the identity</summary>
#
# $\log x - \log y = \log (x / y)$. The shape stays `[B]` all the way.
# </details>
# <details><summary>Hint 3: almost code</summary>
#
# Take the difference, new minus old, then undo the logarithm with the tensor's own method.
# </details>
# <details><summary>Help, I get "nan" or "inf"</summary>
#
# You exponentiate each log-probability by itself and divide 0 by 0. Combine the two while they are still logarithms.
# </details>
# <details><summary>Help, the check says that the gradient is missing</summary>
#
# `.detach()`, `.item()`, `.numpy()` or `torch.no_grad()` stands where `new_log_probs` passes. Only the old ones are constant.
# </details>

# %% [markdown]
# ## Part 3. Clipping
#
# *About 35 minutes to here.*
#
# The ratio alone does not stop the collapse of part 1: with a positive advantage $L^{CPI}$ grows without end as the action is made likelier.
# PPO takes the minimum of that objective and a version of it that cannot profit from leaving the band $[1-\epsilon, 1+\epsilon]$ ([section 3, equation 7](https://arxiv.org/abs/1707.06347)):
#
# $$L^{CLIP}(\theta) = \hat{\mathbb E}_t\!\left[ \min\!\big( r_t(\theta)\,\hat A_t,\ \operatorname{clip}(r_t(\theta),\, 1-\epsilon,\, 1+\epsilon)\,\hat A_t \big) \right].$$
#
# There are six cases: two signs of the advantage, and a ratio below, inside or above the band.
#
# | | ratio below $1-\epsilon$ | inside the band | ratio above $1+\epsilon$ |
# |---|---|---|---|
# | $\hat A > 0$: make the action likelier | ? | ? | ? |
# | $\hat A < 0$: make the action less likely | ? | ? | ? |
#
# **Predict first.** In how many of the six cells is the gradient with respect to $\theta$ zero, and in which? Write it down. The exercise and the slider below will tell you.

# %% [markdown]
# ### Exercise 2: `clipped_surrogate_loss`
#
# *Difficulty 3 of 5, about 15 minutes, importance 5 of 5. 8 points.*
#
# This is the heart of PPO: equation 7 as a loss, that is, with a minus sign, averaged over the batch.
# Both terms inside the minimum belong to the *same* sample: the minimum is taken sample by sample, and the mean comes last.
# The advantages are data, like the old log-probabilities, even if they were computed from a network.


# %% nbgrader={"grade": false, "grade_id": "clipped_surrogate_loss", "locked": false, "schema_version": 3, "solution": true, "task": false}
def clipped_surrogate_loss(
    new_log_probs: torch.Tensor,
    old_log_probs: torch.Tensor,
    advantages: torch.Tensor,
    clip_epsilon: float,
) -> torch.Tensor:
    """PPO's clipped policy loss, minus L^CLIP (Schulman et al. 2017, equation 7).

    Args:
        new_log_probs: [B], log pi_theta(a|s).
        old_log_probs: [B], log pi_theta_old(a|s).
        advantages: [B].
        clip_epsilon: half-width of the band around ratio 1.

    Returns:
        Scalar (0-d), the mean over the batch. Differentiable w.r.t. new_log_probs, constant
        w.r.t. old_log_probs and advantages.
    """
    ### BEGIN SOLUTION
    advantages = advantages.detach()
    ratio = probability_ratio(new_log_probs, old_log_probs)
    unclipped = ratio * advantages
    clipped = ratio.clamp(1 - clip_epsilon, 1 + clip_epsilon) * advantages
    return -torch.minimum(unclipped, clipped).mean()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_clipped_surrogate_loss", "locked": true, "points": 8, "schema_version": 3, "solution": false, "task": false}
check("clipped_surrogate_loss", clipped_surrogate_loss)
### BEGIN HIDDEN TESTS
from autograde.hidden import hidden_test

hidden_test("lab5_ppo/clipped_surrogate_loss", clipped_surrogate_loss)
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# Compute two numbers for each sample, the objective as it is and the objective with a ratio that may not leave the band. Keep the more pessimistic one.
# </details>
# <details><summary>Hint 2: the shapes</summary>
#
# Ratio `[B]`, two products `[B]`, their elementwise minimum `[B]`, mean: no dimension left. Then the sign.
# </details>
# <details><summary>Hint 3: almost code</summary>
#
# You have the ratio from exercise 1. Tensors have a method that limits them from below *and* above, and PyTorch has an elementwise minimum of two tensors (not Python's own `min`, and not `.min()` of one tensor, which reduces it).
# The advantage multiplies the limited ratio; it is never limited itself.
# </details>
# <details><summary>Help, I get a tensor of shape [B, B], or a warning about broadcasting</summary>
#
# One of the inputs was given an extra dimension, so `[B, 1]` met `[B]`. Print the shape of every intermediate result.
# </details>
# <details><summary>Help, values are right and the gradient is wrong</summary>
#
# Either something is detached that should not be (the ratio), or something is not that should be (the advantages). A value can be right while its gradient is nonsense; that is why both are tested.
# </details>

# %% [markdown]
# **Move the slider.** The picture is drawn with *your* function. It is the objective of one sample, minus your loss, against the ratio, once for a positive and once for a negative advantage.
# Use Tab to reach a slider and the arrow keys to move it. Where is the curve flat? Compare with your six cells.

# %% tags=["skip-execution"]
clip_explorer(clipped_surrogate_loss)

# %% [markdown]
# <details><summary>Answer: the six regions</summary>
#
# The gradient is zero in exactly two of the six cells.
#
# | | ratio below $1-\epsilon$ | inside the band | ratio above $1+\epsilon$ |
# |---|---|---|---|
# | $\hat A > 0$ | gradient | gradient | **zero**: already likelier by more than $\epsilon$ |
# | $\hat A < 0$ | **zero**: already less likely by more than $\epsilon$ | gradient | gradient |
#
# The other two cells outside the band are the interesting ones. There the policy has moved the *wrong* way, a good action has become rarer or a bad one more frequent, and the minimum keeps the unclipped term so that the sample can pull it back.
#
# Read this carefully, because it is often told wrong: clipping does **not** keep the ratio inside the band. It removes the incentive to move a sample further once it is past the bound on the favorable side. Other samples share the same weights and can push it further out; you will see that in part 8.
# [Wang et al. 2019](https://arxiv.org/abs/1903.07940) show that PPO neither strictly bounds the ratio nor enforces a trust region.
# </details>

# %% [markdown]
# Now the experiment of part 1 once more, on the same agents and batches, with your loss in place of the plain one: once with $\epsilon = 0.2$, and once with an $\epsilon$ so large that nothing is ever clipped, which leaves $L^{CPI}$.
#
# **Predict first.** Which of the two survives 128 steps on one batch? And does the survivor get *better* with every step?


# %% tags=["skip-execution"]
def with_epsilon(clip_epsilon: float):
    return lambda new, old, advantages: clipped_surrogate_loss(new, old, advantages, clip_epsilon)


with todo_guard():
    unclipped_curves = [reuse_one_batch(*agent, with_epsilon(1e6)) for agent in agents]
    clipped_curves = [reuse_one_batch(*agent, with_epsilon(0.2)) for agent in agents]
    figures.show(
        plot_reuse({"your loss, epsilon 0.2": clipped_curves, "never clipped": unclipped_curves}),
        alt="Mean episode length against gradient steps on one batch, for three agents. With "
        "epsilon 0.2 the curves stay near their start; without clipping two fall far below it and one climbs.",
    )

# %% [markdown]
# <details><summary>What to see here</summary>
#
# Without clipping, two of the three agents collapse, and the third is lucky and climbs: weighting the samples correctly is no safeguard. With clipping all three stay close to where they were, and the last hundred steps change little.
#
# So the clipped loss does not find a better policy by grinding on one batch; here it finds none at all. It makes reuse *safer*: a few epochs on one batch, then a new batch, and the progress comes from many such rounds. Luck is no plan, since nothing in the batch tells you when it comes.
# </details>

# %% [markdown]
# ### Exercise 3: `has_gradient`
#
# *Difficulty 2 of 5, about 10 minutes, importance 3 of 5. 4 points.*
#
# Say in code what the six-cell table says in words: which samples still pull on the policy?
# No autograd here; you decide it from the ratio and the advantage alone. A sample whose advantage is zero pulls in no direction at all.
# (Exactly on a bound, where the curve has its corner, both answers are accepted.)


# %% nbgrader={"grade": false, "grade_id": "has_gradient", "locked": false, "schema_version": 3, "solution": true, "task": false}
def has_gradient(
    ratio: torch.Tensor, advantages: torch.Tensor, clip_epsilon: float
) -> torch.Tensor:
    """Which samples have a non-zero gradient in the clipped surrogate loss.

    Args:
        ratio: [B], probability ratios.
        advantages: [B]; an advantage of exactly 0 gives no gradient.
        clip_epsilon: half-width of the band around ratio 1.

    Returns:
        bool [B].
    """
    ### BEGIN SOLUTION
    past_the_top = (advantages > 0) & (ratio > 1 + clip_epsilon)
    past_the_bottom = (advantages < 0) & (ratio < 1 - clip_epsilon)
    return (advantages != 0) & ~past_the_top & ~past_the_bottom
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_has_gradient", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check("has_gradient", has_gradient)
### BEGIN HIDDEN TESTS
from autograde.hidden import hidden_test

hidden_test("lab5_ppo/has_gradient", has_gradient)
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# It is easier to name the samples that have *lost* their gradient. There are two kinds, plus the ones with advantage zero.
# </details>
# <details><summary>Hint 2: the identity</summary>
#
# Lost means: the sign of the advantage and the side of the band agree. Good action and ratio beyond the upper bound, or bad action and ratio beyond the lower one.
# </details>
# <details><summary>Hint 3: almost code</summary>
#
# Build two boolean masks with `>` and `<`, join conditions with `&` (each in parentheses), negate with `~`. Do not forget the third condition.
# </details>
# <details><summary>Help, I get "Boolean value of Tensor with more than one value is ambiguous", or "bitwise_and_cpu" not implemented for 'Float'</summary>
#
# `and`, `or`, `not` and chained comparisons such as `a < x < b` want a single truth value. For tensors use `&`, `|`, `~`. Without parentheses around each comparison, `a > 0 & b < c` means `a > (0 & b) < c`, which gives these errors too.
# </details>

# %% [markdown]
# The next figure puts your two functions together: the height comes from `clipped_surrogate_loss`, the line style from `has_gradient`. Dotted parts have to be flat, and flat parts dotted.

# %% tags=["skip-execution"]
with todo_guard():
    grid = torch.linspace(0.02, 2.0, 100)
    old = torch.full((1,), -2.0)  # any old log-probability will do
    picture = {}
    for name, advantage in (("pos", torch.ones(1)), ("neg", -torch.ones(1))):
        objective = [-clipped_surrogate_loss(old + r.log(), old, advantage, 0.2) for r in grid]
        picture[f"objective_{name}"] = torch.stack(objective)
        picture[f"slope_{name}"] = advantage * has_gradient(grid, advantage.expand(100), 0.2)
    figures.show(
        figures.six_regions(grid, **picture, clip_epsilon=0.2),
        alt="The clipped objective against the ratio. For a positive advantage it rises and is "
        "flat above 1.2; for a negative advantage it falls and is flat below 0.8.",
    )

# %% [markdown]
# ## Part 4. How far has the policy moved?
#
# *About 70 minutes to here.*
#
# Since clipping is no guarantee, one watches a number. The natural one is the Kullback-Leibler divergence from the old to the new policy,
#
# $$\mathrm{KL}\!\left[\pi_{\theta_\text{old}}, \pi_\theta\right] = \mathbb E_{a \sim \pi_{\theta_\text{old}}}\!\left[ -\log r \right], \qquad r = \frac{\pi_\theta(a \mid s)}{\pi_{\theta_\text{old}}(a \mid s)} .$$
#
# We have no full distributions in the rollout, only the log-probabilities of the actions taken. So we average over samples. Averaging $-\log r$ (called $k_1$) is right in expectation, but noisy: many single terms are negative, although the KL divergence never is.
# John Schulman's note [Approximating KL Divergence](http://joschu.net/blog/kl-approx.html) suggests a better one,
#
# $$k_3 = (r - 1) - \log r .$$
#
# Under the old policy $r - 1$ has mean zero, so adding it changes nothing in expectation. And no term can be negative, because $\log r \le r - 1$.

# %% [markdown]
# ### Exercise 4: `approx_kl`
#
# *Difficulty 2 of 5, about 10 minutes, importance 4 of 5. 4 points.*
#
# Write the batch mean of $k_3$. The result is for reading and for early stopping, not for learning: return a Python `float`, so that no graph is kept alive.


# %% nbgrader={"grade": false, "grade_id": "approx_kl", "locked": false, "schema_version": 3, "solution": true, "task": false}
def approx_kl(new_log_probs: torch.Tensor, old_log_probs: torch.Tensor) -> float:
    """Estimate KL[pi_old, pi_new] from samples of the old policy, with the k3 estimator.

    Args:
        new_log_probs: [B], log pi_theta(a|s).
        old_log_probs: [B], log pi_theta_old(a|s); the actions were drawn from this policy.

    Returns:
        A Python float, the mean of (r - 1) - log r over the batch; never negative (to rounding).
        No graph is kept.
    Source: http://joschu.net/blog/kl-approx.html
    """
    ### BEGIN SOLUTION
    log_ratio = (new_log_probs - old_log_probs).detach()
    return (torch.expm1(log_ratio) - log_ratio).mean().item()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_approx_kl", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check("approx_kl", approx_kl)
### BEGIN HIDDEN TESTS
from autograde.hidden import hidden_test

hidden_test("lab5_ppo/approx_kl", approx_kl)
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# Everything is made of one quantity, the log of the ratio, new minus old.
# </details>
# <details><summary>Hint 2: the identity</summary>
#
# With $x = \log r$ a term is $e^x - 1 - x$: zero at $x = 0$, positive on both sides.
# </details>
# <details><summary>Hint 3: almost code</summary>
#
# Log-ratio `[B]`; its exponential minus one minus itself `[B]`; mean; then the tensor method that gives a Python number. `torch.expm1` computes $e^x - 1$ without losing digits when $x$ is tiny.
# </details>
# <details><summary>Help, my numbers are close but not equal</summary>
#
# Check which policy stands on top. For policies that are close, swapping them changes the estimate only a little, which makes this mistake easy to miss.
# </details>

# %% [markdown]
# **Predict first.** Below, one fixed pair of policies over five actions, 300 batches of 64 samples each. Both estimates are right on average. How much wider is the spread of $k_1$ than that of your $k_3$: about the same, twice, more than five times?

# %% tags=["skip-execution"]
with todo_guard():
    rng = torch.Generator().manual_seed(0)
    old_log_p = torch.randn(5, generator=rng).log_softmax(-1)
    new_log_p = (old_log_p + 0.2 * torch.randn(5, generator=rng)).log_softmax(-1)
    exact = (old_log_p.exp() * (old_log_p - new_log_p)).sum().item()
    draws = torch.multinomial(old_log_p.exp().expand(300, -1), 64, True, generator=rng)
    k1 = [(old_log_p[a] - new_log_p[a]).mean().item() for a in draws]
    k3 = [approx_kl(new_log_p[a], old_log_p[a]) for a in draws]

    fig = Figure(figsize=(7.2, 2.8), layout="constrained")
    axes = fig.subplots()
    bins = np.linspace(min(k1), max(k1), 50)
    axes.hist(k1, bins, color=figures.ORANGE, label=f"k1, standard deviation {np.std(k1):.4f}")
    axes.hist(k3, bins, color=figures.BLUE, label=f"k3, standard deviation {np.std(k3):.4f}")
    axes.axvline(exact, color="black", ls="--", label=f"exact KL {exact:.4f}")
    axes.set_xlabel("estimate of the KL divergence from 64 samples")
    axes.set_ylabel("batches")
    axes.legend(frameon=False)
    figures.show(
        fig,
        alt="Histogram of 300 KL estimates. Those of k3 form a narrow peak at the exact value; "
        "those of k1 spread widely around it and many are negative.",
    )

# %% [markdown]
# <details><summary>Answer</summary>
#
# The legend gives the two standard deviations: $k_1$ spreads more than eight times as widely, and many of its estimates are negative, which no divergence can be. Make the two policies more alike (0.02 for 0.2 in the code) and the gap becomes wider still.
# </details>
#
# ## Part 5. The critic's loss, and an option that PPO implementations carry along
#
# *About 85 minutes to here.*
#
# The critic is trained on $\hat R_t$ by mean squared error. That is the `value_loss` you were given, and it is what we train with.
#
# Many PPO implementations can also clip the *value* loss ([detail 9 of 37](https://iclr-blog-track.github.io/2022/03/25/ppo-implementation-details/)). The new prediction may only move by $\epsilon$ away from the old one, and the larger of the two squared errors counts:
#
# $$L^{V}(\theta) = \hat{\mathbb E}_t\!\left[ \max\!\Big( \big(V_\theta(s_t) - \hat R_t\big)^2,\ \big(V_\text{old}(s_t) + \operatorname{clip}(V_\theta(s_t) - V_\text{old}(s_t),\, -\epsilon,\, \epsilon) - \hat R_t\big)^2 \Big) \right]$$
#
# Does it help? [Engstrom et al. 2020](https://arxiv.org/abs/2005.12729) found no evidence that it does, and [Andrychowicz et al. 2020](https://arxiv.org/abs/2006.05990) found that it can hurt. It also depends on the scale of the rewards, since $\epsilon = 0.2$ is tiny where values are around 100, as in CartPole.
# You write it because you will meet it, and because its details are easy to get wrong. We do not train with it.

# %% [markdown]
# ### Exercise 5: `clipped_value_loss`
#
# *Difficulty 3 of 5, about 10 minutes, importance 2 of 5. 4 points.*
#
# What is clipped is the *change* $V_\theta - V_\text{old}$, not the value and not the error. The maximum is taken sample by sample.


# %% nbgrader={"grade": false, "grade_id": "clipped_value_loss", "locked": false, "schema_version": 3, "solution": true, "task": false}
def clipped_value_loss(
    values: torch.Tensor,
    old_values: torch.Tensor,
    returns: torch.Tensor,
    clip_epsilon: float,
) -> torch.Tensor:
    """Clipped value loss: the mean of the elementwise larger of two squared errors.

    Args:
        values: [B], V_theta(s) now.
        old_values: [B], V(s) as stored in the rollout.
        returns: [B], the targets.
        clip_epsilon: how far a prediction may move from its old value.

    Returns:
        Scalar (0-d), no factor 1/2. Differentiable w.r.t. values, constant w.r.t. old_values.
    """
    ### BEGIN SOLUTION
    old, targets = old_values.detach(), returns.detach()
    clipped = old + (values - old).clamp(-clip_epsilon, clip_epsilon)
    return torch.maximum((values - targets) ** 2, (clipped - targets) ** 2).mean()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_clipped_value_loss", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check("clipped_value_loss", clipped_value_loss)
### BEGIN HIDDEN TESTS
from autograde.hidden import hidden_test

hidden_test("lab5_ppo/clipped_value_loss", clipped_value_loss)
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# It is the clipped surrogate turned around: that one was maximized, so the pessimistic choice was the minimum. This one is minimized.
# </details>
# <details><summary>Hint 2: the steps</summary>
#
# Change `[B]`, limited change `[B]`, limited prediction `[B]`, two squared errors `[B]`, one elementwise choice, mean.
# </details>
# <details><summary>Hint 3: almost code</summary>
#
# The limited prediction is the old one plus (new minus old, limited to plus or minus `clip_epsilon`). Square both errors, then `torch.maximum` of the two, then the mean.
# </details>
# <details><summary>Help, values match only when predictions are near zero</summary>
#
# You clip the value itself to $[-\epsilon, \epsilon]$. Clip its distance from the old value.
# </details>

# %% [markdown]
# ## Part 6. Minibatches and the learning rate
#
# *About 100 minutes to here.*
#
# ### Exercise 6: `minibatch_indices`
#
# *Difficulty 2 of 5, about 10 minutes, importance 4 of 5. 5 points.*
#
# Every epoch goes through the whole batch once, in a new random order, cut into minibatches. Each sample comes exactly once per epoch (epochs and minibatches: [PPO, algorithm 1](https://arxiv.org/abs/1707.06347)).
# Neighbors in a rollout are almost copies of each other, and so a minibatch of consecutive steps would say little; that is what the shuffle is for.


# %% nbgrader={"grade": false, "grade_id": "minibatch_indices", "locked": false, "schema_version": 3, "solution": true, "task": false}
def minibatch_indices(batch_size: int, minibatch_size: int, generator: torch.Generator):
    """One epoch of shuffled minibatches.

    Args:
        batch_size: B.
        minibatch_size: M, may be larger than B.
        generator: the only source of randomness; every call draws a new order from it.

    Returns:
        An iterator (or list) of int64 index tensors [M] that together hold each of 0 ... B-1
        exactly once. The last one may be smaller.
    """
    ### BEGIN SOLUTION
    order = torch.randperm(batch_size, generator=generator)
    return iter(order.split(minibatch_size))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_minibatch_indices", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
check("minibatch_indices", minibatch_indices)
### BEGIN HIDDEN TESTS
from autograde.hidden import hidden_test

hidden_test("lab5_ppo/minibatch_indices", minibatch_indices)
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# Shuffle a deck of cards numbered from 0 to B-1, then deal it out in piles of M.
# </details>
# <details><summary>Hint 2: the pieces</summary>
#
# PyTorch has a random permutation that takes a `generator`. Slices, or one tensor method, cut it into pieces; the last piece is allowed to be short.
# </details>
# <details><summary>Hint 3: almost code</summary>
#
# Draw the permutation once. Then either loop with `range(0, batch_size, minibatch_size)` and `yield` a slice, or return what `.split` gives you.
# </details>
# <details><summary>Help, "same seed, different batches"</summary>
#
# Somewhere you draw from the global random state: `torch.randperm` without `generator=`, `random.shuffle` or `np.random`.
# </details>

# %% [markdown]
# ### Exercise 7: `linear_schedule`
#
# *Difficulty 1 of 5, about 5 minutes, importance 2 of 5. 2 points.*
#
# Large steps help at the start; near the end they mostly add noise. The learning rate falls along a straight line, from its initial value at update 0 to zero at `n_updates` ([detail 4 of 37](https://iclr-blog-track.github.io/2022/03/25/ppo-implementation-details/)).
# Mind the units: one *update* is one rollout with all its epochs and minibatches. Counting minibatches on one side and updates on the other gives a schedule that never gets to zero, or goes below it.


# %% nbgrader={"grade": false, "grade_id": "linear_schedule", "locked": false, "schema_version": 3, "solution": true, "task": false}
def linear_schedule(update: int, n_updates: int, initial: float) -> float:
    """Linearly falling value: `initial` at update 0, 0 at update == n_updates.

    Args:
        update: number of updates done, 0 ... n_updates.
        n_updates: number of updates in the whole run.
        initial: value at the start.
    """
    ### BEGIN SOLUTION
    return initial * (1 - update / n_updates)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_linear_schedule", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check("linear_schedule", linear_schedule)
### BEGIN HIDDEN TESTS
from autograde.hidden import hidden_test

hidden_test("lab5_ppo/linear_schedule", linear_schedule)
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# What share of the run is still ahead?
# </details>
# <details><summary>Hint 2: the identity</summary>
#
# Done is `update` out of `n_updates`; ahead is one minus that.
# </details>
# <details><summary>Hint 3: almost code</summary>
#
# The share ahead, times the initial value. Use `/`, not `//`.
# </details>

# %% [markdown]
# ## Part 7. The update, and training
#
# *About 115 minutes to here.*
#
# ### Exercise 8: `ppo_update`
#
# *Difficulty 4 of 5, about 30 minutes, importance 5 of 5. 10 points.*
#
# Put it all together. One update gets one rollout and makes several epochs of minibatch steps on the total loss ([PPO, section 5, equation 9](https://arxiv.org/abs/1707.06347), with signs turned for minimizing):
#
# $$\text{loss} = -L^{CLIP} + c_1\, L^{VF} - c_2\, S[\pi_\theta],$$
#
# with $c_1$ = `value_coef`, $c_2$ = `entropy_coef`, $L^{VF}$ the plain `value_loss`, and $S$ the mean entropy. A *bonus* for entropy is subtracted from a loss.
#
# - The rollout is data. Its log-probabilities are those of the policy that played, in every epoch; its tensors stay as they are.
# - If `normalize_advantages` is set, the advantages of each minibatch are shifted to mean 0 and scaled to standard deviation 1, for the policy loss only. A minibatch of one sample must not give NaN.
# - Before each step the gradient over all parameters is scaled down to norm `max_grad_norm` if it is longer (`nn.utils.clip_grad_norm_`).
# - If `target_kl` is a number and the approximate KL of a minibatch exceeds it, the *whole* update stops, not just this epoch. Whether that last minibatch still makes its step is up to you.
# - You may use everything above: `select_log_probs`, `categorical_entropy`, `value_loss`, and your own functions.


# %%
@dataclass
class PPOConfig:
    """What one PPO update needs to know."""

    epochs: int = 4
    """passes over the batch"""
    minibatch_size: int = 2048
    """samples per gradient step"""
    clip_epsilon: float = 0.2
    """half-width of the band around ratio 1"""
    value_coef: float = 0.5
    """weight of the value loss in the total loss"""
    entropy_coef: float = 0.0
    """weight of the entropy bonus in the total loss"""
    max_grad_norm: float = 0.5
    """largest norm of the gradient over all parameters"""
    normalize_advantages: bool = True
    """per minibatch: mean 0, standard deviation 1"""
    target_kl: float | None = None
    """stop the update when the approximate KL passes this; None: never"""


# %% nbgrader={"grade": false, "grade_id": "ppo_update", "locked": false, "schema_version": 3, "solution": true, "task": false}
def ppo_update(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    rollout: dict[str, torch.Tensor],
    config: PPOConfig,
    generator: torch.Generator,
) -> dict[str, float]:
    """Train the model on one rollout, in place.

    Args:
        model: model(obs [M, O]) -> (logits [M, A], values [M]).
        optimizer: of the model's parameters.
        rollout: flat tensors obs [B, O], actions, log_probs, advantages, returns, values [B].
        config: see PPOConfig; use only the fields that it lists.
        generator: shuffles the minibatches.

    Returns:
        The means over all minibatches done, as floats: policy_loss, value_loss, entropy,
        approx_kl, and clip_fraction, the share of samples with |ratio - 1| > clip_epsilon.
    """
    ### BEGIN SOLUTION
    statistics = []
    minibatches = (
        index
        for _ in range(config.epochs)
        for index in minibatch_indices(len(rollout["obs"]), config.minibatch_size, generator)
    )
    for index in minibatches:
        batch = {name: tensor[index] for name, tensor in rollout.items()}
        advantages = batch["advantages"]
        if config.normalize_advantages:
            spread = advantages.std(correction=0)  # N, not N - 1: no NaN for a single sample
            advantages = (advantages - advantages.mean()) / (spread + 1e-8)

        logits, values = model(batch["obs"])
        new_log_probs = select_log_probs(logits, batch["actions"])
        policy_loss = clipped_surrogate_loss(
            new_log_probs, batch["log_probs"], advantages, config.clip_epsilon
        )
        critic_loss = value_loss(values, batch["returns"])
        entropy = categorical_entropy(logits).mean()
        loss = policy_loss + config.value_coef * critic_loss - config.entropy_coef * entropy

        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), config.max_grad_norm)
        optimizer.step()

        new_log_probs = new_log_probs.detach()
        ratio = probability_ratio(new_log_probs, batch["log_probs"])
        statistics.append(
            {
                "policy_loss": policy_loss.item(),
                "value_loss": critic_loss.item(),
                "entropy": entropy.item(),
                "approx_kl": approx_kl(new_log_probs, batch["log_probs"]),
                "clip_fraction": ((ratio - 1).abs() > config.clip_epsilon).float().mean().item(),
            }
        )
        if config.target_kl is not None and statistics[-1]["approx_kl"] > config.target_kl:
            break
    return {
        name: sum(entry[name] for entry in statistics) / len(statistics) for name in statistics[0]
    }
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_ppo_update", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
check("ppo_update", ppo_update)
### BEGIN HIDDEN TESTS
from autograde.hidden import hidden_test

hidden_test("lab5_ppo/ppo_update", ppo_update)
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# Two nested loops, epochs and minibatches. Inside: forward pass, three loss terms, one sum, one optimizer step, five numbers noted.
# </details>
# <details><summary>Hint 2: the order</summary>
#
# 1. Pick the rows of *every* tensor with the same `index`.
# 2. Run the model on these observations; from its logits get the new log-probabilities of the actions that were taken.
# 3. Policy loss, value loss, mean entropy; the total loss.
# 4. Clear the old gradients, backpropagate, limit the gradient's norm, step.
# 5. Note the five numbers as floats, then see whether to stop.
# </details>
# <details><summary>Hint 3: almost code</summary>
#
# A `break` leaves only the inner loop. Either set a flag that the outer loop looks at, or `return` from the inner one, or make the two loops one.
#
# For a single sample `tensor.std()` is NaN, since it divides by N - 1; `std(correction=0)` divides by N. Add a small number before you divide by it.
#
# The comparison `(ratio - 1).abs() > ...` gives booleans; turn them into floats to average them.
# </details>
# <details><summary>Help, I get "Trying to backward through the graph a second time"</summary>
#
# Something from an earlier step is still attached: a tensor computed *before* the loop with gradients, or a statistic kept as a tensor. Run the model inside the inner loop, and store `.item()`.
# </details>
# <details><summary>Help, I get "a leaf Variable that requires grad is being used in an in-place operation" or the check says that the rollout was changed</summary>
#
# `batch["advantages"] -= ...` writes into the rollout if `batch` is the rollout or a view of it. Build a new tensor instead.
# </details>
# <details><summary>Help, approx_kl is exactly 0 in every minibatch</summary>
#
# Your old log-probabilities are computed from the model that is being trained. They have to come from the rollout.
# </details>

# %% [markdown]
# ### Training
#
# The rest is given. `new_run` makes an agent with everything that belongs to it, `train` is the loop: collect, update, look.
# Read `train` once; it is PPO on one screen.


# %%
@dataclass
class TrainConfig(PPOConfig):
    """What a whole training run needs to know."""

    total_steps: int = 300_000
    """budget; the learning rate falls to 0 over it"""
    num_envs: int = 64
    """environments that are played side by side, N"""
    n_steps: int = 64
    """steps per environment and rollout, T"""
    learning_rate: float = 0.02
    """of Adam, at the start; large, because the batches are large too"""
    hidden: int = 32
    """units of the hidden layer, in each of the two networks"""
    gamma: float = 0.99
    """discount"""
    gae_lambda: float = 0.95
    """lambda of GAE"""
    goal: float = 475.0
    """stop when the mean return of the last 100 episodes reaches this"""


def new_run(config: TrainConfig, seed: int) -> SimpleNamespace:
    """A fresh agent and all that belongs to it, made from one seed."""
    torch.manual_seed(seed)  # the initial weights
    generator = torch.Generator().manual_seed(seed)  # actions and minibatches
    envs = make_envs("CartPole-v1", num_envs=config.num_envs, seed=seed)
    obs_dim = envs.single_observation_space.shape[0]
    model = ActorCritic(obs_dim, int(envs.single_action_space.n), config.hidden)
    # fused: one call for all tensors; for networks this small, calls are what an update costs.
    optimizer = torch.optim.Adam(model.parameters(), lr=config.learning_rate, eps=1e-5, fused=True)
    collector = Collector(envs, generator)
    return SimpleNamespace(
        model=model, optimizer=optimizer, collector=collector, generator=generator
    )


def train(run: SimpleNamespace, config: TrainConfig):
    """Train in place until the goal or the end of the budget; return the monitor's history."""
    n_updates = config.total_steps // (config.num_envs * config.n_steps)
    with Monitor(config.total_steps, goal=config.goal, title="PPO on CartPole-v1") as monitor:
        for update in range(n_updates):
            learning_rate = linear_schedule(update, n_updates, config.learning_rate)
            for group in run.optimizer.param_groups:
                group["lr"] = learning_rate
            rollout, finished = run.collector.collect(
                run.model, config.n_steps, config.gamma, config.gae_lambda
            )
            statistics = ppo_update(run.model, run.optimizer, rollout, config, run.generator)
            monitor.episodes(finished, run.collector.env_steps)
            monitor.log(**statistics)
            if monitor.solved:
                break
    return monitor.history


# %% [markdown]
# First, the agent before any training. Its policy is close to a coin toss, but `act` always takes the action that is a little likelier, so it may push to one side only.

# %% tags=["skip-execution"]
config = TrainConfig()
run = new_run(config, seed=0)


def act(obs):
    """The agent's favorite action."""
    return int(numpy_policy(run.model)(obs).argmax())


replay(act, "CartPole-v1", seed=7)

# %% [markdown]
# Now train it. CartPole-v1 counts as solved when the mean return of 100 episodes in a row is at least 475, out of at most 500. The curve shows training episodes, with sampled actions.
#
# **Predict first.** How many environment steps will it take: ten thousand, a hundred thousand, a million? And which way will the entropy go?
#
# You may stop at any time with the square button or by pressing I twice; what was learned is kept.

# %% tags=["skip-execution"]
history = train(run, config)
save_run("lab5_ppo", "PPO", history)

# %% [markdown]
# And the same agent again, from the same start as before the training.

# %% tags=["skip-execution"]
replay(act, "CartPole-v1", seed=7)

# %% [markdown]
# <details><summary>It is not solved. What now?</summary>
#
# If all checks above are green, it should be, with any seed: in our measurements every one of 102 fresh seeds was, half of them within 130,000 steps, and all but one within 190,000. Run `run = new_run(config, seed=1)` and train again. If it still fails, go through "common mistakes" below from top to bottom.
# </details>

# %% [markdown]
# ## Part 8. What happens inside an update
#
# *About 150 minutes to here.*
#
# The mean of the ratio tells little. Here is its whole distribution after each epoch of *one* update, early in training, where the policy changes most.
#
# **Predict first.** $\epsilon$ is 0.2. After four epochs, do any ratios lie outside the band from 0.8 to 1.2? None, a few, or a sizeable share?

# %% tags=["skip-execution"]
with todo_guard():
    probe = new_run(config, seed=3)
    one_epoch = TrainConfig(epochs=1)
    ratios = []
    rollout, _ = probe.collector.collect(
        probe.model, config.n_steps, config.gamma, config.gae_lambda
    )
    for _ in range(config.epochs):
        ppo_update(probe.model, probe.optimizer, rollout, one_epoch, probe.generator)
        with torch.no_grad():
            log_probs = select_log_probs(probe.model(rollout["obs"])[0], rollout["actions"])
        ratios.append(probability_ratio(log_probs, rollout["log_probs"]))
    figures.show(
        figures.ratio_histogram(ratios, config.clip_epsilon),
        alt="Histograms of the probability ratio after each of four epochs. Most samples lie "
        "between 0.8 and 1.2, but in every epoch a visible part lies outside, up to 1.5.",
    )
    pulling = has_gradient(ratios[-1], standard(rollout), config.clip_epsilon)
    outside = (ratios[-1] - 1).abs() > config.clip_epsilon
    print(f"after the last epoch: {outside.float().mean():.1%} of the samples outside the band;")
    print(f"of these {pulling[outside].float().mean():.0%} still have a gradient, pulling back.")

# %% [markdown]
# <details><summary>Answer</summary>
#
# A sizeable share, and that already after the first epoch, which is two gradient steps. There are two kinds, and the last printed line counts them.
# Some have gone past their bound on the favorable side. Their own gradient is gone, but it vanished only once they were out: a single step can jump over the bound, and Adam's momentum carries on.
# The others have gone the wrong way. All samples are answered by one network, so the gradients of some move the ratios of all; these still pull back.
# Clipping limits the *incentive*, sample by sample; it does not fence in the policy.
# What does limit the change: few epochs, a moderate learning rate, gradient clipping, and, if you ask for it, the early stop at `target_kl`.
# </details>
#
# ### How to read the diagnostics
#
# | number | healthy in this lab | trouble, and what it usually means |
# |---|---|---|
# | `approx_kl` | about 0.004, at most 0.03 | 0.1 and more: the updates are too large. 0 in every update: the policy gets no gradient, or is compared with itself. |
# | `clip_fraction` | about 6 %, now and then up to 20 % | above one half: the batch is overused, or the old log-probabilities are not the old ones. |
# | `entropy` | from $\ln 2 \approx 0.69$ (two actions, a coin toss) down to about 0.45 | near 0: the policy always does the same. If the return is poor at the same time, the sign of a loss is the first suspect. |
# | `value_loss` | rises to about 80 as returns grow, then falls below 1 | stays high: the critic is not trained, or its targets contradict each other (time limits!). |
# | `policy_loss` | small, both signs, no trend | no measure of progress. With normalized advantages it is 0 at the first minibatch of every update, whatever the policy. |
# | mean return | rises, with dips | collapses after a good start: look at `approx_kl` in the updates before. |
#
# Compare with the small figures below your training curve. The ranges are what runs of *this* notebook show; other tasks have others.

# %% [markdown]
# ### Try it yourself (not graded)
#
# Change one number, predict, run. Each run takes a few seconds. Does it still learn? How large does the KL become?

# %% tags=["skip-execution"]
with todo_guard():
    experiment = TrainConfig(clip_epsilon=1e6)  # no clipping; then try epochs=20, target_kl=0.01
    train(new_run(experiment, seed=0), experiment)

# %% [markdown]
# <details><summary>What we saw, with seeds 0, 1 and 2</summary>
#
# Default settings, for comparison: solved after 122,000, 146,000 and 138,000 steps. Another machine or PyTorch version may give other numbers.
#
# - **No clipping:** two reached the goal, after 171,000 and 202,000 steps; the first was still short of it after 300,000. The KL of a single update went up to 0.7, against 0.013 with clipping. Sometimes the large steps are lucky; you cannot plan with them.
# - **20 epochs:** solved after 89,000 to 97,000 steps: each batch is used harder. The price is five times as many gradient steps per rollout.
# - **20 epochs with `target_kl=0.01`:** 101,000 to 122,000 steps, part of that gain: many updates now stop early.
#
# Three seeds show that something *can* happen. For a claim that one setting is better than another you need more of them.
# </details>
#
# ## Common mistakes
#
# We planted each of these in this very notebook and trained three seeds. Every run had the full budget of 300,000 steps.
#
# | planted mistake | what training looks like |
# |---|---|
# | `[B, 1]` against `[B]`, which broadcasts to `[B, B]` | return stays between 20 and 30; KL 0 in every update; entropy stays at 0.69. With standardized advantages the average over all *pairs* has almost no gradient. |
# | sign of the policy loss | return falls to 9, the worst possible; entropy 0 |
# | `max` where `min` belongs | up to about 60, then down to 9; KL above 0.7 |
# | old log-probabilities from the current model | the ratio in the loss is always 1, nothing is ever clipped; KL near 1 or above, clip fraction above 0.6, one seed of three solved |
# | advantages not shuffled together with the rest | return below 40, although KL and clip fraction look tame |
# | critic detached | return rises and falls again, at best to 400; value loss stays around 200 |
# | one minibatch per epoch instead of all | learns at about half the speed |
# | time limit treated as death | **solved.** But the value loss stays above 100, where it should fall below 1: whether the next step ends the episode cannot be seen in the observation |
# | gradients not cleared | **solved**, hardly slower |
# | entropy with the wrong sign, coefficient 0.1 | **solved**, with an entropy near 0.1 |
#
# Look at the last three. CartPole is forgiving, and a learning curve that goes up proves little. This is why the checks above looked at gradients and not at returns, and why you should look at the diagnostics even when the return is fine.

# %% [markdown]
# ## Part 9. Three methods, one pole
#
# *About 160 minutes to here.*
#
# REINFORCE of lab 2, A2C of lab 3 and PPO on the same task. The colored lines are reference runs that come with the course: the solutions of the three labs with their default settings, 20 seeds each; the line is the interquartile mean (the mean of the middle half), the band its 95 % bootstrap interval ([Agarwal et al. 2021](https://arxiv.org/abs/2108.13264) say why these two).
# The black lines are your own: each time you trained in one of the labs, the run was kept in the folder `results`.
#
# **Predict first.** Order the three by the environment steps they need to get to 475.

# %% tags=["skip-execution"]
own = {lab: [(r.env_steps, r.episode_returns) for r in load_runs(lab)[:3]] for lab in references()}
figures.show(
    figures.compare_methods(list(references().values()), own, goal=475, title="CartPole-v1"),
    alt="Mean return over environment steps for REINFORCE, A2C and PPO, each an interquartile mean "
    "over 20 seeds with a narrow band, and thin black lines for your own runs.",
)
print("your own runs:", ", ".join(f"{lab} {len(kept)}" for lab, kept in own.items()))

# %% [markdown]
# <details><summary>What to see here</summary>
#
# PPO and REINFORCE are both there after some 130,000 to 135,000 steps, and at 100,000 their bands overlap. A2C needs more than twice as many; at 300,000 steps, where the curves end, its mean is still just below the goal.
#
# That is not the order in which the methods were invented, and it is worth asking why. Count gradient steps. PPO and A2C here collect about 4,000 steps before each update (A2C plays 32 environments for 128 steps, PPO 64 for 64). A2C then takes *one* gradient step, so 24 in the first 100,000 steps. PPO takes eight from the same data: four epochs of two minibatches. REINFORCE updates after 32 episodes, and as long as the agent is bad these are short: its first updates cost some 700 steps each.
# So PPO's advantage over A2C is what the ratio and the clipping are for: to take several steps on one batch. And REINFORCE does well because CartPole suits it: short episodes at first, a reward at every step, 32 whole episodes in a batch as a baseline. Where episodes are long, or reward comes late, that is gone.
#
# If your own line lies outside the band: the band is where the *interquartile mean* of many runs probably lies. Single runs scatter more than that.
# </details>

# %% [markdown]
# ## Check your understanding
#
# *About 165 minutes to here.* Answer first, then open.
#
# **1.** In the very first minibatch of an update, with normalized advantages: what are the ratio, the clip fraction, the approximate KL and the policy loss? Is the gradient zero too?
#
# <details><summary>Answer</summary>
#
# The model is still the one that collected the data. All ratios are 1 (to rounding), the clip fraction and KL are 0, and the policy loss is minus the mean of the normalized advantages, which is 0.
# The gradient is *not* zero: it is exactly the policy gradient, the mean of $-\nabla \log \pi_\theta \hat A$. The value of this loss says nothing; its slope does.
# </details>
#
# **2.** A sample has $\hat A = -1$ and ratio 1.5, with $\epsilon = 0.2$. Does it have a gradient? Should it?
#
# <details><summary>Answer</summary>
#
# Yes. The two terms are $-1.5$ and $-1.2$; the minimum is $-1.5$, the unclipped one. A bad action has become more likely, and this sample pulls it back. If it were clipped, nothing would.
# </details>
#
# **3.** Someone writes the loss with the clipped term only, without the minimum. What is lost?
#
# <details><summary>Answer</summary>
#
# Then the gradient is zero in *four* of the six regions: also where a good action has become too rare or a bad one too frequent. Samples that were dragged the wrong way by the others could no longer object.
# </details>
#
# **4.** Set `epochs=1` and the minibatch size to the whole batch. What is left of PPO?
#
# <details><summary>Answer</summary>
#
# A single step at ratio 1, where clipping does nothing and the gradient is the policy gradient: the advantage actor-critic of lab 3, but for how the advantages are estimated and normalized ([Huang et al. 2022](https://arxiv.org/abs/2205.09123) show the equivalence with A2C in detail).
# </details>
#
# **5.** After an update the approximate KL is 0.004. Can you conclude that all ratios are inside the band?
#
# <details><summary>Answer</summary>
#
# No. It is a mean. At ratio 1.5 a sample contributes $0.5 - \ln 1.5 \approx 0.095$; four such samples among a hundred that stayed at ratio 1 give a mean of about 0.004.
# </details>
#
# **6.** Why are the states a problem that the ratio does not solve?
#
# <details><summary>Answer</summary>
#
# The ratio reweights actions at the states in the batch. The new policy may go to other states, about which the batch says nothing. The error this causes is small only as long as the policies are close, which is the reason for any kind of trust region ([Schulman et al. 2015](https://arxiv.org/abs/1502.05477)).
# </details>

# %% [markdown]
# ## A question in your own words (4 points, graded by your instructor)
#
# **Why may PPO use one batch for several epochs, although the policy gradient theorem speaks only of the policy that collected it? When does the argument fail, and by which two numbers would you notice?**
#
# Six to ten sentences. Name what corrects for the difference between the policies, what it does not correct, and what keeps the two close.

# %% [markdown] nbgrader={"grade": true, "grade_id": "why_reuse", "locked": false, "points": 4, "schema_version": 3, "solution": true, "task": false}
# **Model answer.** The batch was drawn from $\pi_{\theta_\text{old}}$. Weighting each sample with the ratio $\pi_\theta / \pi_{\theta_\text{old}}$ turns the average over the old policy's actions into one over the new policy's actions, so that the surrogate objective still points in a useful direction after the first step; at ratio 1 its gradient equals the policy gradient. The states remain those of the old policy, and the advantages were estimated for it; neither is corrected. Both errors are small as long as the policies are close. Clipping helps to keep them close: it removes the gradient of samples that are already past the bound on the favorable side, so that further epochs have no incentive to go on. It is not a constraint: shared weights and momentum can carry ratios far outside the band, and then the argument fails, as it does with too many epochs, too large a learning rate, or data from much older policies. One notices by the approximate KL (growing, or large) and the clip fraction (a large share of samples outside the band); a falling return comes later.
#
# **Marking.** 1 point: the ratio corrects for the change of the action probabilities. 1 point: states (or advantages) are not corrected, hence the policies must stay close. 1 point: clipping removes the incentive and is no guarantee. 1 point: two suitable diagnostics, with a situation in which they would show it.

# %% [markdown]
# ## Where the 13 core implementation details stand
#
# Huang et al. list 37 details of the reference implementation of PPO, 13 of them as core ([The 37 Implementation Details of Proximal Policy Optimization](https://iclr-blog-track.github.io/2022/03/25/ppo-implementation-details/), ICLR blog track 2022). Here is each, and where it is in this notebook.
#
# | | detail | in this notebook |
# |---|---|---|
# | 1 | vectorized architecture | yes: `Collector`, 64 environments of 64 steps each, carried on from rollout to rollout |
# | 2 | orthogonal weights, constant biases | no: PyTorch's default is enough for CartPole; you write it in lab 6 |
# | 3 | Adam with `eps=1e-5` | yes: `new_run` |
# | 4 | learning rate annealing | yes: `linear_schedule` |
# | 5 | generalized advantage estimation | yes: `gae`; unlike the reference implementation, time limits bootstrap |
# | 6 | minibatch updates | yes: `minibatch_indices` |
# | 7 | normalization of advantages, per minibatch | yes: `ppo_update` |
# | 8 | clipped surrogate objective | yes: `clipped_surrogate_loss` |
# | 9 | value loss clipping | written (`clipped_value_loss`), not used: see part 5 |
# | 10 | overall loss and entropy bonus | yes: `ppo_update`; the coefficient is 0 here, CartPole explores enough without |
# | 11 | global gradient clipping | yes: `max_grad_norm` |
# | 12 | debug variables | yes: the five statistics, with $k_3$ for the KL (Huang et al. describe $k_1$; [OpenAI's code](https://github.com/openai/baselines/blob/master/baselines/ppo2/model.py) averages $(\log r)^2 / 2$) |
# | 13 | shared or separate networks | separate: `ActorCritic`; with a shared trunk the critic's much larger gradients could disturb the policy |

# %% [markdown]
# ## The way on to language models
#
# PPO is one of the algorithms with which language models have been tuned to human preferences ([Ziegler et al. 2019](https://arxiv.org/abs/1909.08593), [Ouyang et al. 2022](https://arxiv.org/abs/2203.02155)). In lab 8 you will do it with a small model. What carries over:
#
# | here | there |
# |---|---|
# | observation | the prompt and the tokens so far |
# | action | the next token |
# | reward at each step | a score from a reward model, for the complete response |
# | ratio per action | ratio per token |
# | critic `[B]` | a value for each token position |
#
# **Two anchors, not one.** The ratio compares with the policy *that collected this batch*. It is replaced at every update, so at best it restrains each step, never the journey: after many updates the policy can be anywhere.
# For language models that is not enough, because a policy that drifts far from natural text finds ways to please the reward model that no human would like. So there is a second anchor, a *frozen* copy of the model from before the tuning. The KL divergence to it is subtracted from the reward, during the whole run. Do not confuse the two: the first belongs to PPO, the second to the task.
#
# **Why a policy gradient at all?** Not because a value for each of 50,000 tokens would be too expensive: the output layer of a language model has one number per token anyway. Better reasons: there is a good policy to start from, the reward is for a whole sequence, and the objective contains the KL divergence between policies.
#
# **And not only PPO.** [DPO](https://arxiv.org/abs/2305.18290) learns from recorded preferences, without a reward model and without sampling during the training; [RLOO](https://arxiv.org/abs/2402.14740) and [GRPO](https://arxiv.org/abs/2402.03300) replace the critic by other samples for the same prompt. GRPO keeps the clipped ratio that you have written here.

# %% [markdown]
# ## Further reading
#
# - Schulman, Wolski, Dhariwal, Radford, Klimov 2017, [Proximal Policy Optimization Algorithms](https://arxiv.org/abs/1707.06347). Twelve pages; sections 3 and 5 are what you have built.
# - Schulman, Levine, Moritz, Jordan, Abbeel 2015, [Trust Region Policy Optimization](https://arxiv.org/abs/1502.05477). The trust region that PPO imitates with simpler means.
# - Huang et al. 2022, [The 37 Implementation Details of Proximal Policy Optimization](https://iclr-blog-track.github.io/2022/03/25/ppo-implementation-details/).
# - Engstrom et al. 2020, [Implementation Matters in Deep Policy Gradients](https://arxiv.org/abs/2005.12729), and Andrychowicz et al. 2020, [What Matters in On-Policy Reinforcement Learning?](https://arxiv.org/abs/2006.05990). How much of PPO's success is the clipping, and how much is everything else.
# - Wang, He, Tan 2019, [Truly Proximal Policy Optimization](https://arxiv.org/abs/1903.07940). What clipping does not guarantee.
# - Pardo, Tavakoli, Levdik, Kormushev 2018, [Time Limits in Reinforcement Learning](https://arxiv.org/abs/1712.00378).
# - Schulman 2020, [Approximating KL Divergence](http://joschu.net/blog/kl-approx.html).
