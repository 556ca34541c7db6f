"""Task cues: which words descriptions of a kind of task use, and which words its requests use.

Data only. The kinds are those that routing preferences are commonly written for.
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Task:
    """One kind of task."""

    name: str
    """The kind."""
    subjects: str
    """Words by which a preference's description speaks of this kind."""
    cues: str
    """Words that stand in requests of this kind."""
    shape: str = ""
    """A pattern that texts of this kind hold; each find counts twice a word's."""


TASKS = (
    Task(
        "code writing",
        "code coding generate snippet function script boilerplate program software implement develop schema sql",
        "implement code function script class program api endpoint regex sql ddl schema table column query "
        "migration unit test html css python javascript typescript rust golang java bash dockerfile yaml json "
        "refactor compile snippet",
        r"```|^[ \t]*(?:def|class|import|CREATE TABLE|SELECT|fn|func|const|public)\b",
    ),
    Task(
        "code reading",
        "understand explain existing debug review fix optimize error library refactor",
        "bug error exception traceback stack fix debug broken fails crash review refactor explain optimize slow",
        r"Traceback|Exception|Error:",
    ),
    Task(
        "reasoning",
        "reason analysis analyze analyse analytical deep complex logic logical math mathematical solve problem decision "
        "evaluate trade-off compare weigh strategy plan think",
        "analyze analyse analysis compare weigh evaluate assess trade-off tradeoff versus why because therefore decide "
        "decision recommend evidence consider implication prove calculate probability solve equation reason "
        "strategy risk pros cons benchmark ratio percent better worse",
    ),
    Task(
        "creative writing",
        "creative story storytelling poem poetry fiction lyrics character blog marketing",
        "story poem lyrics song character fiction novel imagine rhyme haiku dialogue plot essay slogan blog tale",
    ),
    Task(
        "summary",
        "summarize summary condense digest abstract shorten",
        "summarize summary tldr condense shorten abstract digest brief",
    ),
    Task(
        "translation",
        "translate translation language multilingual localize",
        "translate translation french german spanish chinese japanese italian english portuguese language",
    ),
    Task(
        "data",
        "data table spreadsheet csv chart statistic statistics visualization",
        "data dataset csv spreadsheet excel column row chart plot average median pandas statistics regression",
    ),
    Task(
        "conversation",
        "chat conversation casual greeting everyday small talk simple",
        "hi hello hey thanks thank bye morning how are you joke weekend favorite",
    ),
    Task(
        "facts",
        "fact factual knowledge question answer lookup history science culture trivia",
        "who what when where which capital president country year born invented history",
    ),
    Task(
        "law",
        "legal law contract clause statute court liability compliance",
        "legal law contract clause statute court sue liability lawyer tenant landlord agreement rights",
    ),
    Task(
        "health",
        "health medical medicine disease symptom medication treatment doctor clinical",
        "symptom pain doctor medication disease diagnosis treatment dose fever patient blood diet",
    ),
)
"""Every kind of task."""

CATCH_ALL = re.compile(
    r"\b(?:any|anything|everything|all|every|default|catch.?all|fallback|whatever)\b", re.IGNORECASE
)
"""What a description for everything says."""

STOP_WORDS = frozenset(
    [
        "a",
        "an",
        "and",
        "are",
        "as",
        "at",
        "be",
        "been",
        "by",
        "can",
        "could",
        "do",
        "does",
        "for",
        "from",
        "had",
        "has",
        "have",
        "he",
        "her",
        "his",
        "i",
        "if",
        "in",
        "into",
        "is",
        "it",
        "its",
        "me",
        "my",
        "no",
        "not",
        "of",
        "on",
        "or",
        "our",
        "she",
        "should",
        "so",
        "some",
        "such",
        "than",
        "that",
        "the",
        "their",
        "them",
        "then",
        "there",
        "these",
        "they",
        "this",
        "to",
        "us",
        "was",
        "we",
        "were",
        "will",
        "with",
        "would",
        "you",
        "your",
        "about",
        "also",
        "any",
        "all",
        "both",
        "each",
        "more",
        "most",
        "other",
        "only",
        "over",
        "own",
        "same",
        "too",
        "very",
        "just",
        "now",
        "new",
        "based",
        "use",
        "used",
        "using",
        "user",
        "users",
        "request",
        "requests",
        "prompt",
        "prompts",
        "task",
        "tasks",
        "please",
        "need",
        "needs",
        "want",
        "make",
        "get",
        "let",
    ]
)
"""Words that say nothing of a request's kind."""
