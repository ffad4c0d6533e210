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
# # Lab 1: Policy gradients, the theorem checked exactly
#
# An agent that learns by trial and error has no teacher who shows it the right action. It acts, it gets rewards, and it has to find out by itself which of its actions were worth repeating.
# The policy gradient theorem says how: it turns "make the expected reward larger" into an average over what the agent itself has tried.
# In this lab you take that theorem apart, step by step, in worlds so small that every expectation can be computed exactly. Nothing has to be believed: each step is checked by a cell, and your own sampled estimates have to agree with the exact answer.
#
# **When you are done you will be able to**
#
# - say what a policy-based method does differently from a value-based one, and when that matters,
# - turn logits into log-probabilities, and draw actions from them, without losing digits,
# - derive the policy gradient, and say what the logarithm is really for,
# - say why a baseline changes the noise of the estimate and not what it estimates,
# - estimate a gradient from samples, with a standard error, and tell whether it is right.
#
# **What you need.** PyTorch tensors and autograd. Probabilities and expectations; a derivative of a logarithm. No reinforcement learning: this is where it starts.
#
# **Time.** About two and a half hours. Each part says how many minutes it takes to get there.
# **Points.** 20 for the five exercises, 4 for one question in your own words.
#
# **How it works.** Run each cell with Shift+Enter. Where it says `# YOUR CODE HERE`, replace that line and the `raise` below it.
# The cell after it checks your function and tells you what is wrong. You can run it as often as you like.
# Hints come in three steps; open one, try again, open the next.
# The instructor's tests use other numbers than the checks and look at a few more cases, but ask for nothing that the text does not say.

# %% [markdown]
# ## Setup

# %%
from itertools import product

import numpy as np
import torch
from IPython.display import display
from matplotlib.figure import Figure

from course_utils import figures
from course_utils.checks import checker
from course_utils.execution import todo_guard
from course_utils.gradient_explorer import bandit_explorer, spread_explorer

check = checker("lab1_policy_gradients")

# %% [markdown]
# ## Notation and conventions
#
# They hold in every exercise of this lab.
#
# | symbol | in code | meaning |
# |---|---|---|
# | $s$, $a$, $r$ | `state`, `action`, `reward` | state, action, reward |
# | $\pi_\theta(a \mid s)$ | | the policy: the probability of action $a$ in state $s$, with parameters $\theta$ |
# | $\theta$ | `theta` | parameters; in this lab a table `[S, A]`, one number for each state and action |
# | | `logits` | one row of such numbers for each decision, `[B, A]`; the policy is their softmax |
# | $G$ | `returns` | return: the discounted sum of an episode's rewards |
# | $\gamma$ | `gamma` | discount, between 0 and 1 |
# | $J(\theta)$ | | the expected return of the policy, the number that is to become large |
# | $b$ | `baseline` | a number subtracted from the returns |
#
# - **Shapes.** A batch of decisions has size `B`, there are `S` states and `A` actions; `M` samples of `D` numbers are `[M, D]`.
# - **Log-probabilities** and logits, never probabilities.
# - **Losses** are minimized, so they are *minus* what one wants to be large. They return a 0-d tensor, the mean over the batch.
# - **Types.** `float32` in and out, actions are `int64`.
# - **Gradients.** Where it matters, the docstring says what the result is differentiable with respect to, and what it treats as constant. That is tested.
# - **Inputs** are never changed in place, and a function uses its arguments, not variables of the notebook.
# - **Randomness** comes only from the `torch.Generator` that is passed in.

# %% [markdown]
# ## Part 1. Two ways of learning to act
#
# *About 5 minutes to here.*
#
# First the words, then one complete example of them.
#
# - The **environment** is whatever answers: a game, a robot's surroundings, a reader. At each step it is in a **state** $s_t$.
# - The **agent** sees the state (or a part of it) and chooses an **action** $a_t$. The environment answers with a **reward** $r_t$, a number, and with the next state. The agent is not told how the answer comes about.
# - One run from the start until the task ends is an **episode**.
# - The **policy** $\pi(a \mid s)$ is the rule by which the agent chooses: a probability for each action in each state.
# - What the agent wants is not the next reward but all of them together, the **return** $G = r_0 + \gamma r_1 + \gamma^2 r_2 + \dots$. The **discount** $\gamma$, between 0 and 1, makes later rewards count for less; with $\gamma = 1$ the return is the plain sum.
# - Actions and answers are random, so every episode has another return. The **value** $V(s)$ is the return that one can expect from state $s$ on, and $Q(s, a)$ the one to expect after action $a$ in state $s$. The expected return from the start, $J$, says how good the policy is.
#
# **The example.** Three places in a row, numbered 0, 1, 2; the goal is to the right of place 2. An episode starts at place 0, and each step costs a reward of $-1$ until the goal is reached, so a good policy is a quick one. There are two actions, left and right. A step to the left of place 0 meets a wall. And in place 1 the two directions are *swapped*: right leads left, left leads right. The policy here goes right with the same probability $p$ in every place.


# %%
def corridor_step(place: int, right: bool) -> tuple[int, float, bool]:
    """The environment: the next place, the reward, and whether the task has ended."""
    if place == 1:  # the directions are swapped here
        right = not right
    place = place + 1 if right else max(place - 1, 0)
    return place, -1.0, place == 3


def corridor_episode(p: float, rng: np.random.Generator) -> list[tuple]:
    """One episode: a list of (state, action, reward, next state)."""
    place, ended, steps = 0, False, []
    while not ended:
        right = bool(rng.random() < p)  # the policy
        before = place
        place, reward, ended = corridor_step(place, right)
        steps.append((before, "right" if right else "left", reward, place))
    return steps


rng = np.random.default_rng(6)
print(" t  state  action  reward  next state")
episode = corridor_episode(0.5, rng)
for t, (before, action, reward, after) in enumerate(episode):
    print(
        f"{t:2}  {before:5}  {action:>6}  {reward:6.0f}  {'the goal' if after == 3 else after:>10}"
    )
print("return, gamma = 1:  ", sum(reward for _, _, reward, _ in episode))
print(
    "return, gamma = 0.9:",
    f"{sum(0.9**t * reward for t, (_, _, reward, _) in enumerate(episode)):.2f}",
)

# %% [markdown]
# **Two ways of learning.** An agent can use its rewards to find out what its actions are worth, or to change what it does.
#
# **Value-based** methods learn what actions are *worth*: a number $Q(s, a)$, the return to expect after action $a$ in state $s$. The policy follows from it: take the action with the largest number (and, to keep exploring, a random one now and then). Q-learning and DQN work like this.
#
# **Policy-based** methods learn the *policy itself*. Its parameters are turned so that actions that were followed by much reward become more likely, and others less. No table of worths is needed, although one can help (lab 3).
#
# Neither is better in general. Policy-based methods are the natural choice when
# - the best policy is a random one, as in rock, paper, scissors, or when the agent cannot see all that it would need to know,
# - actions are numbers, such as the angle of a joint, so that "take the largest" would be a search of its own,
# - there already is a good policy to start from, such as a language model (lab 8).
#
# **A world where the best policy is random.** Suppose that the agent of the corridor cannot tell the three places apart. Then all that it can choose is one number, the probability $p$ of going right. This is example 13.1 of [Sutton and Barto](http://incompleteideas.net/book/the-book-2nd.html).
#
# **Predict first.** How good are "nearly always right" ($p = 0.95$) and "nearly always left" ($p = 0.05$)? Where is the best $p$?


# %%
def corridor_value(p: float) -> float:
    """Expected return from place 0, exactly.

    What can be expected now is the next reward plus what can be expected afterwards:
    V(s) = -1 + sum over s' of P(s'|s) V(s'). One linear equation for each place; together they
    read (I - P) V = -1.
    """
    left = 1 - p
    P = np.array(
        [
            [left, p, 0.0],  # place 0: a step to the left meets the wall
            [p, 0.0, left],  # place 1: the directions are swapped
            [0.0, left, 0.0],  # place 2: a step to the right ends the task
        ]
    )
    return np.linalg.solve(np.eye(3) - P, -np.ones(3))[0]


