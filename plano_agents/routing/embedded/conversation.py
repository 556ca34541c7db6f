"""The weight of each message of a conversation: a filter over what the conversation is about.

A hidden-Markov filter (Rabiner 1989, the forward pass) whose states are the preferences and *none of them*. Between
messages the state stays, with probability `STAY`, or is any other; a message then speaks for each preference by its
evidence, log odds against *none*. So the latest message weighs most, a message that fits nothing ("at seven, please")
changes little, and what was said before is a mild prior.

A score tells how likely a preference is against the likeliest other answer, be it another preference or none: above
one half the preference is the likeliest answer of all. It is flattened by a temperature (Guo et al. 2017), for
strangers' prompts are less like those that the weights were fitted to than these are like each other.
"""

from collections.abc import Sequence

import numpy as np

from plano_agents.routing.embedded.encoder import Floats

TEMPERATURE = 2.0
"""What log odds are divided by before they become a score; no decision at a threshold of one half depends on it."""

STAY = 0.9
"""The probability that the next message is about the same."""

LEAST_EVIDENCE = -1.0
"""Log odds below which a message speaks no further against what else was said; a soft floor."""

MOST_EVIDENCE = 30.0
"""Log odds beyond which a message speaks no further for a preference, or against it."""

ASSISTANT_WEIGHT = 0.2
"""The weight of an assistant's message, by a user's: an agent's words on its steps are weak evidence of the wish."""


def weigh_messages(evidence: Floats, weights: Sequence[float]) -> Floats:
    """Score preferences by a conversation.

    Args:
        evidence: Log odds of each preference against none of them: messages, oldest first, by preferences.
        weights: What each message counts.

    Returns:
        The probability of each preference against the likeliest other answer, from 0 to 1.
    """
    count = evidence.shape[1] + 1
    belief = np.full(count, 1 / count)
    for row, weight in zip(evidence, weights, strict=True):
        belief = STAY * belief + (1 - STAY) / count
        heard = np.logaddexp(row, LEAST_EVIDENCE) if len(evidence) > 1 else row
        spoken = weight * np.append(heard.clip(-MOST_EVIDENCE, MOST_EVIDENCE), 0.0)
        belief *= np.exp(spoken - spoken.max())
        belief /= belief.sum()
    runner_up, likeliest = np.sort(belief)[-2:]
    rivals = np.where(belief == likeliest, runner_up, likeliest)
    own, other = belief[:-1] ** (1 / TEMPERATURE), rivals[:-1] ** (1 / TEMPERATURE)
    return np.asarray(own / (own + other), np.float32)
