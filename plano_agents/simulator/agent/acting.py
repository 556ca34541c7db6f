"""Tools that act, rather than look something up: they run, write, edit, delete, send, spawn or schedule.

The simulated agent reads words, not intentions, so it leaves such tools alone: behind a real agent they have effects.
A tool acts when its name says so (``exec_command``, ``todowrite``), when a sentence of its description begins with it
("Executes a command", "Use this to send mail", "Reads and edits a file"), or when it takes a command. A name or a
description that begins with looking something up makes nouns of the words after it: ``get_order`` reads.
"""

import re

from plano_agents.simulator.conversation import Tool


def _list_words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_READS = _list_words(
    "check compare compute calculate convert count describe detect diff estimate explain fetch find get glob grep"
    " inspect list load look lookup ls measure peek query read recall retrieve search show summarize view wait watch"
)
"""Verbs of looking something up."""

_ACTS = _list_words(
    "act append apply approve archive assign attempt ban bash cancel charge checkout chmod chown clone cmd command"
    " commission commit console create cron decline decrypt delegate delete deploy destroy disable dismiss dispatch"
    " download drop edit email enable encrypt enqueue enroll erase eval exec execute forget fork grant handoff import"
    " increment insert install interpreter invite invoke kill kubectl launch lock merge mkdir modify multiedit mutate"
    " notify overwrite patch pay powershell publish purchase purge push python rebase reboot refund remind remove"
    " rename reopen repl replace rerun restart restore revert revoke rm rollback rotate run save schedule sed send"
    " shell shutdown skill spawn stdin subagent submit subscribe terminal terminate terraform todo toggle trash"
    " trigger truncate unlink unlock unzip update upload upsert wake wakeup webhook wipe withdraw workflow worktree"
    " write write_stdin"
)
"""Words that say of a tool that it acts, wherever they stand in its name."""

_ACTS_AS_VERB = _list_words(
    "accept add agent ask block book browse browser buy call clear click close comment complete computer connect"
    " control copy draft enter exit fill fire follow forward goal handle mail make mark mcp message migrate mode move"
    " new order perform pin play post press puppeteer put react register reject remember reply report request reset"
    " respond resume scale set share sign skip slash start stop store switch sync task tell transfer turn tweet type"
    " use vote wire"
)
"""Words that say so as the first of a name, and are nouns elsewhere; browsers and computers are there to be used."""

_ACTS_AFTER_OWNER = _list_words("add click drag post press reply reset start stop turn")
"""Words that say so after the name of whose tool it is: ``git_add``, ``slack_post_message``."""

_DESCRIBES = _list_words(
    "append approve archive ban book buy cancel clear clone close commit decline delegate delete deploy destroy"
    " dismiss dispatch drop edit email encrypt enqueue enroll erase execute grant hand handoff increment insert"
    " install invite invoke kill launch mail merge modify move notify overwrite patch pay post publish purchase push"
    " put rebase reboot remove rename reopen replace restart restore revoke rotate run save schedule send spawn start"
    " stop submit terminate transfer trigger update upload upsert wipe withdraw write"
)
"""Verbs that say so at the beginning of a sentence."""

_COMMANDS = _list_words("argv cmd command commands script shell")
"""Words that say so in the name of a parameter."""

_NAME_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_WITHIN = re.compile(
    r"^(?:creat|delet|edit(?!ion)|exec|install|modif|remov|run(?!time|n)|schedul|send|spawn|updat|writ)|write$|command|shell"
)
"""The same in words that are run together: ``runcommand``, ``todowrite``."""

_SENTENCE = re.compile(r"[.!?;:]\s+|\n[\s*•-]*")
_CLAUSE = re.compile(r",?\s+(?:and|or|then|to|that|which|can|will|for|by)\s+|,\s+", re.IGNORECASE)
_LEAD_IN = re.compile(
    r"(?:(?:use|call|useful|helpful|allows?|lets?|enables?|a|an|the|this|it|you|me|tools?|functions?|is|used|can|will"
    r"|to|that|which|safely|directly|always|please)\s+)+",
    re.IGNORECASE,
)
_CREATES = re.compile(
    r"creat(?:e|es|ing)\b.*\b(?:files?|folders?|directory|branch|issue|ticket|process|agents?)\b",
    re.IGNORECASE,
)
"""Making something of the world outside; a model that creates "a customer" may only be filling in a form."""

_FORBIDDEN = re.compile(r"\b(?:never|do not|don't) (?:call|use|invoke) this\b", re.IGNORECASE)


def acts(tool: Tool) -> bool:
    """Check whether a tool has effects, by its name, its description and its parameters."""
    return (
        _says_so(_split_name(tool.name))
        or any(_COMMANDS & {*_split_name(name)} for name in tool.members)
        or _describes_acting(tool.description)
    )


def _split_name(name: str) -> list[str]:
    """The words of a name, without the name of the server in front of them: ``mcp__mail__send``, ``ListAgents``."""
    return [part.lower() for part in _NAME_PART.findall(name.rpartition("__")[2] or name)]


def _says_so(words: list[str]) -> bool:
    at = next((at for at, word in enumerate(words) if word in {"and", "or"}), None)
    if at is not None:
        return _says_so(words[:at]) or _says_so(words[at + 1 :])
    if not words or words[0] in _READS:
        return False
    if words[0] in _ACTS_AS_VERB or not _ACTS_AFTER_OWNER.isdisjoint(words[1:2]):
        return True
    return any(word in _ACTS or _WITHIN.search(word) for word in words)


def _describes_acting(description: str) -> bool:
    first, *others = [sentence for sentence in _SENTENCE.split(description) if sentence] or [""]
    clauses = [*_CLAUSE.split(first), *others]
    return _FORBIDDEN.search(description) is not None or any(map(_begins_with_acting, clauses))


def _begins_with_acting(clause: str) -> bool:
    said = _LEAD_IN.sub("", clause.strip(), count=1)
    word = re.match(r"[A-Za-z]+", said)
    if word is None:
        return False
    return not _list_stems(word.group().lower()).isdisjoint(_DESCRIBES) or _CREATES.match(said) is not None


def _list_stems(word: str) -> set[str]:
    """The verbs that a form may be of: ``runs``, ``running``, ``writes``, ``writing``, ``copies``."""
    stems = {word}
    for ending, replacements in (("ies", ("y",)), ("es", ("", "e")), ("s", ("",)), ("ing", ("", "e"))):
        if word.endswith(ending):
            stems |= {word.removesuffix(ending) + each for each in replacements}
    return stems | {stem[:-1] for stem in stems if stem[-2:-1] == stem[-1:]}
