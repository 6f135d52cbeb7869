"""Whether this machine is logged in to Weights & Biases, and what that means for a run."""

import netrc
import os
from pathlib import Path
from urllib.parse import urlsplit

from sr.types import UserError


def wandb_url() -> str:
    """The server: ``WANDB_BASE_URL``, or that of Weights & Biases."""
    return os.environ.get("WANDB_BASE_URL") or "https://api.wandb.ai"


def has_wandb_key() -> bool:
    """Whether this machine is logged in to Weights & Biases: by ``WANDB_API_KEY`` or by the netrc file."""
    if os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return True
    host = urlsplit(wandb_url()).netloc
    try:
        entry = netrc.netrc(_netrc_file()).authenticators(host)
    except (OSError, UnicodeDecodeError, netrc.NetrcParseError):
        return False
    return entry is not None and bool(entry[2])


def _netrc_file() -> Path:
    """Where W&B looks: ``NETRC``, else ``.netrc``, else ``_netrc`` as on Windows."""
    if os.environ.get("NETRC"):
        return Path(os.environ["NETRC"]).expanduser()
    usual = Path("~/.netrc").expanduser()
    return usual if usual.exists() else Path("~/_netrc").expanduser()


def wandb_mode(mode: str) -> str:
    """What ``auto`` means here; online is refused where W&B would ask for a key.

    Raises:
        UserError: a mode that does not exist, or online without a key.
    """
    source = f"logger.wandb.mode={mode}"
    if mode == "auto" and os.environ.get("WANDB_MODE"):
        mode = os.environ["WANDB_MODE"]
        source = f"WANDB_MODE={mode}"
    elif mode == "auto":
        return "online" if has_wandb_key() else "offline"
    if mode not in ("online", "offline", "disabled"):
        raise UserError(f"{source} is not one of online, offline, disabled")
    if mode == "online" and not has_wandb_key():
        raise UserError(f"{source} needs a key: run `wandb login` first, or set WANDB_API_KEY, or take offline")
    return mode
