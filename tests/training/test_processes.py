"""What several processes tell each other, as seen by the second of two; tests/training/test_ddp.py runs real ones."""

import numpy as np
import pytest
import torch
from torch import distributed

from sr.training.processes import average_over_processes, joint_batch, joint_samples, own_share

OWN, OTHER = torch.tensor([4.0, 6.0]), torch.tensor([1.0, 2.0])


@pytest.fixture
def second_of_two(monkeypatch):
    """The first process holds `OTHER` wherever this one exchanges something."""
    monkeypatch.setattr(distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(distributed, "get_world_size", lambda: 2)
    monkeypatch.setattr(distributed, "get_rank", lambda: 1)
    monkeypatch.setattr(distributed, "all_reduce", lambda tensor: tensor.add_(OTHER))
    monkeypatch.setattr(distributed, "all_gather", lambda parts, own: (parts[0].copy_(OTHER), parts[1].copy_(own)))


@pytest.mark.usefixtures("second_of_two")
def test_means_over_processes_are_no_sums():
    own = OWN.clone()
    assert torch.equal(average_over_processes(own), torch.tensor([2.5, 4.0]))
    assert torch.equal(own, OWN)  # what each process goes on with is its own


@pytest.mark.usefixtures("second_of_two")
def test_batches_and_samples_are_joined_in_the_order_of_the_processes():
    joint = joint_batch(OWN)
    assert torch.equal(joint, torch.cat([OTHER, OWN]))
    assert torch.equal(own_share(joint), OWN)
    assert joint_samples(np.array([6, 7])).tolist() == [4, 5, 6, 7]


def test_one_process_is_alone_with_its_own():
    assert average_over_processes(OWN) is joint_batch(OWN) is own_share(OWN) is OWN
    assert joint_samples(np.array([6, 7])).tolist() == [6, 7]
