"""The models that can serve a request: its needs against what is known of them.

A model is passed over only for what is known of it; where nothing is, it can. What models can take is known to
``providers.profiles``, what a request needs to ``protocol.needs``.
"""

from collections.abc import Callable, Iterable

from plano_agents.config.model import ModelProfile
from plano_agents.protocol.needs import Needs


def find_unmet(profile: ModelProfile, needs: Needs) -> str | None:
    """Find what a request needs that a model cannot give: the limit or the capability; None where it can serve it.

    Args:
        profile: What the model can take.
        needs: What the request needs.
    """
    window = profile.context_window
    if window is not None and not needs.fits(window):
        return f"context_window {window}"
    if profile.images is False and needs.images:
        return "images"
    return "tools" if profile.tools is False and needs.tools else None


def put_suitable_first(models: Iterable[str], is_suitable: Callable[[str], bool]) -> list[str]:
    """Order candidates.

    Args:
        models: In the order in which they would be tried.
        is_suitable: Whether a model can serve the request.

    Returns:
        The same models: first those that can, then those that cannot, for what is known may be wrong; both in the
        order given.
    """
    return sorted(models, key=lambda model: not is_suitable(model))