returns = [-len(corridor_episode(0.5, rng)) for _ in range(10_000)]
print(
    f"p = 0.5: mean return of 10,000 episodes {np.mean(returns):.1f}, exact {corridor_value(0.5):.1f}"
)

# %% tags=["skip-execution"]
grid = np.linspace(0.03, 0.97, 200)
values = [corridor_value(p) for p in grid]
best = grid[int(np.argmax(values))]
fig = Figure(figsize=(7.2, 3.0), layout="constrained")
axes = fig.subplots()
axes.plot(grid, values, color=figures.BLUE)
axes.plot(best, max(values), "o", color=figures.VERMILION)
axes.annotate(
    f"best: p = {best:.2f}, return {max(values):.1f}", (best, max(values) - 14), ha="center"
)
for p in (0.05, 0.95):
    axes.annotate(
        f"{corridor_value(p):.0f}", (p, corridor_value(p)), (6, 0), textcoords="offset points"
    )
axes.set_ylim(-110, 0)
axes.set_xlabel("probability p of going right")
axes.set_ylabel("expected return J(p)")
figures.show(
    fig,
    alt="The expected return against the probability of going right: very low at both ends, with a "
    "flat maximum of about minus 11.7 at a probability of 0.59.",
)

# %% [markdown]
# <details><summary>Answer</summary>
#
# Both are terrible, about $-44$ (right) and $-82$ (left), since an agent that hardly ever changes its mind gets stuck between two places. The best policy goes right in 59 of 100 cases and gets $-11.7$.
# A method that takes the action with the largest value, and a random one in one case of ten, is exactly at one of these two points ($p = 0.05$ or $p = 0.95$). A method that turns $p$ itself can find the top of the curve.
# </details>
#
# The curve also shows what this lab is about. $J$ is a smooth function of the policy's parameters, so one can climb it along its gradient. Here we know the world and could compute the gradient exactly. An agent does not know the world: it has to *estimate* the gradient from what it has tried.

# %% [markdown]
# ## Part 2. Logits and log-probabilities
#
# *About 20 minutes to here.*
#
# A policy has to give positive probabilities that add up to 1. Numbers that come out of a table or a network are anything. The **softmax** turns any row of numbers $z_1, \dots, z_A$, called **logits**, into probabilities:
#
# $$\pi(a) = \frac{e^{z_a}}{\sum_b e^{z_b}}, \qquad \log \pi(a) = z_a - \log \sum_b e^{z_b} .$$
#
# - Only *differences* of logits matter: add 5 to all of them, and $e^5$ cancels. So a logit by itself is not a log-probability; it has to be normalized.
# - A logit that is larger by 1 means a probability that is larger by the factor $e \approx 2.7$.
# - The probabilities share one whole: making one action likelier makes all the others less likely.
#
# Why logarithms? For two reasons, a small and a large one. The small one is arithmetic: probabilities of many steps are multiplied, and the product of a few hundred of them is soon 0 in float32, while a sum of logarithms is harmless. The large one is the subject of part 3, and it has nothing to do with rounding.
#
# **A worked example.** One decision among three actions, by hand and by PyTorch:

# %%
z = torch.tensor([2.0, 0.0, -1.0])
by_hand = z - z.exp().sum().log()
print("log-probabilities by hand:  ", by_hand)
print("log-probabilities by PyTorch:", z.log_softmax(dim=-1))
print("probabilities:", by_hand.exp(), "which add up to", f"{by_hand.exp().sum():.4f}")
print("all logits + 5:", (z + 5).log_softmax(dim=-1), "the same")
far = torch.tensor([0.0, -200.0])
print("log of softmax:", far.softmax(dim=-1).log(), "  log_softmax:", far.log_softmax(dim=-1))

# %% [markdown]
# Look at the last line. The second action has a probability of $e^{-200}$, which is 0 in float32. Taking the softmax first and the logarithm second gives minus infinity; `log_softmax` does both at once and keeps the $-200$ ([documentation](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.log_softmax.html)).

# %% [markdown]
# ### Exercise 1: `select_log_probs`
#
# *Difficulty 1 of 5, about 10 minutes, importance 5 of 5. 3 points.*
#
# A batch of decisions, one row of logits each, and the action that was taken in each row: what was the log-probability of that action? You will meet this function in nearly every lab of the course.
# The first line is there; it numbers the rows.


