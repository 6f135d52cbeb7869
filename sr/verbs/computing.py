"""Where networks at work compute."""

from sr.devices import choose_device
from sr.errors import UserError
from sr.training.precision import Compute, choose_compute


def inference(accelerator: str) -> Compute:
    """Device for using networks. float32: a published number must not depend on the machine.

    Raises:
        UserError: there is no such device.
    """
    if accelerator not in ("auto", "cpu", "gpu", "mps"):
        raise UserError(f"--accelerator {accelerator} is not one of auto, cpu, gpu, mps")
    try:
        device = choose_device(accelerator, "--accelerator ")  # type: ignore[arg-type]
    except ValueError as error:
        raise UserError(str(error)) from error
    return choose_compute(device, "32", "auto")
