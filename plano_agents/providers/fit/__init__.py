"""Fitting requests to their targets: one pure step over the target wire's document, passed through or translated.

`Fitting.fit` applies the rules of one target (`Rules`): a file per kind. Where nothing is to change nothing is
decoded: a request whose top-level fields ask for nothing, and whose bytes hold none of the target's marks, goes out
with its model's id alone.
"""

from plano_agents.providers.fit.fitting import Fitted, Fitting, build_fittings
from plano_agents.providers.fit.names import restore_names
from plano_agents.providers.fit.policy import refuse_altered
from plano_agents.providers.fit.rules import Rules

__all__ = ["Fitted", "Fitting", "Rules", "build_fittings", "refuse_altered", "restore_names"]
