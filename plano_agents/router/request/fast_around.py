"""The fitted text around a conversation: of requests with one outline to one model it is the same."""

from plano_agents.protocol.adjustment import Adjustment
from plano_agents.protocol.outline import Beginning, cut_around
from plano_agents.protocol.request_body import RequestBody
from plano_agents.providers.cache_keys import Caching
from plano_agents.providers.fit.fitting import Fitting
from plano_agents.providers.fit.quiet import Quiet


class Around:
    """The text around a conversation.

    Args:
        before: What stands before it.
        after: What stands after it; of one with the session's key in it, what stands before and after the key.
        quiet: Tells the conversations that may stand in it.
        marks: How many marks for Anthropic's cache are in it.
        adjustments: What was changed in it.
    """

    __slots__ = ("_after", "_before", "_marks", "_quiet", "adjustments")

    def __init__(
        self,
        before: bytes,
        after: tuple[bytes, ...],
        quiet: Quiet,
        marks: int,
        adjustments: tuple[Adjustment, ...],
    ) -> None:
        self._before = before
        self._after = after
        self._quiet = quiet
        self._marks = marks
        self.adjustments = adjustments
        """What was changed in it."""

    @property
    def size(self) -> int:
        """Its length, in bytes."""
        return len(self._before) + sum(map(len, self._after))

    def put(self, request: RequestBody, caching: Caching) -> bytes | None:
        """Put a request's conversation into it, as it is; None where it may have to change.

        Args:
            request: The request, its outline known.
            caching: The help for its cache at the provider.
        """
        known, new = request.beginnings
        if (known is not new or self not in known.quiet_for) and not self._takes(request.conversation, known, new):
            return None
        if len(self._after) == 1 or caching.field is None:
            return b"".join((self._before, request.conversation, self._after[0]))
        key = str(caching.field[1]).encode()
        return b"".join((self._before, request.conversation, self._after[0], key, self._after[1]))

    def _takes(self, conversation: bytes, known: Beginning, new: Beginning) -> bool:
        """Check whether a conversation may stand in it as it is.

        Args:
            conversation: The conversation.
            known: What is known of its beginning.
            new: What is known of the conversation, to be learnt.
        """
        is_quiet = self._quiet.holds(conversation, self._marks, known.size if self in known.quiet_for else 0)
        if is_quiet and new.size:
            new.quiet_for = (*new.quiet_for, self)
        return is_quiet


def build_around(
    fitting: Fitting, request: RequestBody, body: bytes, caching: Caching, adjustments: tuple[Adjustment, ...]
) -> Around | None:
    """Build what stands around a request's conversation, once it is fitted; None where it depends on it.

    Args:
        fitting: What has fitted it.
        request: The request, its outline known.
        body: The same as its model takes it.
        caching: The help for its cache at the provider.
        adjustments: What was changed in it.
    """
    if caching.sets_marks or fitting.known.read(request.fields) is None:
        return None
    cut = cut_around(body, request.conversation)
    if cut is None:
        return None
    before, after = cut
    key = str(caching.field[1]).encode() if caching.field is not None else b""
    parts = tuple(after.split(key)) if key else (after,)
    if len(parts) > _AROUND_KEY or (key and key in before):
        return None
    return Around(before, parts, fitting.known.quiet, fitting.known.count_marks(request.fields), adjustments)


_AROUND_KEY = 2
