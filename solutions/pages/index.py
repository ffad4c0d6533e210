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
# # Policy gradients and PPO, hands on
#
# In these labs you write the few lines that matter of each method, see at once whether they are right, and train agents with them in seconds.
#
# You need Python, and PyTorch as far as tensors and `backward()`. You need no reinforcement learning: the labs begin at the beginning, and each one gives what the earlier ones asked for as worked code, so you can start anywhere.
#
# **Your way through.** Run the cell below (Shift+Enter). It reads your own notebooks, runs the checks of those that you have begun, and says what comes next. It changes nothing in them. Save a notebook before you look.

# %%
from course_utils.progress import show_course

show_course()

# %% [markdown]
# **How a lab works.** Where it says `# YOUR CODE HERE`, you write. The cell below checks what you wrote and says in plain words what is wrong with it. Hints come in three steps. Predict before you run: a guess that turns out wrong is worth more than a figure that you only look at.
#
# **In a terminal** (in VS Code, say), `python -m course_utils check lab5_ppo` runs the same checks.
#
# **When something does not work.** *Kernel → Restart Kernel and Run All Cells* gets rid of most surprises: cells that were run in another order leave old values behind.
