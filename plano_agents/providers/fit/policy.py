"""``unsupported_params``: whether a request may be changed so that its answer may differ from what was asked for."""

from collections.abc import Iterable

from plano_agents.config.model import UnsupportedParams
from plano_agents.errors import RefusedFieldError, UnsupportedFieldError
from plano_agents.protocol.adjustment import Adjustment


def refuse_altered(adjustments: Iterable[Adjustment], model_id: str, policy: UnsupportedParams) -> None:
    """Refuse a request whose answer may differ from what was asked for, because of what the model does not take.

    Args:
        adjustments: What was changed.
        model_id: What the provider calls the model, for the message.
        policy: What becomes of such requests.

    Raises:
        RefusedFieldError: It would, and the policy is to refuse.
        UnsupportedFieldError: It would, and another model may serve it.
    """
    altered = next((each for each in adjustments if each.alters), None)
    if altered is None or policy == "adapt":
        return
    kind = RefusedFieldError if policy == "refuse" else UnsupportedFieldError
    raise kind(
        f"The model {model_id!r} does not take {altered.field!r} as it is ({altered.text}), and unsupported_params is "
        f"{policy!r}. Leave the field out, or set unsupported_params to 'adapt'.",
        param=altered.field,
    )
