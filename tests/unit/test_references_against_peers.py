"""The judge's references agree with Stable-Baselines3 and with autograd, which share no code."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.logger import Logger

from autograde.judge import lab5_ppo
from course_utils.checks.codec import array_from_plain


class Silent(gym.Env):
    """An environment that only says what its spaces are."""

    observation_space = gym.spaces.Box(-10, 10, (lab5_ppo.OBS,), dtype=np.float32)
    action_space = gym.spaces.Discrete(lab5_ppo.ACTIONS)


def peer_update(rollout, policy, value, config, rate):
    """Run Stable-Baselines3's own PPO.train on the rollout; return weights and its statistics."""
    size = len(rollout["obs"])
    peer = PPO(
        "MlpPolicy",
        Silent(),
        learning_rate=rate,
        n_steps=size,
        batch_size=size,
        n_epochs=config["epochs"],
        clip_range=config["clip_epsilon"],
        normalize_advantage=config["normalize_advantages"],
        ent_coef=config["entropy_coef"],
        vf_coef=config["value_coef"],
        max_grad_norm=config["max_grad_norm"],
        policy_kwargs={"net_arch": [], "optimizer_class": torch.optim.SGD, "optimizer_kwargs": {}},
        device="cpu",
    )
    logged = Logger(folder=None, output_formats=[])
    peer.set_logger(logged)
    with torch.no_grad():
        peer.policy.action_net.weight.copy_(torch.tensor(policy.T))
        peer.policy.value_net.weight.copy_(torch.tensor(value[None]))
        for layer in (peer.policy.action_net, peer.policy.value_net):
            layer.bias.zero_()
            layer.bias.requires_grad_(False)
    buffer = peer.rollout_buffer
    buffer.observations[:, 0] = rollout["obs"]
    buffer.actions[:, 0, 0] = rollout["actions"]
    for theirs, ours in (
        ("log_probs", "log_probs"),
        ("advantages", "advantages"),
        ("returns", "returns"),
        ("values", "values"),
    ):
        getattr(buffer, theirs)[:, 0] = rollout[ours]
    buffer.full = True
    peer.train()
    weights = (
        peer.policy.action_net.weight.detach().numpy().T,
        peer.policy.value_net.weight.detach().numpy()[0],
    )
    return weights, {k.removeprefix("train/"): v for k, v in logged.name_to_value.items()}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("max_grad_norm", [0.25, 1e3])
def test_whole_update_against_stable_baselines3(seed, normalize, max_grad_norm):
    rng = np.random.default_rng(seed)
    rollout, policy, value = lab5_ppo._rollout(rng, 11)
    config = {
        "epochs": 3, "clip_epsilon": 0.17, "value_coef": 0.6, "entropy_coef": 0.2,
        "max_grad_norm": max_grad_norm, "normalize_advantages": normalize,
    }  # fmt: skip
    rate = 0.05
    (their_policy, their_value), theirs = peer_update(rollout, policy, value, config, rate)
    totals = []
    for _ in range(3):
        g_policy, g_value, statistics = lab5_ppo.ppo_gradients(policy, value, rollout, config)
        policy, value = policy - rate * g_policy, value - rate * g_value
        totals.append(statistics)
    np.testing.assert_allclose(their_policy, policy, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(their_value, value, rtol=1e-4, atol=1e-5)
    ours = {name: np.mean([s[name] for s in totals]) for name in totals[0]}
    assert theirs["policy_gradient_loss"] == pytest.approx(ours["policy_loss"], rel=1e-3, abs=1e-5)
    assert theirs["value_loss"] == pytest.approx(ours["value_loss"], rel=1e-3)
    assert theirs["entropy_loss"] == pytest.approx(-ours["entropy"], rel=1e-3)
    assert theirs["clip_fraction"] == pytest.approx(ours["clip_fraction"], abs=1e-6)
    last_epoch = totals[-1]["approx_kl"]  # Stable-Baselines3 logs the mean over the last epoch
    assert theirs["approx_kl"] == pytest.approx(last_epoch, rel=1e-2, abs=1e-5)


def autograd_surrogate(new, old, advantages, epsilon):
    ratio = torch.exp(new - old.detach())
    return -torch.minimum(
        ratio * advantages, torch.clamp(ratio, 1 - epsilon, 1 + epsilon) * advantages
    ).mean()


def autograd_value_loss(values, old, returns, epsilon):
    clipped = old + torch.clamp(values - old, -epsilon, epsilon)
    return torch.maximum((values - returns) ** 2, (clipped - returns) ** 2).mean()


@pytest.mark.parametrize(
    "make, formula, first",
    [
        (lab5_ppo.surrogate_cases, autograd_surrogate, "new_log_probs"),
        (lab5_ppo.value_loss_cases, autograd_value_loss, "values"),
    ],
)
def test_gradients_worked_out_by_hand_against_autograd(make, formula, first):
    for case in make(np.random.default_rng(4), False):
        args = [
            torch.from_numpy(array_from_plain(a["tensor"]).astype(np.float64))
            if isinstance(a, dict)
            else a
            for a in case["args"].values()
        ]
        args[0].requires_grad_(True)
        loss = formula(*args)
        (gradient,) = torch.autograd.grad(loss, args[0])
        expect = case["expect"]
        assert loss.item() == pytest.approx(
            float(array_from_plain(expect["result"])), rel=1e-5, abs=1e-6
        )
        np.testing.assert_allclose(
            gradient.numpy(), array_from_plain(expect[f"grad:{first}"]), rtol=1e-4, atol=1e-6
        )


def test_k3_is_the_kl_divergence_on_average():
    """The mean of the estimator under the old policy is KL(old || new), computed by its sum."""
    rng = np.random.default_rng(0)
    old, new = (rng.dirichlet(np.ones(5)) for _ in range(2))
    exact = float((old * np.log(old / new)).sum())
    actions = rng.choice(5, 400_000, p=old)
    case = lab5_ppo._kl_case("x", np.log(new[actions]), np.log(old[actions]))
    assert float(case["expect"]["result"]["value"]) == pytest.approx(exact, rel=0.02)