# %% nbgrader={"grade": false, "grade_id": "select_log_probs", "locked": false, "schema_version": 3, "solution": true, "task": false}
def select_log_probs(logits: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
    """Log-probabilities of the actions taken, under the softmax policy.

    Args:
        logits: [B, A], any numbers, also very large ones.
        actions: int64 [B], values 0 ... A-1.

    Returns:
        [B], log pi(actions[i]) of row i. Differentiable w.r.t. logits.
        Finite for logits of plus and minus 1000.
    """
    rows = torch.arange(len(actions))  # 0, 1, ..., B-1
    ### BEGIN SOLUTION
    return logits.log_softmax(dim=-1)[rows, actions]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_select_log_probs", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check("select_log_probs", select_log_probs)
### BEGIN HIDDEN TESTS
from autograde.hidden import hidden_test

hidden_test("lab1_policy_gradients/select_log_probs", select_log_probs)
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# Two steps: log-probabilities of *all* actions in all rows, then one entry from each row.
# </details>
# <details><summary>Hint 2: the shapes</summary>
#
# Log-probabilities `[B, A]`, normalized over the last dimension. Then pick entry `actions[i]` of row `i`: shape `[B]`.
# </details>
# <details><summary>Hint 3: almost code</summary>
#
# The tensor method from the last line of the example does the first step. For the second, index the result with two tensors at once, the row numbers and the actions: `x[i, j]` with `i` and `j` of shape `[B]` gives `[B]`.
# </details>
# <details><summary>Help, I get shape [B, B]</summary>
#
# `x[:, actions]` takes *all* rows, and from each the columns of *all* actions. Give it the row numbers in place of the colon.
# </details>
# <details><summary>Help, I get "-inf"</summary>
#
# You take the logarithm of a softmax. Let one function do both.
# </details>

# %% [markdown]
# ### Exercise 2: `sample_actions`
#
# *Difficulty 2 of 5, about 15 minutes, importance 5 of 5. 5 points.*
#
# The other direction: given the logits, *choose*. Draw one action for each row, with the probabilities of the softmax, each row independently of the others, and say how likely it was.
# All randomness comes from the generator that is passed in, so that a run can be repeated: the same seed gives the same actions, and the next call goes on from there. `torch.multinomial` takes a generator ([documentation](https://docs.pytorch.org/docs/stable/generated/torch.multinomial.html)); `torch.distributions.Categorical` does not. Any way of drawing is fine as long as the shares come out right.


# %% nbgrader={"grade": false, "grade_id": "sample_actions", "locked": false, "schema_version": 3, "solution": true, "task": false}
def sample_actions(
    logits: torch.Tensor, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw one action per row from the softmax policy, independently across rows.

    Args:
        logits: [B, A], any numbers, also very large ones.
        generator: the only source of randomness; it moves on with every draw.

    Returns:
        actions: int64 [B].
        log_probs: [B], the log-probabilities of these actions.
    """
    ### BEGIN SOLUTION
    actions = torch.multinomial(logits.softmax(dim=-1), 1, generator=generator).squeeze(-1)
    return actions, select_log_probs(logits, actions)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_sample_actions", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
check("sample_actions", sample_actions)
### BEGIN HIDDEN TESTS
from autograde.hidden import hidden_test

hidden_test("lab1_policy_gradients/sample_actions", sample_actions)
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# One loaded die for each row, each thrown once. Then look up how likely that throw was; you have just written a function for that.
# </details>
# <details><summary>Hint 2: the shapes</summary>
#
# `torch.multinomial` wants probabilities `[B, A]` and returns `[B, 1]` when asked for one draw per row. What is due is `[B]`.
# </details>
# <details><summary>Hint 3: almost code</summary>
#
# Softmax over the last dimension, `torch.multinomial(..., 1, generator=...)`, take the last dimension away with `squeeze(-1)`, and call `select_log_probs` with the *same* actions that you return.
# </details>
# <details><summary>Help, "other actions for the same seed"</summary>
#
# Something draws from the global random state: a call without `generator=`, `Categorical`, or NumPy's `np.random`.
# </details>
# <details><summary>Help, "a Tensor with 5 elements cannot be converted to Scalar"</summary>
#
# `.item()` turns a single number into a Python number. There is a whole batch here; keep it a tensor.
# </details>

# %% [markdown]
# ## Part 3. The theorem, step by step
#
# *About 50 minutes to here.*
#
# We begin with the smallest possible world, a **bandit**: one state, a few actions ("arms"), one reward, end. Arm $a$ pays $q(a)$ on average. What the policy can expect is a weighted sum,
#
# $$J(\theta) = \mathbb E_{a \sim \pi_\theta}\big[q(a)\big] = \sum_a \pi_\theta(a)\, q(a) .$$
#
# We want $\nabla_\theta J$. In the cells that follow, each step is checked with slopes measured by brute force: move one entry of $\theta$ a little up and a little down, and see what changes.


# %%
def measured_slope(f, theta: torch.Tensor, width: float = 1e-5) -> torch.Tensor:
    """Slope of f in every entry of theta, by central differences; use float64.

    f(theta) may be a number or a tensor. Returns the shape of f(theta), followed by theta's.
    """
    columns = []
    for i in range(theta.numel()):
        step = torch.zeros(theta.numel(), dtype=theta.dtype)
        step[i] = width
        step = step.reshape(theta.shape)
        columns.append((f(theta + step) - f(theta - step)) / (2 * width))
    slopes = torch.stack(columns, dim=-1)
    return slopes.reshape(*slopes.shape[:-1], *theta.shape)


def arm_probabilities(theta: torch.Tensor) -> torch.Tensor:
    return theta.softmax(dim=-1)


arms = torch.tensor([1.0, 0.0, 2.0, 0.5], dtype=torch.float64)  # q(a), the mean rewards
theta = torch.tensor([0.5, 1.0, -0.5, 0.0], dtype=torch.float64)
p = arm_probabilities(theta)
gradient = measured_slope(lambda t: arm_probabilities(t) @ arms, theta)
print("probabilities", p.numpy().round(3), "  J =", round((p @ arms).item(), 4))
print("gradient of J", gradient.numpy().round(4))

# %% [markdown]
# **Step 1. The gradient goes inside, and something is lost.** The rewards do not depend on $\theta$, so
#
# $$\nabla_\theta J = \sum_a \nabla_\theta \pi_\theta(a)\; q(a) .$$
#
# This is a sum over all actions, and it is correct. But it is *not an average over what the agent does*: no probability stands in front. An agent that has only pulled some arms, each as often as its policy says, cannot tell from its rewards what this sum is.
#
# **Step 2. The log-derivative identity.** The chain rule for a logarithm says $\nabla \log \pi = \nabla \pi / \pi$. Read it the other way round:
#
# $$\nabla_\theta \pi_\theta(a) = \pi_\theta(a)\, \nabla_\theta \log \pi_\theta(a) .$$
#
# Put that into step 1, and the missing probability is back:
#
# $$\nabla_\theta J = \sum_a \pi_\theta(a)\; \nabla_\theta \log \pi_\theta(a)\; q(a) = \mathbb E_{a \sim \pi_\theta}\big[\nabla_\theta \log \pi_\theta(a)\; q(a)\big] .$$
#
# **That is what the logarithm is for.** It turns the gradient *of* an expectation into an expectation *of* something, and an expectation can be estimated by trying: draw actions from the policy, multiply what each paid with its $\nabla \log \pi$, and average. It would be needed with exact arithmetic as well.
# This estimate is called the score-function estimate, or REINFORCE, after [Williams 1992](https://doi.org/10.1007/BF00992696); $\nabla_\theta \log \pi_\theta(a)$ is the **score** of action $a$.

# %%
slope_of_p = measured_slope(arm_probabilities, theta)  # [A, A], one row for each action
slope_of_log_p = measured_slope(lambda t: arm_probabilities(t).log(), theta)
print(
    "step 2, largest |grad p - p grad log p|:",
    f"{(slope_of_p - p[:, None] * slope_of_log_p).abs().max():.1e}",
)
print("sum over a of    grad p(a)       q(a):", (arms @ slope_of_p).numpy().round(4))
print("mean under pi of grad log p(a)   q(a):", ((p * arms) @ slope_of_log_p).numpy().round(4))

# %% [markdown]
# **Step 3. The score has mean zero.** Probabilities add up to 1, whatever $\theta$ is, and so their gradients add up to nothing:
#
# $$\mathbb E_{a \sim \pi_\theta}\big[\nabla_\theta \log \pi_\theta(a)\big] = \sum_a \nabla_\theta \pi_\theta(a) = \nabla_\theta \sum_a \pi_\theta(a) = \nabla_\theta\, 1 = 0 .$$
#
# **Step 4. A baseline changes nothing in expectation.** Subtract any number $b$ that does not depend on the action. By step 3 its part vanishes:
#
# $$\mathbb E_{a \sim \pi_\theta}\big[\nabla_\theta \log \pi_\theta(a)\, (q(a) - b)\big] = \nabla_\theta J - b \cdot 0 = \nabla_\theta J .$$
#
# **Predict first.** The cell below adds 100 to all rewards. What happens to the exact gradient? And what to the size of the terms that are averaged?

# %%
print("step 3, largest entry of the mean score:", f"{(p @ slope_of_log_p).abs().max():.0e}")
for b in (0.0, 1.0, -100.0):
    terms = slope_of_log_p * (arms - b)[:, None]  # [A, A]
    mean = p @ terms
    spread = (p @ (terms - mean) ** 2).sqrt()
    print(
        f"baseline {b:6.1f}: mean {mean.numpy().round(4)}, standard deviation {spread.numpy().round(2)}"
    )

# %% [markdown]
# <details><summary>Answer</summary>
#
# The last line is the one: a baseline of $-100$ is the same as rewards that are higher by 100. The gradient is the same in every digit shown. The terms that are averaged spread 50 to 170 times as far, and mostly cancel; whoever has to *estimate* their mean from samples needs thousands of times as many of them for the same precision.
# A good baseline does the opposite. We come back to it in part 4, with a slider.
# </details>

# %% [markdown]
# ### Exercise 3: `softmax_score`
#
# *Difficulty 3 of 5, about 15 minutes, importance 4 of 5. 4 points.*
#
# For a table of preferences the score can be written down. The policy in state $s$ is the softmax of row $s$:
#
# $$\log \pi_\theta(a \mid s) = \theta_{s,a} - \log \sum_b e^{\theta_{s,b}} .$$
#
# Differentiate it with respect to *every* entry of the table $\theta$ (compare [Sutton and Barto](http://incompleteideas.net/book/the-book-2nd.html), section 2.8, where this is done for one state). Work it out on paper, or let autograd do it; both are fine. Called twice, the function must give the same answer twice.


# %% nbgrader={"grade": false, "grade_id": "softmax_score", "locked": false, "schema_version": 3, "solution": true, "task": false}
def softmax_score(theta: torch.Tensor, state: int, action: int) -> torch.Tensor:
    """Score of an action: the gradient of log pi(action | state) with respect to theta.

    Args:
        theta: [S, A], the preferences; a plain tensor that does not require a gradient.
        state: 0 ... S-1.
        action: 0 ... A-1.

    Returns:
        [S, A], a new tensor at every call. Finite for preferences of plus and minus 1000.
    """
    ### BEGIN SOLUTION
    score = torch.zeros_like(theta)
    score[state] = -theta[state].softmax(dim=-1)
    score[state, action] += 1
    return score
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_softmax_score", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check("softmax_score", softmax_score)
### BEGIN HIDDEN TESTS
from autograde.hidden import hidden_test

hidden_test("lab1_policy_gradients/softmax_score", softmax_score)
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# Two questions. Which rows of the table does $\log \pi_\theta(a \mid s)$ depend on at all? And within that row: what comes from $\theta_{s,a}$, what from the normalization?
# </details>
# <details><summary>Hint 2: the identity</summary>
#
# $\dfrac{\partial}{\partial \theta_{s,b}} \log \sum_c e^{\theta_{s,c}} = \pi_\theta(b \mid s)$. The first term contributes 1 where $b = a$ and 0 elsewhere. All other rows are 0.
# </details>
# <details><summary>Hint 3: almost code</summary>
#
# Start from zeros of theta's shape; write minus the softmax of row `state` into row `state`; add 1 at the action.
# With autograd instead: work on a detached copy that requires a gradient, and use `torch.autograd.grad`.
# </details>
# <details><summary>Help, the first call is right and the next ones are not</summary>
#
# `.backward()` *adds* to `.grad`, and theta is the same tensor each time. Use a fresh copy, or `torch.autograd.grad`, which adds nothing up.
# </details>
# <details><summary>Help, "element 0 of tensors does not require grad"</summary>
#
# The theta that comes in does not require a gradient. Make a copy that does.
# </details>

# %% [markdown]
# **A bandit that learns.** Now all three functions together, in the smallest learning agent there is. One step: draw an arm, get a noisy reward, and move $\theta$ a little along (reward minus baseline) times the score. The baseline is the mean of the rewards so far. This is the gradient bandit algorithm of [Sutton and Barto](http://incompleteideas.net/book/the-book-2nd.html), section 2.8.
#
# **Predict first.** The agent starts with four equally likely arms. They pay 1.0, 0.0, 2.0 and 0.5 on average, with noise of standard deviation 1. Will the probability of the best arm, number 2, rise at every step?


# %%
def learn_bandit(steps: int = 400, learning_rate: float = 0.15, seed: int = 1):
    """Train on the four arms; return probabilities [K + 1, A], actions [K], rewards [K]."""
    generator = torch.Generator().manual_seed(seed)
    theta = torch.zeros(1, 4)
    probabilities, actions, rewards = [theta[0].softmax(-1)], [], []
    for _ in range(steps):
        drawn, _ = sample_actions(theta, generator)
        action = int(drawn)
        reward = float(arms[action] + torch.randn((), generator=generator))
        baseline = float(np.mean(rewards)) if rewards else 0.0
        score = softmax_score(theta.clone(), 0, action).detach()
        theta = theta + learning_rate * (reward - baseline) * score
        probabilities.append(theta[0].softmax(-1))
        actions.append(action)
        rewards.append(reward)
    return torch.stack(probabilities), torch.tensor(actions), torch.tensor(rewards)


# %% [markdown]
# **Move the slider** to watch the probabilities from step to step. Use Tab to reach it and the arrow keys to move it.

# %% tags=["skip-execution"]
bandit_explorer(learn_bandit, arms)

# %% [markdown]
# <details><summary>Answer</summary>
#
# No: more than a third of the steps push it down. Each step follows one noisy reward, and unlucky draws push the wrong way; early on another arm can be ahead for a while. But the *average* step goes uphill, and after some hundred steps the best arm has nearly all the probability.
# Watch also how learning slows down at the end: arms that are hardly ever drawn hardly ever teach anything.
# </details>
#
# **Predict first.** The last remark has a dangerous side. What happens if the steps are 33 times as large, so that a few lucky draws make the agent nearly certain?

# %% tags=["skip-execution"]
with todo_guard():
    for rate in (0.15, 5.0):
        runs = [learn_bandit(200, rate, seed)[0][-1] for seed in range(10)]
        print(f"learning rate {rate:4}: likeliest arm in ten runs", [int(r.argmax()) for r in runs])

# %% [markdown]
# <details><summary>Answer</summary>
#
# Some of the runs end at a wrong arm, with a probability so near to 1 that the best arm is not drawn again. No later reward can put that right. This is one reason why later labs take care that a policy does not become certain too early.
# </details>

# %% [markdown]
# ## Part 4. Estimating a gradient, and knowing how well
#
# *About 85 minutes to here.*
#
# We have an expectation and can draw from it, so the estimate is a plain average over $M$ samples with scores $\psi_i = \nabla_\theta \log \pi_\theta(a_i)$ and returns $G_i$:
#
# $$\hat g = \frac{1}{M} \sum_{i=1}^M \psi_i\, (G_i - b), \qquad \text{standard error} = \frac{\text{standard deviation of the terms } \psi_i (G_i - b)}{\sqrt{M}} .$$
#
# An estimate without a statement of its error is half an answer. The standard error says by how much $\hat g$ would typically change if you drew another $M$ samples; about 95 % of estimates lie within two of them of the true value when $M$ is large ([standard error](https://en.wikipedia.org/wiki/Standard_error)).

# %% [markdown]
# ### Exercise 4: `score_function_gradient`
#
# *Difficulty 2 of 5, about 15 minutes, importance 5 of 5. 5 points.*
#
# Scores and returns of $M$ samples come in, the estimate and its standard error go out, entry by entry. Each sample's term is its score vector times *its own* return minus the baseline; the mean comes after the product. For the standard deviation you may divide by $M$ or by $M - 1$.


# %% nbgrader={"grade": false, "grade_id": "score_function_gradient", "locked": false, "schema_version": 3, "solution": true, "task": false}
def score_function_gradient(
    scores: torch.Tensor, returns: torch.Tensor, baseline: float = 0.0
) -> tuple[torch.Tensor, torch.Tensor]:
    """Score-function (REINFORCE) estimate of a gradient, with its standard error.

    Args:
        scores: [M, D], one score vector for each sample.
        returns: [M].
        baseline: subtracted from every return.

    Returns:
        mean: [D], the estimate.
        standard_error: [D], of each entry of the mean.
    Source: Williams 1992, https://doi.org/10.1007/BF00992696
    """
    ### BEGIN SOLUTION
    terms = scores * (returns - baseline).unsqueeze(-1)
    return terms.mean(dim=0), terms.std(dim=0) / len(returns) ** 0.5
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_score_function_gradient", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
check("score_function_gradient", score_function_gradient)
### BEGIN HIDDEN TESTS
from autograde.hidden import hidden_test

hidden_test("lab1_policy_gradients/score_function_gradient", score_function_gradient)
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# First make the $M$ terms, each a vector of $D$ numbers. Then two statistics over the $M$ samples.
# </details>
# <details><summary>Hint 2: the shapes</summary>
#
# Scores are `[M, D]`, returns `[M]`. Give the returns a second dimension, `[M, 1]`, so that each multiplies a whole row. The terms are `[M, D]`; mean and standard deviation run over dimension 0 and give `[D]`.
# </details>
# <details><summary>Hint 3: almost code</summary>
#
# `(returns - baseline).unsqueeze(-1)` fits. The standard error is the standard deviation over dimension 0, divided by the *square root* of the number of samples.
# </details>
# <details><summary>Help, "The size of tensor a (3) must match the size of tensor b (4)"</summary>
#
# `[M, D]` times `[M]` lines up the *last* dimensions, D with M. Where they happen to be equal there is no error and a wrong result.
# </details>

# %% [markdown]
# **Move the sliders.** A pool of 50,000 pulls of the bandit, with *your* scores. The picture draws $M$ of them, calls *your* function, and repeats this 300 times. Each dot is one estimate. We look at the first entry of the gradient. All rewards are 2 higher than before; you know from step 4 that this does not change the gradient.
#
# **Predict first.** Four times as many samples: how much narrower does the cloud of estimates get? And which baseline makes it narrowest: 0, about 3, or 6?

# %% tags=["skip-execution"]
with todo_guard():
    generator = torch.Generator().manual_seed(0)
    logits = theta.float().expand(50_000, -1)
    pulled, _ = sample_actions(logits, generator)
    table = torch.stack([softmax_score(theta.float()[None], 0, a)[0].detach() for a in range(4)])
    paid = arms.float()[pulled] + 2.0 + torch.randn(len(pulled), generator=generator)
    display(
        spread_explorer(
            score_function_gradient, table[pulled], paid, gradient, (0.0, 1.0, 2.0, 2.7, 4.0, 6.0)
        )
    )

# %% [markdown]
# <details><summary>Answer</summary>
#
# Half as wide, not a quarter as wide: the spread falls with $1/\sqrt{M}$. On the logarithmic plot that is a straight line, and your standard error lies on it. Note that it is computed from *one* set of $M$ samples and still knows how far the 300 estimates spread.
#
# The best of these baselines is 2.7, near the expected reward of 2.56; 0 and 6 are much worse, although all the clouds have the same center. The expected return is a good and common choice of baseline. It is not always the very best one, which weights the returns with the squared length of the score ([Greensmith, Bartlett, Baxter 2004](https://www.jmlr.org/papers/v5/greensmith04a.html)).
# </details>

# %% [markdown]
# ## Part 5. More than one step
#
# *About 110 minutes to here.*
#
# Now a world with states. An episode begins in a state drawn from a **start distribution** $\rho$, then actions, rewards and states follow each other until the task ends. What we want to be large is the expected discounted return *from the start*:
#
# $$J(\theta) = \mathbb E_{s_0 \sim \rho,\ a_t \sim \pi_\theta,\ s_{t+1} \sim P}\Big[\sum_{t \ge 0} \gamma^t r_t\Big] = \sum_s \rho(s)\, V^\pi(s) .$$
#
# As in the corridor, everything about this world is known to *us*, so that we can check each step. Three states, two actions:

# %%
gamma = 0.9
start = torch.tensor([0.7, 0.3, 0.0], dtype=torch.float64)  # rho
reward_table = torch.tensor([[-0.5, 0.2], [0.0, 1.0], [3.0, -1.0]], dtype=torch.float64)  # [S, A]
transition = torch.tensor(  # [S, A, S]; what is missing to 1 is the chance that the task ends
    [
        [[0.1, 0.7, 0.1], [0.6, 0.2, 0.0]],
        [[0.0, 0.2, 0.7], [0.3, 0.3, 0.1]],
        [[0.3, 0.3, 0.0], [0.2, 0.0, 0.7]],
    ],
    dtype=torch.float64,
)
theta_mdp = torch.tensor([[0.3, -0.2], [-0.4, 0.4], [0.1, 0.6]], dtype=torch.float64)

# The same with a fourth state, "ended": nothing follows it, nothing is paid in it.
onward = torch.zeros(4, 2, 4, dtype=torch.float64)
onward[:3, :, :3], onward[:3, :, 3], onward[3, :, 3] = transition, 1 - transition.sum(-1), 1.0
pays = torch.cat([reward_table, torch.zeros(1, 2)])  # [4, A]
print("chance that the task ends after an action, by state:\n", onward[:3, :, 3].numpy().round(2))

# %% [markdown]
# **Step 5. The world drops out.** $J$ is an expectation over whole episodes $\tau = (s_0, a_0, s_1, a_1, \dots)$. The steps of part 3 hold for it word by word, with the probability of the episode in place of the probability of an action:
#
# $$p_\theta(\tau) = \rho(s_0) \prod_t \pi_\theta(a_t \mid s_t)\, P(s_{t+1} \mid s_t, a_t), \qquad \nabla_\theta \log p_\theta(\tau) = \sum_t \nabla_\theta \log \pi_\theta(a_t \mid s_t) .$$
#
# Here the logarithm does its second good deed: the product becomes a sum, and $\rho$ and $P$ disappear from the gradient, because they do not depend on $\theta$. The agent needs no model of its world to know the score of an episode. So
#
# $$\nabla_\theta J = \mathbb E\Big[\Big(\sum_t \nabla_\theta \log \pi_\theta(a_t \mid s_t)\Big)\, G\Big], \qquad G = \sum_k \gamma^k r_k . \qquad \text{(A)}$$
#
# The check stops every episode after three steps, for then there are only 512 of them, and they can be listed one by one.

# %%
paths = torch.tensor(list(product(range(4), range(2), repeat=3)))  # s0, a0, s1, a1, s2, a2
s, a = paths[:, 0::2], paths[:, 1::2]  # [512, 3] each
by_the_world = (
    torch.cat([start, torch.zeros(1)])[s[:, 0]]
    * onward[s[:, 0], a[:, 0], s[:, 1]]
    * onward[s[:, 1], a[:, 1], s[:, 2]]
)  # [512], no theta in it
rewards = gamma ** torch.arange(3) * pays[s, a]  # [512, 3], discounted


def log_policy(theta: torch.Tensor) -> torch.Tensor:
    """Log-probabilities [4, A]; after the end it does not matter what the agent does."""
    return torch.cat([theta, torch.zeros(1, 2)]).log_softmax(dim=-1)


def path_probabilities(theta: torch.Tensor) -> torch.Tensor:
    return by_the_world * log_policy(theta)[s, a].sum(dim=-1).exp()


weight = path_probabilities(theta_mdp)
possible = weight > 0
scores = measured_slope(log_policy, theta_mdp).flatten(2)[s, a]  # [512, 3, S * A], of each action
slope_of_log = measured_slope(lambda t: path_probabilities(t)[possible].log(), theta_mdp).flatten(1)
off = (slope_of_log - scores[possible].sum(dim=1)).abs().max()
slope = measured_slope(lambda t: path_probabilities(t) @ rewards.sum(dim=1), theta_mdp).flatten()
mean_a = (weight * rewards.sum(dim=1)) @ scores.sum(dim=1)
print(f"probabilities of the {int(possible.sum())} possible episodes add up to {weight.sum():.6f}")
print(f"largest |grad log p(episode) - sum of its scores|: {off:.0e}")
print("slopes of the expected return:", slope.numpy().round(4))
print("mean of score times return (A):", mean_a.numpy().round(4))

# %% [markdown]
# **Step 6. A reward does not depend on later actions.** Multiply (A) out. The reward of step $k$ meets the scores of all steps $t$. For $t > k$, after that reward, the expectation is zero by step 3: given everything up to state $s_t$, the mean score is 0 and the reward is already a fixed number. What is left is each reward with the scores of the actions *up to* it:
#
# $$\nabla_\theta J = \mathbb E\Big[\sum_k \gamma^k r_k \sum_{t \le k} \nabla_\theta \log \pi_\theta(a_t \mid s_t)\Big]. \qquad \text{(B)}$$
#
# Sort the same sum by actions in place of rewards: each score multiplies $\gamma^t G_t$, where $G_t = r_t + \gamma r_{t+1} + \dots$ counts the rewards from then on. That is called **reward-to-go**.
#
# **Predict first.** The cell below prints how long the vector $\mathbb E[\gamma^k r_k\, \nabla_\theta \log \pi_\theta(a_t \mid s_t)]$ is, for each $k$ and $t$. Where will the zeros be?

# %%
pairs = torch.einsum("n,nk,ntd->ktd", weight, rewards, scores)
lengths = pairs.norm(dim=-1).numpy().round(4)
print("reward of step k   with the score of action t = 0, 1, 2")
for k in range(3):
    print(f"             k = {k}                       ", "  ".join(f"{x:.4f}" for x in lengths[k]))
mean_b = sum(pairs[k, t] for k in range(3) for t in range(k + 1))
print("slopes of the expected return:  ", slope.numpy().round(4))
print("mean of rewards and scores (B): ", mean_b.numpy().round(4))

# %% [markdown]
# **Step 7. The theorem.** The mean of $G_t$, given state and action, is $Q^\pi(s_t, a_t)$. So a visit to state $s$ at step $t$ contributes $\gamma^t$ times $\mathbb E_{a \sim \pi_\theta}[\nabla_\theta \log \pi_\theta(a \mid s)\, Q^\pi(s, a)]$, and this average is the same at every visit to $s$. Collect the visits to each state, $d(s) = \sum_t \gamma^t \Pr(s_t = s)$, and you have the policy gradient theorem ([Sutton et al. 1999](https://papers.nips.cc/paper/1713), theorem 1):
#
# $$\nabla_\theta J = \sum_s d(s) \sum_a \nabla_\theta \pi_\theta(a \mid s)\, Q^\pi(s, a) = \sum_s d(s)\, \mathbb E_{a \sim \pi_\theta}\big[\nabla_\theta \log \pi_\theta(a \mid s)\, Q^\pi(s, a)\big] .$$
#
# What is remarkable in it is what is missing: the policy also changes which states are visited, but $\nabla d$ does not appear.
#
# Now episodes may be as long as they like again. Values are the solution of a linear system, as in the corridor, $(I - \gamma P^\pi)\, V = r^\pi$, and so are the visits, $(I - \gamma P^{\pi\top})\, d = \rho$. This is worked code; read it once. At the end the theorem is compared with slopes of $J$ measured by brute force.


# %%
def solve_world(theta: torch.Tensor):
    """Exact J and Q [S, A] of the policy softmax(theta [S, A]), in float64."""
    pi = theta.softmax(dim=-1)
    P = torch.einsum("sa,sab->sb", pi, transition)  # from state to state under the policy
    r = (pi * reward_table).sum(dim=-1)
    V = torch.linalg.solve(torch.eye(3, dtype=torch.float64) - gamma * P, r)
    return start @ V, reward_table + gamma * transition @ V


def visits(theta: torch.Tensor, factor: float) -> torch.Tensor:
    """Expected visits to each state [S], those at step t counted factor ** t."""
    P = torch.einsum("sa,sab->sb", theta.softmax(dim=-1), transition)
    return torch.linalg.solve(torch.eye(3, dtype=torch.float64) - factor * P.T, start)


def theorem(theta: torch.Tensor, factor: float = gamma) -> torch.Tensor:
    """The right-hand side of the theorem [S, A]; factor=1 leaves gamma^t out of the visits."""
    _, Q = solve_world(theta)
    slopes = measured_slope(lambda t: t.softmax(dim=-1), theta)  # [S, A, S, A]
    return torch.einsum("s,saij,sa->ij", visits(theta, factor), slopes, Q)


exact_gradient = theorem(theta_mdp)
brute_force = measured_slope(lambda t: solve_world(t)[0], theta_mdp)
print(f"J = {solve_world(theta_mdp)[0]:.4f}")
print("the theorem, one row for each state:\n", exact_gradient.numpy().round(4))
print(
    "largest difference to measured slopes of J:",
    f"{(exact_gradient - brute_force).abs().max():.1e}",
)

# %% [markdown]
# Now the agent's side: it plays, and knows neither `transition` nor `reward_table`. The scores come from your function, the actions from your sampler.


# %%
def play(theta: torch.Tensor, episodes: int, generator: torch.Generator):
    """Play episodes side by side until all have ended.

    Returns states [T, M] (3 once the task has ended), actions [T, M], rewards [T, M] (0 then).
    """
    logits = torch.cat([theta.float(), torch.zeros(1, 2)])
    state = torch.multinomial(start.float().expand(episodes, -1), 1, generator=generator)[:, 0]
    states, actions, rewards = [], [], []
    while (state < 3).any():
        action, _ = sample_actions(logits[state], generator)
        states.append(state)
        actions.append(action)
        rewards.append(pays[state, action].float())
        state = torch.multinomial(onward[state, action], 1, generator=generator)[:, 0]
    return torch.stack(states), torch.stack(actions), torch.stack(rewards)


def all_scores(theta: torch.Tensor) -> torch.Tensor:
    """Your scores of all states and actions, flattened: [4, 2, S * A]; zero after the end."""
    table = torch.zeros(4, 2, 6)
    for s in range(3):
        for a in range(2):
            table[s, a] = softmax_score(theta.float(), s, a).detach().flatten()
    return table


def episode_terms(theta: torch.Tensor, episodes: int, generator: torch.Generator):
    """What three estimators average, one row for each episode.

    Returns (scores [M, D], returns [M]) for (A), and the terms [M, D] of (B) and of (B) without
    gamma^t.
    """
    states, actions, rewards = play(theta, episodes, generator)
    table = all_scores(theta)
    scores = torch.zeros(episodes, 6)  # of the actions so far
    faded = torch.zeros(episodes, 6)  # the same, older ones counted less
    returns = torch.zeros(episodes)
    with_gamma, without = torch.zeros(2, episodes, 6)
    for k, (s, a, r) in enumerate(zip(states, actions, rewards, strict=True)):
        scores = scores + table[s, a]
        faded = gamma * faded + table[s, a]
        returns += gamma**k * r
        with_gamma += gamma**k * r[:, None] * scores
        without += r[:, None] * faded
    return scores, returns, with_gamma, without


# %% [markdown]
# **Does the estimate find the exact gradient?** One long run of the agent. After 16, 32, ... up to 16,384 episodes the picture shows its estimate of one entry of the gradient (state 2, action 0), with two of your standard errors up and down, by both formulas: (A), the whole return, and (B), each reward with the actions up to it.

# %% tags=["skip-execution"]
counts = [2**n for n in range(4, 15)]
with todo_guard():
    generator = torch.Generator().manual_seed(0)
    scores, returns, terms, _ = episode_terms(theta_mdp, counts[-1], generator)
    ones = torch.ones(counts[-1])
    fig = Figure(figsize=(7.2, 3.4), layout="constrained")
    axes = fig.subplots()
    samples = {"(A) whole return": (scores, returns), "(B) rewards to come": (terms, ones)}
    for i, (name, (x, g)) in enumerate(samples.items()):
        results = [score_function_gradient(x[:m], g[:m]) for m in counts]
        axes.errorbar(
            np.array(counts) * (0.95, 1.05)[i],  # side by side
            [mean[4].item() for mean, _ in results],
            yerr=[2 * error[4].item() for _, error in results],
            fmt="os"[i],
            ms=4,
            capsize=3,
            color=figures.CYCLE[i][0],
            label=f"{name}, 2 standard errors",
        )
    axes.axhline(exact_gradient[2, 0], color="black", lw=1, ls="--", label="exact, by linear solve")
    axes.set_xscale("log", base=2)
    axes.set_xticks(counts, [str(m) for m in counts])
    axes.set_xlabel("episodes M")
    axes.set_ylabel("gradient, state 2, action 0")
    axes.legend(frameon=False)
    figures.show(
        fig,
        alt="Estimates of one entry of the gradient against the number of episodes, with error bars "
        "of two standard errors. The bars shrink around a dashed line at the exact value of 0.63; "
        "those of B are shorter than those of A.",
    )

# %% [markdown]
# The bars close in on the exact value, and most of them contain it. The agent has found a gradient that it could not have computed.
#
# **Predict first.** Next, the size of the error itself, over all six entries and eight runs, on logarithmic axes. Which of (A) and (B) is lower? Are the lines parallel?

# %% tags=["skip-execution"]
with todo_guard():
    target = exact_gradient.float().flatten()
    fig = Figure(figsize=(7.2, 3.6), layout="constrained")
    axes = fig.subplots()
    errors = {"(A) whole return": [], "(B) rewards to come": []}
    told = {name: [] for name in errors}
    for seed in range(8):
        generator = torch.Generator().manual_seed(seed)
        scores, returns, terms, _ = episode_terms(theta_mdp, counts[-1], generator)
        ones = torch.ones(counts[-1])
        for name, (x, g) in zip(errors, ((scores, returns), (terms, ones)), strict=True):
            results = [score_function_gradient(x[:m], g[:m]) for m in counts]
            errors[name].append([(mean - target).square().mean().item() for mean, _ in results])
            told[name].append([se.square().mean().item() for _, se in results])
    for name, (color, style) in zip(errors, figures.CYCLE, strict=False):
        measured, said = (np.sqrt(np.mean(x[name], axis=0)) for x in (errors, told))
        axes.loglog(counts, measured, "o", color=color, label=f"{name}: error, 8 runs")
        axes.loglog(counts, said, color=color, ls=style, label=f"{name}: your standard error")
    axes.loglog(
        counts, 4 / np.sqrt(counts), color=figures.GRAY, lw=1, label=r"slope of $1/\sqrt{M}$"
    )
    axes.set_xlabel("episodes M")
    axes.set_ylabel("root mean square error")
    axes.legend(frameon=False, fontsize=8)
    figures.show(
        fig,
        alt="Error of two gradient estimates against the number of episodes, on logarithmic axes. "
        "Both fall along straight lines with slope minus one half and follow their standard errors; the "
        "line of estimate B is lower than that of A.",
    )

# %% [markdown]
# <details><summary>Answer</summary>
#
# The lines are parallel: both estimates are right on average, and any such average gets better with $1/\sqrt{M}$. The only shortcut to a small error is terms that spread less, and (B) has them: what it leaves out of (A) has mean zero, so it was noise. The dots (errors, which need the exact answer) follow the lines (your standard errors, which do not).
# </details>
#
# **About $\gamma^t$.** The weights $d(s)$ of the theorem are *discounted* visits: what happens at step $t$ counts $\gamma^t$, because $J$ counts it so. Most implementations, those of later labs included, leave this factor out and weight all steps alike. That is a choice with good reasons (late steps should be learned too), but the result is not the gradient of $J$, nor of any other objective ([Nota and Thomas 2020](https://arxiv.org/abs/1906.07073)). Here are the same episodes, weighted both ways, against both exact answers:

# %% tags=["skip-execution"]
with todo_guard():
    generator = torch.Generator().manual_seed(100)
    _, _, with_gamma, without = episode_terms(theta_mdp, 50_000, generator)
    ones = torch.ones(len(without))
    undiscounted = theorem(theta_mdp, factor=1.0).flatten()
    for name, terms, exact in (
        ("with gamma^t   ", with_gamma, exact_gradient.flatten()),
        ("without gamma^t", without, undiscounted),
    ):
        mean, error = score_function_gradient(terms, ones)
        off = ((mean - exact).abs() / error).max()
        print(f"{name} exact  {exact.numpy().round(3)}")
        print(f"{'':15} yours  {mean.numpy().round(3)}  at most {off:.1f} standard errors off")
    a, b = exact_gradient.flatten(), undiscounted
    angle = torch.rad2deg(torch.arccos(a @ b / a.norm() / b.norm()))
    print(
        f"the two directions differ by {angle:.0f} degrees; the second is {b.norm() / a.norm():.1f} times as long"
    )

# %% [markdown]
# Both are estimated correctly, but they are estimates of different things: without the factor, states that are reached late get a larger say. In this world the two point roughly the same way, and climbing along either leads uphill. That need not be so everywhere.

# %% [markdown]
# ## Part 6. A loss for autograd
#
# *About 135 minutes to here.*
#
# Nobody writes down scores for a network with a million weights. Autograd computes them, if it is given the right number to differentiate: a number whose *gradient* is minus the estimate,
#
# $$L(\theta) = -\frac{1}{B} \sum_i w_i \log \pi_\theta(a_i \mid s_i), \qquad \nabla_\theta L = -\frac{1}{B} \sum_i w_i\, \nabla_\theta \log \pi_\theta(a_i \mid s_i) .$$
#
# The weights $w_i$ are returns, with or without a baseline: *numbers that were measured*. They must be constants, even if they were computed from something that has a gradient. Compare [Sutton and Barto](http://incompleteideas.net/book/the-book-2nd.html), section 13.3.
#
# It is called a **surrogate** because its value means nothing. Its minimum is not what we look for, and a falling loss is no sign of learning; only its gradient, at the parameters that drew the actions, is what we want.

# %% [markdown]
# ### Exercise 5: `pg_surrogate_loss`
#
# *Difficulty 1 of 5, about 5 minutes, importance 5 of 5. 3 points.*
#
# The formula above, in one or two lines. Mind the sign (a loss is minimized, a return is to become large), and what is a constant. Both inputs have the same shape `[B]`; a column `[B, 1]` beside a row `[B]` would be spread to `[B, B]`, every action with every weight. You will meet that mistake again in lab 2.


# %% nbgrader={"grade": false, "grade_id": "pg_surrogate_loss", "locked": false, "schema_version": 3, "solution": true, "task": false}
def pg_surrogate_loss(log_probs: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Loss whose gradient is minus the policy gradient estimate.

    Args:
        log_probs: [B], log pi(a|s) of the actions taken.
        weights: [B], how good each turned out to be, for example returns minus a baseline.

    Returns:
        Scalar (0-d), the mean over the batch. Differentiable w.r.t. log_probs, constant w.r.t.
        weights.
    """
    ### BEGIN SOLUTION
    return -(log_probs * weights.detach()).mean()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_pg_surrogate_loss", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check("pg_surrogate_loss", pg_surrogate_loss)
### BEGIN HIDDEN TESTS
from autograde.hidden import hidden_test

hidden_test("lab1_policy_gradients/pg_surrogate_loss", pg_surrogate_loss)
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# Sample by sample, weight times log-probability. Then the mean, then the sign.
# </details>
# <details><summary>Hint 2: the shapes</summary>
#
# `[B]` times `[B]` is `[B]`; the mean leaves no dimension.
# </details>
# <details><summary>Hint 3: almost code</summary>
#
# A tensor's method `detach` gives the same numbers without a history. Use it on the weights, and only there.
# </details>
# <details><summary>Help, the value is right and the gradient is missing</summary>
#
# The log-probabilities were detached, turned into numbers, or computed under `torch.no_grad()`. They are what is differentiated.
# </details>

# %% [markdown]
# The two ways must agree, to rounding: autograd through your loss, and your scores averaged by your own function.

# %% tags=["skip-execution"]
with todo_guard():
    generator = torch.Generator().manual_seed(5)
    parameters = theta.float()[None].requires_grad_()  # the bandit again, [1, A]
    pulled, _ = sample_actions(parameters.detach().expand(500, -1), generator)
    paid = arms.float()[pulled] + torch.randn(500, generator=generator)
    loss = pg_surrogate_loss(select_log_probs(parameters.expand(500, -1), pulled), paid - 0.7)
    (by_autograd,) = torch.autograd.grad(loss, parameters)
    table = torch.stack([softmax_score(theta.float()[None], 0, a)[0].detach() for a in range(4)])
    by_scores, error = score_function_gradient(table[pulled], paid, baseline=0.7)
    print("minus the gradient of your loss:", (-by_autograd[0]).numpy().round(4))
    print("your score-function estimate:   ", by_scores.numpy().round(4))
    print("its standard error:             ", error.numpy().round(4))
    print("exact:                          ", gradient.numpy().round(4))

# %% [markdown]
# The first two lines are the same estimate from the same 500 pulls, made in two ways. So both are off the exact gradient by the same amounts, mostly by one or two standard errors.
#
# **Climbing.** Finally the world of part 5, climbed in two ways: with the exact gradient, and with your loss on 50 episodes a step. By (A), the log-probability of an episode is the sum of those of its actions, and its weight is its return minus a baseline, here the mean return of the 50 episodes before.
#
# **Predict first.** Do the sampled climbs get to the same height? As fast?


# %%
def climb_exactly(steps: int = 150, learning_rate: float = 0.3) -> list[float]:
    """Follow the exact gradient; return J before each step."""
    theta, heights = torch.zeros(3, 2, dtype=torch.float64), []
    for _ in range(steps):
        heights.append(float(solve_world(theta)[0]))
        theta = theta + learning_rate * theorem(theta)
    return heights


def climb_by_sampling(seed: int, steps: int = 150, learning_rate: float = 0.3) -> list[float]:
    """Follow estimates from 50 episodes a step; return the exact J before each step."""
    generator = torch.Generator().manual_seed(seed)
    theta, heights, baseline = torch.zeros(3, 2), [], 0.0
    for _ in range(steps):
        heights.append(float(solve_world(theta.double())[0]))
        states, actions, rewards = play(theta, 50, generator)
        discounts = gamma ** torch.arange(len(rewards))
        returns = discounts @ rewards  # [M], of whole episodes
        theta.requires_grad_()
        logits = torch.cat([theta, torch.zeros(1, 2)])[states.flatten()]
        log_probs = select_log_probs(logits, actions.flatten()).reshape(states.shape)
        of_episodes = (log_probs * (states < 3)).sum(dim=0)  # [M]
        loss = pg_surrogate_loss(of_episodes, returns - baseline)
        (slope,) = torch.autograd.grad(loss, theta)
        theta = theta.detach() - learning_rate * slope
        baseline = returns.mean()
    return heights


# %% tags=["skip-execution"]
with todo_guard():
    sampled = [climb_by_sampling(seed) for seed in range(3)]
    fig = Figure(figsize=(7.2, 3.2), layout="constrained")
    axes = fig.subplots()
    for i, heights in enumerate(sampled):
        label = "your loss, 50 episodes a step, three seeds" if i == 0 else None
        axes.plot(heights, color=figures.VERMILION, lw=1.2, label=label)
    axes.plot(climb_exactly(), color=figures.BLUE, ls="--", lw=2, label="exact gradient")
    axes.set_xlabel("gradient step")
    axes.set_ylabel("expected return J, exact")
    axes.legend(frameon=False)
    figures.show(
        fig,
        alt="The expected return against gradient steps. A smooth dashed line for the exact "
        "gradient and three slightly rugged lines for sampled gradients rise together.",
    )

# %% [markdown]
# <details><summary>Answer</summary>
#
# Nearly the same height in nearly the same number of steps, although the sampling agent was never told a single transition probability. Its path is rugged because every step is noisy, but the noise averages out over the steps: an estimate that is right on average can be followed even where a single one is poor.
#
# What you have just run is REINFORCE. In lab 2 the table becomes a network and the world a cart with a pole.
# </details>
#
# ## Common mistakes
#
# | mistake | how it shows |
# |---|---|
# | logarithm of a softmax | fine for weeks, then `-inf` and NaN when a policy has become certain |
# | `logits[:, actions]` | a `[B, B]` matrix, often averaged away so that no error is raised |
# | log-probability of another draw than the one that was played | learning is noise; nothing crashes |
# | mean score times mean return | the mean score is about 0, and so is this product: no learning |
# | sign of the loss | the return falls instead of rising, steadily |
# | weights that carry a gradient | the gradient of something else, without a warning |
# | standard deviation reported as standard error | error bars that do not shrink with more data |
# | judging by the value of the loss | a surrogate has no meaningful value; look at the return |

# %% [markdown]
# ## Check your understanding
#
# *About 145 minutes to here.* Answer first, then open.
#
# **1.** All returns in a batch are exactly 1. What is the expected policy gradient? And the estimate?
#
# <details><summary>Answer</summary>
#
# The expectation is 0 by step 3: if everything pays the same, no policy is better than another. The estimate is the mean of the sampled scores, which is only *about* 0. With the baseline $b = 1$ it is exactly 0: this is what a baseline is good for.
# </details>
#
# **2.** A policy gives an action the probability 0 exactly. What can it learn about this action?
#
# <details><summary>Answer</summary>
#
# Nothing. It is never drawn, so it never enters the average. A softmax of finite logits is never exactly 0, but $10^{-7}$ is just as good as 0 in practice.
# </details>
#
# **3.** May the baseline depend on the state? On the action?
#
# <details><summary>Answer</summary>
#
# On the state, yes: step 3 holds in each state separately. Lab 3 uses $V(s)$. On the action, no: then $b$ cannot be pulled out of the sum over actions, and the estimate is biased.
# </details>
#
# **4.** Someone samples actions from an *old* copy of the policy and uses the formula of step 2 with the new one. What is wrong?
#
# <details><summary>Answer</summary>
#
# The average is then over the old policy's actions, while the identity has produced the new policy's probability in front. The two cancel only if they are the same policy. Lab 5 is about what can be done.
# </details>
#
# **5.** You want your standard error ten times smaller. How many more samples?
#
# <details><summary>Answer</summary>
#
# A hundred times as many; or terms that spread less.
# </details>

# %% [markdown]
# ## A question in your own words (4 points, graded by your instructor)
#
# **A colleague says: "The policy gradient contains $\log \pi$ because products of many probabilities would be too small for a computer." Is that the reason? Explain to her what the logarithm does in the derivation, why the agent could not do without it, and why a constant can be subtracted from the returns.**
#
# Six to ten sentences. Say what is an expectation and what is not, and what would still be true on a computer with exact arithmetic.

# %% [markdown] nbgrader={"grade": true, "grade_id": "why_log", "locked": false, "points": 4, "schema_version": 3, "solution": true, "task": false}
# **Model answer.** No. Log-probabilities are also convenient to compute with, but the logarithm would be needed with exact arithmetic as well. The gradient of $J = \sum_a \pi_\theta(a)\, q(a)$ is $\sum_a \nabla \pi_\theta(a)\, q(a)$. This is a plain sum over all actions and no expectation under the policy, so it cannot be estimated by averaging over actions that the agent has drawn from its policy. Because $\nabla \log \pi = \nabla \pi / \pi$, we may write $\nabla \pi = \pi \nabla \log \pi$, and the sum becomes $\mathbb E_{a \sim \pi}[\nabla \log \pi(a)\, q(a)]$: an expectation under the policy, which acting and averaging estimates without bias and without knowing $q$ for actions that were not tried. For episodes there is a further gain: the log-probability of an episode is a sum in which the unknown dynamics do not depend on $\theta$ and drop out. A constant may be subtracted from the returns because the score has mean zero, $\sum_a \pi \nabla \log \pi = \nabla \sum_a \pi = \nabla 1 = 0$. It changes the variance of the estimate, and not what is estimated.
#
# **Marking.** 1 point: numerical convenience is not the reason (or only a side benefit). 1 point: the gradient of the expectation is not itself an expectation under the policy. 1 point: the identity $\nabla \pi = \pi \nabla \log \pi$ makes it one, so that it can be sampled. 1 point: the score has mean zero, hence a constant changes the variance only.

# %% [markdown]
# ## Further reading
#
# - Williams 1992, [Simple statistical gradient-following algorithms for connectionist reinforcement learning](https://doi.org/10.1007/BF00992696). Where REINFORCE and its baseline come from.
# - Sutton, McAllester, Singh, Mansour 1999, [Policy gradient methods for reinforcement learning with function approximation](https://papers.nips.cc/paper/1713). The theorem, in two pages.
# - Sutton and Barto 2018, [Reinforcement Learning: An Introduction](http://incompleteideas.net/book/the-book-2nd.html), sections 2.8 and 13.1 to 13.4.
# - Greensmith, Bartlett, Baxter 2004, [Variance reduction techniques for gradient estimates in reinforcement learning](https://www.jmlr.org/papers/v5/greensmith04a.html). Which baseline is best, and by how much.
# - Nota and Thomas 2020, [Is the policy gradient a gradient?](https://arxiv.org/abs/1906.07073) What leaving out $\gamma^t$ does.
# - Mohamed, Rosca, Figurnov, Mnih 2020, [Monte Carlo gradient estimation in machine learning](https://arxiv.org/abs/1906.10652). The same identity far beyond reinforcement learning.
