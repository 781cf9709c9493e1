"""What contrastive methods share: two views on the sphere, and a linear layer that reads z out without moving it."""

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from leakaudit.debias import Batch, Objective, Out
from leakaudit.numerics import contrast, kernels
from leakaudit.numerics.kernels import Kernel


class Contrastive(Objective):
    """A contrastive loss of z, beside the cross-entropy of a classifier that cannot move z."""

    views = 2
    readout = True
    least = 2

    def __init__(self, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, batch: Batch, out: Out) -> Float[Tensor, ""]:
        """The sum of both."""
        return self.read(out, batch) + self.contrast(contrast.cosines(out.z) / self.temperature, batch)

    def contrast(self, s: Float[Tensor, "n n"], batch: Batch) -> Float[Tensor, ""]:
        """The contrastive loss; `s` is cosine over temperature."""
        raise NotImplementedError

    def read(self, out: Out, batch: Batch) -> Float[Tensor, ""]:
        """What the read-out goes down on."""
        return functional.cross_entropy(out.logits, batch.y)


class Graded(Contrastive):
    """The same for targets that are numbers: a kernel says how near two rows are; read out by mean absolute error."""

    def __init__(self, kernel: Kernel, sigma: float, temperature: float) -> None:
        super().__init__(temperature)
        self.kernel: Kernel = kernel
        self.sigma = sigma

    def contrast(self, s: Float[Tensor, "n n"], batch: Batch) -> Float[Tensor, ""]:
        """The contrastive loss on the kernel of each two rows' targets."""
        return self.graded(s, kernels.weights(batch.y, self.kernel, self.sigma))

    def graded(self, s: Float[Tensor, "n n"], w: Float[Tensor, "n n"]) -> Float[Tensor, ""]:
        """The loss, from cosines over temperature and the kernel."""
        raise NotImplementedError

    def read(self, out: Out, batch: Batch) -> Float[Tensor, ""]:
        """Mean absolute error of the target, in its standard deviations."""
        return functional.l1_loss(out.logits[:, 0], batch.y)
