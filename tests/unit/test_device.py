"""The device is chosen as said, and the reason printed is the true one."""

import pytest
import torch

from course_utils import device
from course_utils.device import choose_device


@pytest.fixture(autouse=True)
def keep_threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def machine(monkeypatch):
    return lambda found: monkeypatch.setattr(device, "found_accelerator", lambda: found)


def test_cpu_by_default_with_one_thread(machine, capsys):
    machine(None)
    torch.set_num_threads(2)
    assert choose_device() == torch.device("cpu")
    assert torch.get_num_threads() == 1
    out = capsys.readouterr().out
    assert "no GPU that PyTorch can use" in out
    assert "one thread" in out


def test_a_gpu_is_named_and_the_cpu_still_chosen(machine, capsys):
    machine(("cuda", "RTX Example"))
    assert choose_device().type == "cpu"
    out = capsys.readouterr().out
    assert "RTX Example" in out
    assert "takes longer than doing it on the CPU" in out


@pytest.mark.parametrize("prefer", ["auto", "cuda"])
def test_the_gpu_on_request(machine, capsys, prefer):
    machine(("cuda", "RTX Example"))
    torch.set_num_threads(2)
    assert choose_device(prefer).type == "cuda"
    assert torch.get_num_threads() == 2
    assert "Using: cuda, as asked" in capsys.readouterr().out


def test_what_is_not_there_is_said(machine, capsys):
    machine(("mps", "Apple GPU (MPS)"))
    assert choose_device("cuda").type == "cpu"
    assert "cuda was asked for, but it is not there" in capsys.readouterr().out
    machine(None)
    assert choose_device("auto", verbose=False).type == "cpu"
    assert capsys.readouterr().out == ""


def test_unknown_preference():
    with pytest.raises(ValueError, match="prefer must be one of cpu, auto, cuda, mps; got 'gpu'"):
        choose_device("gpu")
