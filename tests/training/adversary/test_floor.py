"""The least loss that labels leave to a discriminator."""

import torch
from torch import nn

from sr.losses.gan import CrossEntropy, LeastSquares
from sr.training.adversary.floor import least_loss
from tests.close import assert_close


def best_of(labels, output, objective):
    """What gradient descent on the verdicts themselves comes down to; a coarse one covers several cells."""
    sides = [(-(-output.shape[-2] // step), -(-output.shape[-1] // step)) for step in (4, 2, 1)]
    verdicts = [nn.Parameter(torch.zeros(2, output.shape[0], 1, *side)) for side in sides]
    descent = torch.optim.LBFGS(verdicts, max_iter=500, tolerance_grad=1e-9, tolerance_change=0)

    def loss():
        enlarged = [
            one.repeat_interleave(step, -1).repeat_interleave(step, -2)[..., : output.shape[-2], : output.shape[-1]]
            for one, step in zip(verdicts, (4, 2, 1), strict=True)
        ]
        real, fake = torch.cat(enlarged, dim=2)
        descent.zero_grad()
        total = sum(objective.discriminator(real, fake, labels))
        total.backward()
        return total

    for _ in range(5):
        descent.step(loss)
    return loss().detach()


def test_it_is_what_the_best_verdicts_lose():
    share = torch.rand(2, 1, 7, 8, generator=torch.Generator().manual_seed(1))
    output = torch.zeros(2, 3, 7, 8)
    for objective in (CrossEntropy(), CrossEntropy(0.1)):
        labels = (1 - share, share)
        assert_close(least_loss(objective, labels, output, 1), best_of(labels, output, objective))


def test_whole_cells_and_whole_pictures():
    share = torch.zeros(1, 1, 8, 8)
    share[..., :4, :4] = 1
    assert least_loss(CrossEntropy(), (1 - share, share), torch.zeros(1, 3, 8, 8), 1) == 0
    smooth = least_loss(CrossEntropy(0.1), (1.0, 0.0), torch.zeros(2, 1, 1, 1), 1)
    assert_close(smooth, torch.tensor(0.325083))
    assert_close(least_loss(CrossEntropy(0.1), (1.0, 0.0), torch.zeros(2, 1, 1, 1), 3), smooth / 3)


def test_labels_that_are_sure_or_of_another_loss_have_none():
    assert least_loss(CrossEntropy(), (1.0, 0.0), torch.zeros(1, 1, 2, 2), 1) is None
    half = torch.full((1, 1, 2, 2), 0.5)
    assert least_loss(LeastSquares(), (half, half), torch.zeros(1, 1, 2, 2), 1) is None
