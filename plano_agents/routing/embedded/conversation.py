"""The weight of each message of a conversation: a filter over what the conversation is about.

A hidden-Markov filter (Rabiner 1989, the forward pass) whose states are the preferences and *none of them*. Between
messages the state stays, with probability `STAY`, or is any other; a message then speaks for each preference by its
evidence, log odds against *none*. So the latest message weighs most, a message that fits nothing ("at seven, please")
changes little, and what was said before is a mild prior.
"""

from collections.abc import Sequence

import numpy as np

from plano_agents.routing.embedded.encoder import Floats

STAY = 0.9
"""The probability that the next message is about the same."""

LEAST_EVIDENCE = -1.0
"""Log odds below which a message speaks no further against a preference; a soft floor."""

MOST_EVIDENCE = 30.0
"""Log odds above which a message speaks no further for a preference."""

ASSISTANT_WEIGHT = 0.2
"""The weight of an assistant's message, by a user's: an agent's words on its steps are weak evidence of the wish."""


def weigh_messages(evidence: Floats, weights: Sequence[float]) -> Floats:
    """Score preferences by a conversation.

    Args:
        evidence: Log odds of each preference against none of them: messages, oldest first, by preferences.
        weights: What each message counts.

    Returns:
        The probability of each preference against *none*, from 0 to 1.
    """
    count = evidence.shape[1] + 1
    belief = np.full(count, 1 / count)
    for row, weight in zip(evidence, weights, strict=True):
        belief = STAY * belief + (1 - STAY) / count
        spoken = weight * np.append(np.minimum(np.logaddexp(row, LEAST_EVIDENCE), MOST_EVIDENCE), 0.0)
        belief *= np.exp(spoken - spoken.max())
        belief /= belief.sum()
    return np.asarray(belief[:-1] / (belief[:-1] + belief[-1]), np.float32)
