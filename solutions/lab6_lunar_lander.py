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
# # Lab 6: PPO in practice, on the moon
#
# In lab 5 PPO learned to balance a pole. Here it lands a spacecraft, in seconds and on your own machine. The algorithm stays as it is, your own if you have written lab 5; what you write in this lab is what stands around it in practice: how the network starts, how experience is collected from many environments at once, how an agent is evaluated, and how much a result says.
#
# **When you are done you will be able to**
#
# - start a policy close to uniform and a critic close to zero, and say why that helps,
# - collect rollouts from a vector environment without mixing up episodes,
# - evaluate an agent so that anybody gets the same numbers again,
# - train an agent that lands, and say which of PPO's many details it needed,
# - sum up several runs by one robust number, and say how far it may be off.
#
# **What you need.** PyTorch, and labs 1 to 5. What earlier labs asked you to write is given below as worked code; your own PPO functions of lab 5 are used where they pass their checks.
#
# **Time.** About three hours. Each part says how many minutes it takes to get there.
#
# **Points.** 26 for the five exercises, 6 for your agent, 4 for one question in your own words.
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
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from course_utils import figures
from course_utils.ablation import CHANGES, ablation, run_again
from course_utils.checks import checker
from course_utils.earlier import own_functions
from course_utils.environments import make_env, make_envs
from course_utils.execution import todo_guard
from course_utils.hyperparameter_explorer import hyperparameter_explorer
from course_utils.policies import check_policy, save_policy
from course_utils.replay import replay
from course_utils.runs import load_runs, save_run
from course_utils.scaling import scaling
from course_utils.training import Monitor

check = checker("lab6_lunar_lander")

# %% [markdown]
# ## Notation and conventions
#
# They hold in every exercise of this lab.
#
# | symbol | in code | meaning |
# |---|---|---|
# | $s_t$ | `obs[t]` | what the environments show before step $t$ |
# | $a_t$ | `actions[t]` | action of step $t$ |
# | $\log \pi(a_t \mid s_t)$ | `log_probs[t]` | its log-probability, under the policy that played |
# | $r_t$ | `rewards[t]` | reward of step $t$ |
# | $V(s_t)$ | `values[t]` | what the critic says before step $t$ |
# | $V(s_{t+1})$ | `next_values[t]` | what the critic says of the state that step $t$ *really* led to |
#
# - **Shapes.** A rollout of $T$ steps in $N$ environments is `[T, N]`, observations are `[T, N, O]`. $A$ is the number of actions, $R$ a number of returns.
# - **Time.** Index $t$ always describes transition $t$. `terminated[t]` means that the task ended with this step, `truncated[t]` that time was up.
# - **Types.** Numbers are `float32`, flags `bool`, actions `int64`.
# - **Randomness** comes from the `torch.Generator` or the seed that is passed in. Only where a function has neither, it comes from PyTorch's global generator.
# - **Inputs** are never changed in place, and a function uses its arguments, not variables of the notebook.

# %% [markdown]
# ## From labs 1, 3 and 4, given
#
# Nothing here needs changing. You may call these functions in your exercises.


