"""Preferences as people describe them, read into what is compared: a line, its phrases, and what it is not for.

What instructs a router rather than describes a request is taken off (``Route here when the user wants …``, ``… based
on the prompt``), and so are words for making that stand beside anything (``generating new …``, ``code generation``).
A phrase of one word is read with the name before it. A phrase that begins with a negation (``not for …``, ``except …``)
says what a preference is not for, up to the end of its sentence. A name without meaning (``model_a``) is not read. A
preference is a *catch-all* where its name, or a whole phrase, says no more than that everything else goes there.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from plano_agents.config.model import Preference

MAX_PHRASES = 16
"""How many phrases of a preference are read; a client may send preferences of its own."""

_REMEMBERED = 1_024

_ASKED = r"(?:requests?|questions?|quer(?:y|ies)|prompts?|messages?|tasks?|conversations?|inquir(?:y|ies)|things?|work)"
_ASKER = r"(?:the[ ]|an?[ ]|your[ ]|our[ ])?(?:end.?)?(?:users?|customers?|clients?|persons?|people|someone|somebody|callers?|one)"
_ASKS = (
    r"(?:(?:is|are)[ ])?(?:wants?|asks?|asking|needs?|requests?|requesting|would[ ]like|looks?|looking|wish(?:es)?"
    r"|(?:is|are)[ ]trying|mentions?|talks?|brings?)"
)
_WRAPPERS = re.compile(
    rf"""(?:
      (?:please[ ])?(?:always[ ]|only[ ])?(?:route|send|direct|forward|pick|choose|select|use|prefer|take)s?\b
        (?:[ ](?:any|all|every|user|{_ASKED}|it|them|this|that|here|there|to|the|model|route|option|preference|one|
          only|mainly|mostly|whenever|primarily))*
        [ ](?:if|when(?:ever)?|where|for|here|in[ ]case|about|on|regarding|concerning|that[ ]need)\b
      | (?:if|when(?:ever)?|where|for)[ ](?={_ASKER}\b|{_ASKED}\b|it\b|what\b)
      | (?:in[ ]which[ ])?{_ASKER}[ ]{_ASKS}\b(?:[ ](?:you|us|the[ ](?:model|assistant|ai)|me|help))?
        (?:[ ](?:to|for|about|with|that))?
      | (?:any|all|every|other)?[ ]?{_ASKED}[ ](?:(?:that|which)[ ])?(?:(?:is|are)[ ])?
        (?:about|on|for|to[ ]do[ ]with|to|related[ ]to|relating[ ]to|regarding|concerning|involving|in[ ]which|where)\b
      | (?:anything|everything|whatever)[ ](?:(?:that[ ])?(?:is|has)[ ])?(?:about|on|related[ ]to|regarding|to[ ]do[ ]with)\b
      | (?:this[ ](?:route|model|one|preference)[ ])(?:is[ ](?:for|about)|handles|covers|takes|does|serves)\b
      | (?:it|what)[ ]is[ ]about\b | about\b | regarding\b
      | (?:handles|covers|(?:best|good|great|ideal|suited|suitable|meant|intended|made)[ ](?:for|at|to)
        |responsible[ ]for|specialised[ ]in|specialized[ ]in|expert[ ](?:in|on))\b
      | (?:generat|creat|mak|produc|provid)(?:es?|ing)[ ](?:(?:new|original|an?|the|any|some)[ ])*
      | (?:such[ ]as|e\.?g\.?|for[ ]example|for[ ]instance|including|like)\b
    )[ :,]*""",
    re.IGNORECASE | re.VERBOSE,
)
_EXAMPLES = re.compile(r"[,;]? ?\b(?:e\.g\.?|i\.e\.?)[,:]? ?", re.IGNORECASE)
_TAIL = re.compile(
    r",? (?:based on|according to|depending on|given|from|on) (?:the |a |an |their )?(?:(?:users?|users?['\u2019]s?|customers?)\b ?)?"
    r"(?:(?:prompts?|requirements?|requests?|input|needs|specifications?|instructions?|descriptions?|demand)"
    r"(?:,? (?:or|and) )?)+(?=[.,;]|$)",
    re.IGNORECASE,
)
_HERE = re.compile(r" (?:(?:to|with|by|on) this (?:model|route|one|preference)|here)[.]?$", re.IGNORECASE)
_NEGATION = re.compile(
    r"(?:^|(?<=[\s,;(.]))(?:(?:but|and) )?(?:(?:do not|don't|never) (?:use|route|send|pick|choose)\b(?: (?:this|it|here))*"
    r"|(?:(?:(?<=[,(] )|(?<=but )|^)not|not(?= (?:for|when|about|if)\b))|except|excluding|other than|rather than|instead of)\b"
    r"(?: (?:for|when|to|about|if))?[ ]+",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"[.;]\s|[.;)]$|[()]|\n")
_PHRASE_END = re.compile(r"[,;:.()\n]|\s(?:and|or)\s|\s-\s")
_EMPTY_PHRASE = re.compile(
    rf"(?:etc|more|so on|the like|similar|others?|also|then|only|mainly|or|and|the user|users?|{_ASKED}"
    r"|(?:user )?(?:prompts?|requirements?|requests?|input))\.?",
    re.IGNORECASE,
)
_EMPTY_NAME = re.compile(
    r"(?:(?:my|the|new|test)?[ ]?(?:routes?|models?|tiers?|options?|prefs?|preferences?|class|categor(?:y|ies)|groups?|types?"
    r"|buckets?|labels?|items?|lanes?|pools?|targets?|rules?|case|intents?|topics?|foo|bar|baz|x+)?[ ]?(?:\d+|[a-z])?)",
    re.IGNORECASE,
)
_MAKING = re.compile(r"(?<=\w) (?:generation|generator|creation|creator)$", re.IGNORECASE)
_EVERYTHING = re.compile(
    r"(?:(?:(?:absolutely |just |simply )?(?:anything|everything|whatever|all)(?: and everything)?(?: else| other)?"
    rf"|(?:any|all|every|the)? ?(?:other|remaining|kinds? of|sorts? of|general)? ?(?:{_ASKED}|topics?|others?|else|rest)"
    r"|(?:the )?rest|catch.?all|fall.?back|default(?: (?:route|model|preference|choice|option))?|none of the (?:above|others?)"
    r"|no (?:other )?match|misc(?:ellaneous)?|unmatched)"
    r"(?: (?:for|of) (?:anything|everything|the rest|all|other requests?)(?: else)?)?"
    r"(?: (?:(?:that|which) )?(?:(?:is|are|was|were) )?(?:not|does not|doesn't|do not|don't|did not|didn't|is not|isn't"
    r"|cannot|can't|no|none of)"
    r" (?:otherwise |be )?(?:the )?(?:fits?|match(?:es|ed)?|covered|handled|belongs?|listed|others?|above|elsewhere).*)?)",
    re.IGNORECASE,
)
_SAYS_EVERYTHING = re.compile(
    r"any|all|every|what|else|rest|catch|fall|default|none|no |misc|unmatched|other", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Description:
    """A preference, as far as texts are compared with it."""

    line: str
    """The whole of it: ``code generation: new functions and scripts``; never empty."""
    phrases: tuple[str, ...]
    """Its name, where that says something, and the phrases of its description; never empty."""
    excluded: tuple[str, ...]
    """The phrases that say what it is not for."""
    catch_all: bool
    """Whether it takes everything that no other preference does."""


@lru_cache(_REMEMBERED)
def read_description(name: str, description: str) -> Description:
    """Read a preference's name and description.

    Args:
        name: As configured: ``code_generation``.
        description: One line of prose; it may be empty.
    """
    spoken = re.sub(r"[\s_]+", " ", name).strip()
    said, excluded = _split_negations(_TAIL.sub("", _EXAMPLES.sub(", ", " ".join(description.split()))))
    sentences = [unwrapped for sentence in said if (unwrapped := _unwrap(sentence))]
    phrases = _split_phrases(sentences)
    catch_all = any(_is_everything(each) for each in (spoken, *phrases, *_PHRASE_END.split(description)))
    spoken = _MAKING.sub("", spoken)
    if _EMPTY_NAME.fullmatch(spoken) and phrases:
        spoken = ""
    if spoken:
        phrases = [spoken, *(phrase if " " in phrase else f"{spoken}: {phrase}" for phrase in phrases)]
    body = ", ".join(sentences)
    return Description(
        line=f"{spoken}: {body}" if spoken and body else spoken or body or name,
        phrases=tuple(dict.fromkeys(phrases))[:MAX_PHRASES] or (name,),
        excluded=tuple(dict.fromkeys(_split_phrases(excluded)))[:MAX_PHRASES],
        catch_all=catch_all,
    )


def is_catch_all(preference: Preference) -> bool:
    """Tell whether a preference says that it is for everything else."""
    return read_description(preference.name, preference.description).catch_all


def list_texts(preference: Preference) -> list[str]:
    """List the texts whose vectors `Scorer.build_target` needs."""
    read = read_description(preference.name, preference.description)
    return [read.line, *read.phrases, *read.excluded, *preference.examples]


def _split_negations(text: str) -> tuple[list[str], list[str]]:
    """Part what a description says into what it is for and what it is not for."""
    said, excluded = [], []
    for sentence in _SENTENCE_END.split(text):
        positive, *negative = _NEGATION.split(sentence)
        said.append(positive.strip(" ,-"))
        excluded += [part.strip(" ,-") for part in negative]
    return [part for part in said if part], [part for part in excluded if part]


def _unwrap(text: str) -> str:
    """Take instructions to a router off the front."""
    while (wrapper := _WRAPPERS.match(text)) is not None and wrapper.end():
        if not text[wrapper.end() :].strip(" ,."):
            break
        text = text[wrapper.end() :]
    return _HERE.sub("", text).strip(" ,.-")


def _split_phrases(sentences: list[str]) -> list[str]:
    phrases = [_unwrap(part.strip()) for sentence in sentences for part in _PHRASE_END.split(sentence)]
    return [phrase for phrase in phrases if phrase and not _EMPTY_PHRASE.fullmatch(phrase)]


def _is_everything(phrase: str) -> bool:
    phrase = phrase.strip(" .")
    return _SAYS_EVERYTHING.search(phrase) is not None and _EVERYTHING.fullmatch(_unwrap(phrase)) is not None