# %%
def select_log_probs(logits: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
    """Log-probability of each row's action (lab 1): logits [B, A], actions [B] -> [B]."""
    # Actions first: over a last axis of only four entries PyTorch's softmax is slow.
    log_p = logits.T.log_softmax(dim=0)
    return log_p.gather(0, actions.unsqueeze(0)).squeeze(0)


def sample_actions(logits: torch.Tensor, generator: torch.Generator):
    """Draw an action for each row (lab 1): logits [B, A] -> actions [B], log_probs [B]."""
    actions = torch.multinomial(logits.softmax(dim=-1), 1, generator=generator).squeeze(1)
    return actions, select_log_probs(logits, actions)


def true_next_obs(next_obs: np.ndarray, infos: dict, done: np.ndarray) -> np.ndarray:
    """What the step really led to (lab 4): the final observation where an episode ended."""
    result = next_obs.copy()
    for n in np.flatnonzero(done):
        result[n] = infos["final_obs"][n]
    return result


def categorical_entropy(logits: torch.Tensor) -> torch.Tensor:
    """Entropy of the policy at each observation, in nats (lab 3): [B, A] -> [B]."""
    log_p = logits.T.log_softmax(dim=0)
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
# ## Part 1. How a network starts
#
# *About 5 minutes to here.*
#
# A layer multiplies its input by a matrix $W$. With independent random entries, $W$ stretches some directions much more than others, and after a few layers the largest stretches have multiplied. A matrix with **orthonormal** rows or columns stretches every direction by the same factor: it is a rotation, as far as its shape allows. Multiply it by a *gain* and you know by how much a layer changes the length of what passes through. [Saxe et al. 2014](https://arxiv.org/abs/1312.6120) study such a start for deep linear networks.
#
# Implementations of PPO use it with three gains ([Huang et al. 2022, detail 2](https://iclr-blog-track.github.io/2022/03/25/ppo-implementation-details/)): $\sqrt{2}$ for hidden layers, 1 for the critic's output, and 0.01 for the policy's output, so that all logits are nearly equal at the start and every action is tried. All biases start at zero.
#
# ### Exercise 1: `orthogonal_linear`
#
# *Difficulty 1 of 5, about 10 minutes, importance 3 of 5. 3 points.*
#
# Make a linear layer whose weight is `gain` times a random orthogonal matrix and whose bias is zero. With $W$ of shape `[n_out, n_in]`:
#
# $$W W^\top = \text{gain}^2 I \quad\text{if } n_\text{out} \le n_\text{in}, \qquad W^\top W = \text{gain}^2 I \quad\text{otherwise}$$
#
# Both are parameters like any other: training may move them wherever it likes.


# %% nbgrader={"grade": false, "grade_id": "orthogonal_linear", "locked": false, "schema_version": 3, "solution": true, "task": false}
def orthogonal_linear(n_in: int, n_out: int, gain: float) -> nn.Linear:
    """A linear layer with an orthogonal start (Saxe et al. 2014).

    Args:
        n_in: number of inputs.
        n_out: number of outputs.
        gain: factor by which the layer changes the length of what passes through, above 0.

    Returns:
        The layer: weight [n_out, n_in], gain times a matrix with orthonormal rows
        (n_out <= n_in) or columns, drawn anew at each call; bias [n_out], zeros.
    """
    ### BEGIN SOLUTION
    layer = nn.Linear(n_in, n_out)
    nn.init.orthogonal_(layer.weight, gain)
    nn.init.zeros_(layer.bias)
    return layer
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_orthogonal_linear", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check("orthogonal_linear", orthogonal_linear)
### BEGIN HIDDEN TESTS
from autograde.hidden import hidden_test

hidden_test("lab6_lunar_lander/orthogonal_linear", orthogonal_linear)
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# Make an ordinary layer and overwrite the numbers it starts with.
# </details>
# <details><summary>Hint 2: where to look</summary>
#
# [`torch.nn.init`](https://docs.pytorch.org/docs/stable/nn.init.html) has functions that fill a tensor in place; their names end in an underscore. One of them takes a gain.
# </details>
# <details><summary>Hint 3: almost code</summary>
#
# Three steps: `nn.Linear(n_in, n_out)`; fill its `.weight` by the orthogonal function of `nn.init`, with the gain; fill its `.bias` with zeros. Return the layer.
# </details>
# <details><summary>Help, I get "a leaf Variable that requires grad is being used in an in-place operation"</summary>
#
# Writing into a parameter by hand needs `with torch.no_grad():` around it. The functions of `nn.init` take care of that themselves.
# </details>
# <details><summary>Help, I get "cannot assign 'torch.FloatTensor' as parameter 'weight'"</summary>
#
# A layer keeps its weight as an `nn.Parameter`. Copy your numbers into the one that is there (`layer.weight.copy_(...)`, under `torch.no_grad()`), or wrap them in `nn.Parameter`.
# </details>

# %% [markdown]
# With your layer, the agent of this lab: an actor and a critic that share nothing.


# %%
class ActorCritic(nn.Module):
    """Two separate networks with two hidden layers each: logits and a value (lab 3)."""

    def __init__(self, obs_dim: int, n_actions: int, hidden: int = 64, orthogonal: bool = True):
        super().__init__()

        def layer(n_in: int, n_out: int, gain: float) -> nn.Linear:
            return orthogonal_linear(n_in, n_out, gain) if orthogonal else nn.Linear(n_in, n_out)

        def network(n_out: int, gain: float) -> nn.Sequential:
            return nn.Sequential(
                layer(obs_dim, hidden, 2**0.5),
                nn.ReLU(),
                layer(hidden, hidden, 2**0.5),
                nn.ReLU(),
                layer(hidden, n_out, gain),
            )

        self.actor = network(n_actions, 0.01)
        self.critic = network(1, 1.0)

    def forward(self, obs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Map observations [..., O] to logits [..., A] and values [...]."""
        return self.actor(obs), self.critic(obs).squeeze(-1)


# %% [markdown]
# **Predict first.** LunarLander has four actions. How likely is the likeliest of them, in the eyes of a new agent? And how likely would it be if the last layer had gain 1, or 10?

# %% tags=["skip-execution"]
with todo_guard():
    torch.manual_seed(0)
    obs = torch.randn(1000, 8)
    for gain in (0.01, 1.0, 10.0):
        actor = ActorCritic(8, 4).actor
        actor[-1] = orthogonal_linear(64, 4, gain)
        with torch.no_grad():
            likeliest = actor(obs).softmax(dim=-1).max(dim=-1).values.mean()
        print(f"gain {gain:5}: the likeliest action has probability {likeliest:.2f} on average")

# %% [markdown]
# <details><summary>Answer</summary>
#
# With gain 0.01 it is 0.25, one in four. With gain 1 there are favorites already, and with gain 10 the new agent is nearly always sure of itself, for no reason. What it is sure of it hardly varies, and so it has little to learn from.
# </details>

# %% [markdown]
# ## Part 2. Collecting experience
#
# *About 20 minutes to here.*
#
# PPO learns from rollouts: $T$ steps of $N$ environments that play side by side. Each rollout goes on where the last one stopped, so an episode may begin in one rollout and end in the next.
# Our environments reset themselves in the step in which an episode ends (Gymnasium calls this [`SAME_STEP`](https://gymnasium.farama.org/main/api/vector/autoreset/)). What they return is the first observation of the *next* episode; the final one is in `infos["final_obs"]`, and `true_next_obs` gets it out.
#
# ### Exercise 2: `collect_rollout`
#
# *Difficulty 4 of 5, about 30 minutes, importance 5 of 5. 10 points.*
#
# Play `n_steps` in every environment and write down all that PPO needs.
#
# - The environments are running: `obs` is what they show now. They are not reset here, and what they show last is returned for the next call.
# - Each step: one forward pass, actions drawn from `softmax(logits)` with the `generator`, one `envs.step`.
# - `next_values` come from the observation that the step really led to. This holds at every end, terminated or truncated; what a terminated step may count is for `gae` to decide, which gets the flags.
# - A rollout is data: nothing in it has a graph.
# - For speed, environments may write each observation into one and the same array (`copy=False` of Gymnasium's [`SyncVectorEnv`](https://gymnasium.farama.org/main/api/vector/sync_vector_env/)). What you keep must not change when they go on.


# %% nbgrader={"grade": false, "grade_id": "collect_rollout", "locked": false, "schema_version": 3, "solution": true, "task": false}
def collect_rollout(
    envs, model: nn.Module, obs: np.ndarray, n_steps: int, generator: torch.Generator
) -> tuple[dict[str, torch.Tensor], np.ndarray]:
    """Play n_steps in N environments that reset themselves in the step that ends an episode.

    Args:
        envs: a gymnasium VectorEnv in SAME_STEP mode; actions go in as int64 [N], as NumPy array.
        model: model(obs [N, O]) -> (logits [N, A], values [N]).
        obs: [N, O], float32, what the environments show now.
        n_steps: T.
        generator: the only source of randomness.

    Returns:
        (rollout, obs): a dict of tensors without graph, and what the environments show now.
        The rollout holds, each [T, N]: actions (int64), log_probs (of these actions), rewards,
        values (of obs), next_values (of the true next observation), all float32, terminated and
        truncated (bool); and obs [T, N, O], float32.
    """
    ### BEGIN SOLUTION
    steps = []
    for _ in range(n_steps):
        shown = torch.tensor(obs, dtype=torch.float32)  # a copy: the array may be used again
        with torch.no_grad():
            logits, values = model(shown)
            actions, log_probs = sample_actions(logits, generator)
            obs, rewards, terminated, truncated, infos = envs.step(actions.numpy())
            reached = true_next_obs(obs, infos, terminated | truncated)
            next_values = model(torch.tensor(reached, dtype=torch.float32))[1]
        steps.append(
            {
                "obs": shown,
                "actions": actions,
                "log_probs": log_probs,
                "rewards": torch.tensor(rewards, dtype=torch.float32),
                "terminated": torch.tensor(terminated),
                "truncated": torch.tensor(truncated),
                "values": values,
                "next_values": next_values,
            }
        )
    return {name: torch.stack([step[name] for step in steps]) for name in steps[0]}, obs
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_collect_rollout", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
check("collect_rollout", collect_rollout)
### BEGIN HIDDEN TESTS
from autograde.hidden import hidden_test

hidden_test("lab6_lunar_lander/collect_rollout", collect_rollout)
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# A loop over the steps, a list that gets one entry per step for each of the eight names, and at the end `torch.stack` for each name. Write row t completely before the loop goes on: the observation *before* the step, the action, what came of it.
# </details>
# <details><summary>Hint 2: the order within a step</summary>
#
# 1. Copy `obs` into a tensor.
# 2. Logits and values from the model; actions and their log-probabilities from the logits.
# 3. `envs.step` with the actions as NumPy array.
# 4. The true next observation, and its value.
# 5. Note all eight; `obs` becomes what `envs.step` returned, not the true next observation.
# </details>
# <details><summary>Hint 3: almost code</summary>
#
# `torch.tensor(obs)` copies, `torch.from_numpy(obs)` and `torch.as_tensor(obs)` share memory with the array. `sample_actions(logits, generator)` gives actions and log-probabilities in one call. `envs.step(actions.numpy())` returns observations, rewards (as float64: turn them into float32), terminated, truncated, infos. `true_next_obs(obs, infos, terminated | truncated)` is NumPy in and out. Put both calls of the model under `with torch.no_grad():`.
# </details>
# <details><summary>Help, all rows of obs are the same</summary>
#
# They are one array that the environments overwrite at each step. Copy it before you keep it.
# </details>
# <details><summary>Help, everything is right except next values where an episode ends</summary>
#
# What `envs.step` returns is the first observation of the next episode there. `true_next_obs` needs a mask that is set at *either* flag.
# </details>
# <details><summary>Help, I get "tensor(2) is no action" or an AssertionError from step</summary>
#
# Gymnasium wants NumPy: `actions.numpy()`.
# </details>
# <details><summary>Help, training stops with "Inference tensors cannot be saved for backward"</summary>
#
# `torch.inference_mode()` marks everything made under it as useless for training, and the update needs the observations again. Use `torch.no_grad()`.
# </details>

# %% [markdown]
# A look at what you collected, with a new agent in four landers. Row 0 is the first step.

# %% tags=["skip-execution"]
with todo_guard():
    torch.manual_seed(0)
    envs = make_envs("LunarLander-v3", num_envs=4, seed=0)
    model = ActorCritic(8, 4)
    obs, _ = envs.reset()
    rollout, obs = collect_rollout(envs, model, obs, 128, torch.Generator().manual_seed(0))
    for name, entry in rollout.items():
        print(f"{name:12} {list(entry.shape)!s:14} {entry.dtype}")
    print("episodes that ended:", int((rollout["terminated"] | rollout["truncated"]).sum()))

# %% [markdown]
# ## Part 3. Evaluating an agent
#
# *About 55 minutes to here.*
#
# The returns of training episodes are not the quality of an agent. The policy changed while they were collected, and it explored. So we stop training and play fresh episodes. Each has a seed of its own, and the seed fixes everything: the terrain and the first push of the lander, and, if actions are drawn, the draws. Whoever has the weights and the seeds gets the same returns again.
#
# ### Exercise 3: `evaluate`
#
# *Difficulty 2 of 5, about 20 minutes, importance 4 of 5. 6 points.*
#
# Play one full episode per seed, to its end, be it terminated or truncated. The return here is the plain sum of rewards, without discount.
# With `deterministic` the policy takes its likeliest action; otherwise actions are drawn from `softmax(logits)`.


# %% nbgrader={"grade": false, "grade_id": "evaluate", "locked": false, "schema_version": 3, "solution": true, "task": false}
def evaluate(policy, env_id: str, seeds: list[int], deterministic: bool) -> torch.Tensor:
    """Return of one full episode for each seed.

    Args:
        policy: policy(obs [B, O], a float32 tensor) -> logits [B, A], or (logits, values).
        env_id: Gymnasium's name of the environment, for `make_env`.
        seeds: one for each episode. It seeds the environment and, if actions are drawn, the
            draws, so that its return depends on this seed alone.
        deterministic: True: the likeliest action. False: actions drawn from the policy.

    Returns:
        float32 [len(seeds)], the undiscounted returns, in the order of the seeds (an array or a
        list will do as well).
    """
    ### BEGIN SOLUTION
    env = make_env(env_id)
    returns = []
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)
        obs = env.reset(seed=seed)[0]
        total, over = 0.0, False
        while not over:
            with torch.no_grad():
                logits = policy(torch.tensor(obs, dtype=torch.float32).unsqueeze(0))
            if isinstance(logits, tuple):
                logits = logits[0]
            if deterministic:
                action = logits.argmax(dim=-1)
            else:
                action, _ = sample_actions(logits, generator)
            obs, reward, terminated, truncated, _ = env.step(action.item())
            total += reward
            over = terminated or truncated
        returns.append(total)
    env.close()
    return torch.tensor(returns, dtype=torch.float32)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_evaluate", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
check("evaluate", evaluate)
### BEGIN HIDDEN TESTS
from autograde.hidden import hidden_test

hidden_test("lab6_lunar_lander/evaluate", evaluate)
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# A loop over the seeds, and in it a loop over the steps of one episode. Whatever belongs to an episode is made at its beginning, from its seed.
# </details>
# <details><summary>Hint 2: the pieces</summary>
#
# `make_env(env_id)` makes an environment, `env.reset(seed=seed)` gives its first observation `[O]`. The policy wants a batch: `unsqueeze(0)` makes it `[1, O]`. Its output may be a pair. An episode is over at *either* flag.
# </details>
# <details><summary>Hint 3: almost code</summary>
#
# For each seed: a `torch.Generator().manual_seed(seed)`, a reset with this seed, a sum of 0. Until the episode is over: logits (the first part if `isinstance(output, tuple)`), then `argmax` over the last dimension or `sample_actions(logits, generator)`, then `env.step(action.item())` and the reward to the sum.
# </details>
# <details><summary>Help, the returns are not the same when it is done again</summary>
#
# Something draws from a global stream: `Categorical(...).sample()` and `torch.multinomial` without `generator=`, or `env.reset()` without a seed.
# </details>
# <details><summary>Help, it does not come to an end</summary>
#
# Some environments are ended by their time limit only. Then `terminated` stays False for ever, and `truncated` says that it is over.
# </details>

# %% [markdown]
# **Predict first.** The agent is new and nearly uniform. Which of its two returns will be worse on average: that of its likeliest actions, or that of drawn ones?

# %% tags=["skip-execution"]
with todo_guard():
    torch.manual_seed(0)
    model = ActorCritic(8, 4)
    greedy = torch.as_tensor(evaluate(model, "LunarLander-v3", range(20), True))
    drawn = torch.as_tensor(evaluate(model, "LunarLander-v3", range(20), False))
    print(
        f"likeliest action: mean return {greedy.mean():.0f}, from {greedy.min():.0f} to {greedy.max():.0f}"
    )
    print(
        f"drawn actions:    mean return {drawn.mean():.0f}, from {drawn.min():.0f} to {drawn.max():.0f}"
    )

# %% [markdown]
# <details><summary>Answer</summary>
#
# Probabilities that are nearly equal still have a largest one. Taking it means doing the same thing in the same place every time, and with an untrained network that is a decision for no reason; whether it happens to be a harmless one depends on the seed of the *network*. Try other seeds in the first line. The drawn actions are close to uniform whatever the network.
# </details>

# %% [markdown]
# ## Part 4. Landing
#
# *About 75 minutes to here.*
#
# In [LunarLander-v3](https://gymnasium.farama.org/environments/box2d/lunar_lander/) a craft drops toward a landing pad, with a random push at the start. It sees eight numbers: position, velocity, angle, angular velocity, and whether each leg touches the ground. It has four actions: nothing, left engine, main engine, right engine.
# Reward comes for getting closer to the pad, slower and upright, and for each leg on the ground; fuel costs a little. A crash gives $-100$, coming to rest $+100$. An episode ends with either, or after 1000 steps. An agent with a mean return of 200 counts as having solved it.
#
# Three things make this harder than the pole. A large part of the reward comes only at the end. Hovering is safe and earns nothing, but crashing is what an agent that tries to land does first. And the simulation is expensive: a step of it costs as much as thirty of CartPole's.
#
# ### The update: yours, if you have it
#
# The cell below holds worked versions of what lab 5 asks for. It is folded: if lab 5 is still ahead of you, you may want to leave it so. The cell after it looks for your own lab 5 notebook, runs the checks of its functions, and takes every function that passes.


# %% jupyter={"source_hidden": true}
# Worked versions from lab 5. A click on the bar beside this cell folds it again.
def probability_ratio(new_log_probs: torch.Tensor, old_log_probs: torch.Tensor) -> torch.Tensor:
    """Probability ratio r of the new policy to the old one, sample by sample."""
    old = old_log_probs.detach()
    return (new_log_probs - old).exp()


def clipped_surrogate_loss(
    new_log_probs: torch.Tensor,
    old_log_probs: torch.Tensor,
    advantages: torch.Tensor,
    clip_epsilon: float,
) -> torch.Tensor:
    """PPO's clipped policy loss, minus L^CLIP (Schulman et al. 2017, equation 7)."""
    advantages = advantages.detach()
    ratio = probability_ratio(new_log_probs, old_log_probs)
    unclipped = ratio * advantages
    clipped = ratio.clamp(1 - clip_epsilon, 1 + clip_epsilon) * advantages
    return -torch.minimum(unclipped, clipped).mean()


def approx_kl(new_log_probs: torch.Tensor, old_log_probs: torch.Tensor) -> float:
    """Estimate KL[pi_old, pi_new] from samples of the old policy, with the k3 estimator."""
    log_ratio = (new_log_probs - old_log_probs).detach()
    return (torch.expm1(log_ratio) - log_ratio).mean().item()


def minibatch_indices(batch_size: int, minibatch_size: int, generator: torch.Generator):
    """One epoch of shuffled minibatches."""
    order = torch.randperm(batch_size, generator=generator)
    return iter(order.split(minibatch_size))


def linear_schedule(update: int, n_updates: int, initial: float) -> float:
    """Linearly falling value: `initial` at update 0, 0 at update == n_updates."""
    return initial * (1 - update / n_updates)


def ppo_update(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    rollout: dict[str, torch.Tensor],
    config,
    generator: torch.Generator,
) -> dict[str, float]:
    """Train the model on one rollout, in place."""
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


WORKED = {
    function.__name__: function
    for function in (
        probability_ratio,
        clipped_surrogate_loss,
        approx_kl,
        minibatch_indices,
        linear_schedule,
        ppo_update,
    )
}
ppo = SimpleNamespace(**WORKED)

# %% tags=["skip-execution"]
ppo = own_functions("lab5_ppo", WORKED)

# %% [markdown]
# ### The loop: given
#
# The rest is lab 5's training with your `collect_rollout` in it. Five functions; read them once. Each line with a `config` in it is a choice that somebody made. In part 6 you see which of them mattered.
#
# Two things are new.
# A run has a `model`, which learns, and an `agent`, which is handed in: its weights are a running average of the model's over the last few updates ([`AveragedModel`](https://docs.pytorch.org/docs/stable/optim.html#weight-averaging-swa-and-ema)). Each update goes a little too far, now in this direction and then in that, and now and then one of them makes a good policy bad. The average takes out most of that, and costs nothing.
# And training does not end when the training returns are good enough. They come from drawn actions, and there are policies that land as long as they draw, and hover until time is up when they take their likeliest action; we met one that did so in 80 of 100 episodes. So the agent has to pass a trial of 20 greedy episodes, with seeds that are used for nothing else.


# %%
@dataclass
class TrainConfig:
    """What a whole training run needs to know, and what one PPO update in it needs."""

    env_id: str = "LunarLander-v3"
    """Gymnasium's name of the environment"""
    total_steps: int = 200_000
    """budget of environment steps; the learning rate falls to 0 over it"""
    num_envs: int = 16
    """environments that are played side by side, N"""
    n_steps: int = 256
    """steps per environment and rollout, T"""
    epochs: int = 8
    """passes over a rollout"""
    minibatch_size: int = 512
    """samples per gradient step"""
    learning_rate: float = 0.003
    """of Adam, at the start"""
    anneal: bool = True
    """let the learning rate fall"""
    gamma: float = 0.999
    """discount: a landing that is 300 steps away still counts three quarters"""
    gae_lambda: float = 0.95
    """lambda of GAE"""
    clip_epsilon: float = 0.2
    """half-width of the band around ratio 1"""
    value_coef: float = 0.5
    """weight of the value loss"""
    entropy_coef: float = 0.0
    """weight of the entropy bonus; part 6 says why there is none"""
    max_grad_norm: float = 0.5
    """largest norm of the gradient over all parameters"""
    normalize_advantages: bool = True
    """per minibatch"""
    target_kl: float | None = None
    """stop an update when the approximate KL passes this"""
    reward_scale: float = 0.05
    """what rewards are multiplied with before they train the critic"""
    bootstrap_time_limits: bool = True
    """False: treat a time limit as the end of the task"""
    orthogonal: bool = True
    """False: PyTorch's own start"""
    hidden: int = 64
    """units in each hidden layer"""
    averaging: float = 0.8
    """after each update the agent keeps this share of its weights; the rest comes from the model"""
    goal: float | None = 200.0
    """mean return of the last 100 training episodes at which the task counts as solved"""
    trial_episodes: int = 20
    """then the agent has to pass a trial of so many greedy episodes; 0: no trial"""
    trial_goal: float = 220.0
    """mean return of the trial at which training ends; above the goal, since 20 are few"""


def new_run(config: TrainConfig, seed: int) -> SimpleNamespace:
    """A fresh agent and all that belongs to it, made from one seed."""
    torch.manual_seed(seed)  # the initial weights
    envs = make_envs(config.env_id, config.num_envs, seed)
    obs, _ = envs.reset()
    n_actions = int(envs.single_action_space.n)
    model = ActorCritic(obs.shape[1], n_actions, config.hidden, config.orthogonal)
    return SimpleNamespace(
        model=model,
        agent=AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(config.averaging)),
        # fused: one call for all parameters, where each would cost as much as its arithmetic
        optimizer=torch.optim.Adam(model.parameters(), config.learning_rate, eps=1e-5, fused=True),
        generator=torch.Generator().manual_seed(seed),  # actions and minibatches
        envs=envs,
        obs=obs,
        scores=torch.zeros(config.num_envs),  # return so far of the episode under way
        env_steps=0,
    )


def to_batch(rollout: dict[str, torch.Tensor], config: TrainConfig) -> dict[str, torch.Tensor]:
    """A rollout [T, N] as the flat batch [T * N] that an update takes."""
    terminated, truncated = rollout["terminated"], rollout["truncated"]
    if not config.bootstrap_time_limits:
        terminated = terminated | truncated
    advantages, returns = gae(
        rollout["rewards"] * config.reward_scale,
        rollout["values"],
        rollout["next_values"],
        terminated,
        truncated,
        config.gamma,
        config.gae_lambda,
    )
    batch = {name: rollout[name] for name in ("obs", "actions", "log_probs", "values")}
    batch |= {"advantages": advantages, "returns": returns}
    return {name: tensor.flatten(0, 1) for name, tensor in batch.items()}


def finished_returns(rollout: dict[str, torch.Tensor], scores: torch.Tensor) -> list[float]:
    """Returns of the episodes that end in this rollout. scores [N] carries the others on."""
    finished = []
    done = rollout["terminated"] | rollout["truncated"]
    for rewards, ends in zip(rollout["rewards"], done, strict=True):
        scores += rewards
        finished += scores[ends].tolist()
        scores[ends] = 0.0
    return finished


def passes_trial(agent: nn.Module, config: TrainConfig) -> bool:
    """Whether the agent lands without exploring, in episodes that are kept for this purpose."""
    if not config.trial_episodes:
        return True
    seeds = range(500_000, 500_000 + config.trial_episodes)
    returns = torch.as_tensor(evaluate(agent, config.env_id, seeds, True))
    return returns.mean().item() >= config.trial_goal


def train(run: SimpleNamespace, config: TrainConfig):
    """Train in place until the agent passes its trial or the budget ends; return the history."""
    n_updates = config.total_steps // (config.num_envs * config.n_steps)
    with Monitor(config.total_steps, config.goal, f"PPO on {config.env_id}") as monitor:
        for update in range(n_updates):
            if config.anneal:
                for group in run.optimizer.param_groups:
                    group["lr"] = ppo.linear_schedule(update, n_updates, config.learning_rate)
            rollout, run.obs = collect_rollout(
                run.envs, run.model, run.obs, config.n_steps, run.generator
            )
            run.env_steps += config.num_envs * config.n_steps
            batch = to_batch(rollout, config)
            statistics = ppo.ppo_update(run.model, run.optimizer, batch, config, run.generator)
            run.agent.update_parameters(run.model)
            monitor.episodes(finished_returns(rollout, run.scores), run.env_steps)
            monitor.log(**statistics)
            # A trial of twenty episodes takes longer than an update: one after every second is enough.
            if monitor.solved and update % 2 == 0 and passes_trial(run.agent, config):
                break
    return monitor.history


# %% [markdown]
# First, the agent before any training.

# %% tags=["skip-execution"]
from IPython.display import display

config, run = TrainConfig(), None


def watch(run: SimpleNamespace):
    """A video of one episode in which the agent always takes its favorite action."""

    def act(obs):
        with torch.no_grad():
            return int(run.agent(torch.as_tensor(obs))[0].argmax())

    return replay(act, config.env_id, seed=7)


with todo_guard():
    run = new_run(config, seed=0)
    display(watch(run))

# %% [markdown]
# Now train it. The curve grows while it learns; you may stop at any time with the square button or by pressing I twice, and what was learned is kept.
#
# **Predict first.** What will it learn first, not to crash or to land? How will that look in the length of the episodes?

# %% tags=["skip-execution"]
with todo_guard():
    run = new_run(config, seed=0)
    history = train(run, config)
    save_run("lab6_lunar_lander", "PPO", history, "the explorer in part 6")

# %% [markdown]
# <details><summary>Answer</summary>
#
# Not to crash. In our runs the first episodes took 100 to 150 steps, most of them a fall. Then they grew to 400 and more, while the return was still below zero: the craft stays in the air. Only then did they become shorter again, about 300 steps, as it learned to come down.
# </details>
#
# And the same agent again, from the same start.

# %% tags=["skip-execution"]
if run is not None:
    display(watch(run))

# %% [markdown]
# <details><summary>It is not solved. What now?</summary>
#
# If all checks above are green it should be, with nearly any seed. Train once more with `seed=1` in the first line. If that fails too, look at what is reported above about your functions of lab 5 and run the cell once with the worked versions (`ppo = SimpleNamespace(**WORKED)`).
# </details>
#
# One landing proves little. Here are a hundred, from starts that the agent has never seen, with your `evaluate`; beside them a hundred of an agent that was never trained.
#
# **Predict first.** Will all hundred returns be near their mean? And will the likeliest actions do better or worse than drawn ones?

# %% tags=["skip-execution"]
with todo_guard():
    unseen = range(1_000_000, 1_000_100)
    returns = {
        "untrained, drawn actions": evaluate(
            new_run(config, seed=1).agent, config.env_id, unseen, False
        ),
        "trained, likeliest actions": evaluate(run.agent, config.env_id, unseen, True),
        "trained, drawn actions": evaluate(run.agent, config.env_id, unseen, False),
    }
    figures.show(
        figures.returns_histogram(returns, goal=200, title="100 episodes each, unseen seeds"),
        alt="Three histograms of returns. Untrained: far below zero. Trained: most episodes between "
        "200 and 300, with a tail to the left.",
    )

# %% [markdown]
# <details><summary>What to see here</summary>
#
# The returns of the trained agent are not spread evenly around their mean. Most are between 200 and 300, and a few are far below: a crash, or a craft that hovers until time is up. Such a tail is the rule where a task can fail all at once, and it is why a mean of a few episodes says so little; part 5 is about that.
#
# In our run the likeliest actions did better than drawn ones, 244 against 223 on average. That is no rule: an agent that we trained with `seed=1` got 225 with the likeliest and 266 with drawn ones. Of six agents, from seeds 0 to 5, two did better with the likeliest by more than two standard errors of the difference, one did worse, and three cannot be told apart.
#
# Training returns came from drawn actions, and from agents that were still worse than the last one. So the evaluation is usually a little better than the end of the curve.
# </details>
#
# ## Part 5. How much does a result say?
#
# *About 105 minutes to here.*
#
# Two runs with other seeds end with other agents. A comparison of algorithms needs several runs, one number that sums them up, and an interval that says how far this number may be off.
# The mean follows every outlier: one failed run among ten can decide a comparison. The median ignores outliers, but also nearly everything else. Between them lies the **interquartile mean** (IQM), the mean of the middle half. [Agarwal et al. 2021](https://arxiv.org/abs/2108.13264) recommend it for comparing algorithms in reinforcement learning, with intervals from resampling.
#
# ### Exercise 4: `interquartile_mean`
#
# *Difficulty 1 of 5, about 5 minutes, importance 3 of 5. 2 points.*
#
# Put the $R$ numbers in order, leave out the lowest and the highest quarter, and average the rest. If $R$ is not divisible by 4, leave out $\lfloor R/4 \rfloor$ at each end, as [`scipy.stats.trim_mean(x, 0.25)`](https://docs.scipy.org/doc/scipy/reference/generated/scipy.stats.trim_mean.html) does:
#
# $$\text{IQM}(x) = \frac{1}{R - 2k} \sum_{i=k+1}^{R-k} x_{(i)}, \qquad k = \lfloor R/4 \rfloor$$


# %% nbgrader={"grade": false, "grade_id": "interquartile_mean", "locked": false, "schema_version": 3, "solution": true, "task": false}
def interquartile_mean(x: torch.Tensor) -> float:
    """Mean of the middle half (Agarwal et al. 2021).

    Args:
        x: [R], float32, in any order, R >= 1.

    Returns:
        The mean of what is left when the floor(R / 4) lowest and the floor(R / 4) highest
        numbers are left out.
    """
    ### BEGIN SOLUTION
    cut = len(x) // 4
    return x.sort().values[cut : len(x) - cut].mean().item()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_interquartile_mean", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check("interquartile_mean", interquartile_mean)
### BEGIN HIDDEN TESTS
from autograde.hidden import hidden_test

hidden_test("lab6_lunar_lander/interquartile_mean", interquartile_mean)
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# Sort, cut off both ends, average.
# </details>
# <details><summary>Hint 2: how many</summary>
#
# Of 11 numbers, 2 go at each end and 7 stay. Of 3 numbers none goes.
# </details>
# <details><summary>Hint 3: almost code</summary>
#
# `x.sort()` gives values and indices. With `k = len(x) // 4` the slice goes from `k` to `len(x) - k`; a slice that ends at `-k` would be empty for `k = 0`. `.item()` turns the mean into a Python number.
# </details>

# %% [markdown]
# ### Exercise 5: `bootstrap_interval`
#
# *Difficulty 2 of 5, about 15 minutes, importance 4 of 5. 5 points.*
#
# How far would the IQM move if all runs were done again? We cannot do them again, but we can pretend: the runs we have are the best picture of all runs there could be, so draw $R$ of them, **with replacement**, and take the IQM of this resample. Do that `n_boot` times. The spread of these IQMs shows how far ours may be off; the interval at `level` $= 0.95$ reaches from their 2.5 % quantile to their 97.5 % quantile (the *percentile* method of [`scipy.stats.bootstrap`](https://docs.scipy.org/doc/scipy/reference/generated/scipy.stats.bootstrap.html)).


# %% nbgrader={"grade": false, "grade_id": "bootstrap_interval", "locked": false, "schema_version": 3, "solution": true, "task": false}
def bootstrap_interval(
    x: torch.Tensor, level: float, n_boot: int, generator: torch.Generator
) -> tuple[float, float]:
    """Percentile bootstrap interval of the interquartile mean.

    Args:
        x: [R], float32.
        level: share of the resampled means inside the interval, between 0 and 1.
        n_boot: number of resamples, each of R numbers drawn from x with replacement.
        generator: the only source of randomness.

    Returns:
        (low, high), the quantiles (1 - level) / 2 and 1 - (1 - level) / 2 of the resampled
        interquartile means.
    """
    ### BEGIN SOLUTION
    rows = torch.randint(len(x), (n_boot, len(x)), generator=generator)
    means = torch.tensor([interquartile_mean(x[row]) for row in rows])
    tail = (1 - level) / 2
    low, high = means.quantile(torch.tensor([tail, 1 - tail])).tolist()
    return low, high
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_bootstrap_interval", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
check("bootstrap_interval", bootstrap_interval)
### BEGIN HIDDEN TESTS
from autograde.hidden import hidden_test

hidden_test("lab6_lunar_lander/bootstrap_interval", bootstrap_interval)
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# A resample is x at R random positions; a position may come several times. One IQM for each resample, then two quantiles of all these IQMs.
# </details>
# <details><summary>Hint 2: the pieces</summary>
#
# `torch.randint(R, (R,), generator=...)` draws positions. What is left outside the interval is `1 - level`, half of it on either side.
# </details>
# <details><summary>Hint 3: almost code</summary>
#
# Collect `interquartile_mean(x[positions])` for `n_boot` draws of positions, make a tensor of them, and ask it for `.quantile(...)` at `(1 - level) / 2` and at `1 - (1 - level) / 2`.
# </details>
# <details><summary>Help, my interval has width 0</summary>
#
# A resample without replacement is x in another order, with the same IQM. `torch.randperm` draws without replacement.
# </details>
# <details><summary>Help, my interval is much too narrow</summary>
#
# Each resample has as many numbers as x, not as many as there are resamples. And the interval holds the share `level` of the resampled *means*; a standard error is something else.
# </details>

# %% [markdown]
# **Predict first.** Ten runs of an algorithm ended with the mean returns below (invented numbers; nine runs went well, one failed). Which of mean, median and IQM does the failed run move most? Will the interval of the IQM reach as far down as that run?

# %% tags=["skip-execution"]
with todo_guard():
    runs = torch.tensor([243.0, 251.0, 238.0, 262.0, 247.0, 255.0, -120.0, 249.0, 258.0, 244.0])
    seed = 0
    generator = torch.Generator().manual_seed(seed)
    low, high = bootstrap_interval(runs, 0.95, 2000, generator)
    print(f"mean {runs.mean():.0f}, median {runs.median():.0f}, ", end="")
    print(f"IQM {interquartile_mean(runs):.0f}, 95 % interval from {low:.0f} to {high:.0f}")

# %% [markdown]
# <details><summary>Answer</summary>
#
# The mean drops below every one of the nine good runs. Median and IQM hardly notice. A resample contains the failed run more than twice only now and then, and up to two of ten are cut off anyway, so the interval stays far above it.
#
# That is a strength and a weakness. If a tenth of all runs fail, somebody who wants to use the algorithm should know it: show all runs, not only a number and an interval.
# </details>
#
# **And one more.** Somebody calls `bootstrap_interval` with the returns of a hundred evaluation episodes of one agent. Does the interval say how well the *algorithm* does?
#
# <details><summary>Answer</summary>
#
# No. It says how far the IQM of this agent's returns may be off because only a hundred episodes were played. Another run of the algorithm gives another agent. For a statement about the algorithm, `x` must hold one number per run.
# </details>

# %% [markdown]
# ## Part 6. Which details mattered?
#
# *About 135 minutes to here.*
#
# PPO is a clipped loss and a dozen small decisions around it. [Engstrom et al. 2020](https://arxiv.org/abs/2005.12729) found that these can matter more than the clipping; [Andrychowicz et al. 2020](https://arxiv.org/abs/2006.05990) trained 250,000 agents to sort them. Here is a small study of our own: the training of part 4 with one setting changed at a time, ten seeds each, until the mean of 100 training episodes was 200.
#
# It is the study that the defaults of `TrainConfig` come from. So it began with other ones: an entropy bonus of 0.005, and rollouts of 128 steps. The rest was as you have it.
#
# **Predict first.** Which two of the changes below will hurt most? Is there one that does nothing?

# %% tags=["skip-execution"]
figures.show(
    figures.ablation(ablation()),
    alt="One row for each changed setting: environment steps until solved of ten runs, with their "
    "interquartile mean and its interval; crosses mark runs that were not solved.",
)

# %% [markdown]
# <details><summary>What to see here</summary>
#
# **What hurts.** Rewards that are not scaled: two runs of ten were solved. A likely reason: `max_grad_norm` limits the gradient over all parameters together, and the critic's, now far larger, takes nearly all of it. Rollouts of only 16 steps (128 environments): half of the runs. Advantages that are not normalized: six of ten.
#
# **What helps.** Without the entropy bonus, with 8 environments that play twice as long, and with a learning rate that does not fall, all ten runs were solved, after 100,000, 106,000 and 114,000 steps (interquartile means; the study's start: nine runs, 125,000). The intervals still overlap; with ten seeds each this is a hint. The notebook took two of them: it goes without the bonus and plays 256 steps.
#
# **What cannot be told apart.** For the orthogonal start, the clipped gradients and the time limits, the intervals overlap widely with that of the study's start. A discount of 0.99 looks worse; three of its ten runs were not solved.
#
# Did you expect an orthogonal start to matter more? It is in every list of details. On this task, with these settings and ten seeds, we cannot see it.
# </details>
#
# Ten seeds on one task show what matters *here*. Another task can give another order, and a change that does not hurt with these settings may hurt with others.
#
# You can have any row again, with your own functions in it: one line, about ten seconds a seed. All rows at once are `python benchmarks/lunar_lander.py ablation` in the course's repository.

# %% tags=["skip-execution"]
with todo_guard():
    own = run_again("anneal", new_run, train, config, seeds=(0,))  # any name in the list below
    figures.show(
        figures.ablation(ablation(), own),
        alt="The same figure with your own run in its row.",
    )
print("changes:", ", ".join(change.name for change in CHANGES))

# %% [markdown]
# ### Two knobs at once
#
# What the figure cannot show is how two settings depend on each other. The sliders below move through a grid of trained agents: every $\epsilon$ with every $\lambda$, ten seeds each, 120,000 environment steps, everything else as at the study's start. Your own run from part 4 is drawn in, with its own $\epsilon$ and $\lambda$, at every place.
#
# **Predict first.** Without clipping (the last place of $\epsilon$), does anything learn? And with $\lambda = 1$, where advantages are Monte Carlo returns minus the critic?

# %% tags=["skip-execution"]
runs = load_runs("lab6_lunar_lander")
hyperparameter_explorer(runs[0] if runs else None)

# %% [markdown]
# <details><summary>What to see here</summary>
#
# After 120,000 steps there is one good region: $\lambda = 0.95$ with $\epsilon$ 0.2 or 0.4, where 7 and 6 of ten runs were solved; the two cannot be told apart. With $\epsilon = 0.05$ every run improves, slowly and much alike.
#
# Without clipping no run was solved, and with $\lambda = 1$ the mean return fell to about $-550$, far below where it began: noisy advantages, eight epochs, and nothing that stops a step. With clipping the same $\lambda = 1$ learns, if slowly. So clipping matters most where the advantages are worst.
#
# $\lambda = 0$ trusts a critic that knows nothing yet, and gets nowhere at any $\epsilon$.
# </details>

# %% [markdown]
# ## Part 7. What a step costs
#
# *About 155 minutes to here.*
#
# On paper a forward pass takes two operations per weight and a backward pass twice as many again. So an update of $E$ epochs costs about $6E$ operations per weight and sample, and playing costs 4 (two passes, one for the next value). Below are measured times beside that arithmetic, at the rate at which the same processor multiplies large matrices.
#
# **Predict first.** Twice as many environments: does a step of all of them cost twice as much? At what width does the arithmetic begin to count?

# %% tags=["skip-execution"]
measured = scaling()
figures.show(
    figures.scaling(measured),
    alt="Two panels, logarithmic axes. Left: an environment step costs about 40 microseconds "
    "for any number of environments, the policy's share falls from 85 to below 1. Right: the "
    "update's cost hardly grows up to width 128, then approaches the arithmetic on paper.",
)
n_envs, epochs = TrainConfig.num_envs, TrainConfig.epochs
share = measured.arithmetic_share(n_envs, epochs, 1024)
half = measured.crossing(1024, measured.playing_us(n_envs) / epochs)
print(f"arithmetic at width 64: {share:.0%} of training; half of it from width {half:.0f}")

# %% [markdown]
# Side by side, environments make the policy cheap (85 µs a step for one, 7 µs each for 16) but not themselves: LunarLander takes about 40 µs a step however many there are, so beyond some 16 of them little is left to gain.
# At width 64 arithmetic is about 5 % of training, so even a GPU that computed for nothing could save no more than that; by the same estimate it could not halve the time below a width of about 300, and a real one, which we had none of to measure, needs more than that for its calls and transfers.
#
# The numbers are one laptop-sized machine's, with minibatches of 1024. `python benchmarks/scaling.py` in the course's repository measures yours, its GPU too if it has one.

# %% [markdown]
# ## Part 8. Hand in your agent
#
# *About 160 minutes to here. 6 points.*
#
# An agent is what this lab is for, so one of yours is handed in too: a file `lander.safetensors` **beside** the notebook. `save_policy` writes it. It holds the layers of your actor and their weights, plain numbers and nothing that could run; `env_steps` is how many environment steps its training took. You may train as often and as long as you like, change `TrainConfig` and the network, and hand in the agent that you like best.
#
# The grader plays it on seeds that you do not know, greedily, and asks for a mean return of 200.
#
# - After each episode somebody who doubts your agent bets on the next one staying below 200 on average. If your agent's true mean is 200 or more, the probability that they ever turn 1 coin into 2000 is at most 1 in 2000 ([Ville's inequality](https://arxiv.org/abs/2010.09686)). Only if they do is it refused.
# - It is accepted as soon as its mean is two standard errors above 200, after 50, 100 or 200 episodes. After 400 episodes it is accepted in any case.
# - An accepted agent gets 6 points. One that is refused gets up to 4.8, in proportion to its mean return.
#
# Agents appear on the class's leaderboard, under a name that follows from the file and says nothing about you: `save_policy` prints it. The same training from the same seed can give the same agent; a seed of your own gives a name of your own.

# %% tags=["skip-execution"]
if run is not None:
    save_policy(run.agent, "lander.safetensors", env_steps=run.env_steps)

# %% hands_in="lander.safetensors" nbgrader={"grade": true, "grade_id": "test_lander_agent", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
check_policy("lander.safetensors", evaluate)
### BEGIN HIDDEN TESTS
from autograde.hidden import hidden_test

hidden_test("lab6_lunar_lander/lander_agent", "lander.safetensors")
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Help, the check says that my logits depend on something the file cannot hold</summary>
#
# The file holds one chain of layers. A network in which the observation takes two ways that meet again (`obs + layer(obs)`, `torch.cat`) is none. Two heads on one trunk are fine: only the way to the logits is stored.
# </details>
# <details><summary>Help, the mean here is above 200 but the agent was refused</summary>
#
# Ten episodes say little: the standard error of their mean can well be 25. Play a hundred with your `evaluate`, on seeds that you have not used for choosing the agent. If you took the best of many agents by ten episodes each, you chose by luck (see part 5).
# </details>

# %% [markdown]
# ## A question in your own words (4 points, graded by your instructor)
#
# **A report says: "Our new method reaches 268 on LunarLander, the old one 251. Each number is the mean return of the last 100 training episodes of the best of three runs; the standard errors, 4 and 5, do not overlap." Name what is wrong with this comparison, and describe one that you would believe.**
#
# Six to ten sentences.

# %% [markdown] nbgrader={"grade": true, "grade_id": "honest_comparison", "locked": false, "points": 4, "schema_version": 3, "solution": true, "task": false}
# **Model answer.** The best of three runs is the luckiest of three: choosing it by its result makes both methods look better than they are, and the noisier one more so. All runs should be reported. Three runs are too few to tell a difference of 17 from luck, which the standard errors hide: they come from the 100 episodes of one run each and say nothing about the difference between runs. The unit of the comparison is the run, not the episode. Returns of training episodes mix a changing, exploring policy with the luck of its episodes; an agent should be evaluated afterwards, without training, on fresh seeds that were used neither for training nor for choosing settings, and the report should say whether actions were drawn. I would believe ten or more runs per method with the same number of environment steps and the same effort of tuning, each run evaluated on the same fresh seeds, summed up by the interquartile mean over runs with a bootstrap interval over runs, and an interval for the difference.
#
# **Marking.** 1 point: the best run is chosen by luck; all runs count. 1 point: the error must be over runs, not over episodes of one run (or: three runs are too few to know it). 1 point: training returns are no evaluation; fresh episodes with unseen seeds. 1 point: a fair comparison: same budget or tuning, several runs, a robust summary with an interval.

# %% [markdown]
# ## Further reading
#
# - Huang, Dossa, Raffin, Kanervisto, Wang 2022, [The 37 Implementation Details of Proximal Policy Optimization](https://iclr-blog-track.github.io/2022/03/25/ppo-implementation-details/).
# - Saxe, McClelland, Ganguli 2014, [Exact solutions to the nonlinear dynamics of learning in deep linear neural networks](https://arxiv.org/abs/1312.6120).
# - Agarwal, Schwarzer, Castro, Courville, Bellemare 2021, [Deep Reinforcement Learning at the Edge of the Statistical Precipice](https://arxiv.org/abs/2108.13264).
# - Gymnasium, [Autoreset Mode](https://gymnasium.farama.org/main/api/vector/autoreset/).
