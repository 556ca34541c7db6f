"""The kinds of task that the heads know, and which are kin."""

SUBJECT = "subject"
"""No kind of task: prompts and descriptions about a subject, such as flights."""

KINSHIP: dict[tuple[str, str], float] = {
    ("reasoning", "explain"): 0.5,
    ("explain", "facts"): 0.7,
    ("facts", "explain"): 0.6,
    ("copy", "creative"): 0.5,
    ("copy", "edit"): 0.3,
    ("edit", "copy"): 0.5,
    ("creative", "copy"): 0.3,
    ("devops", "code_write"): 0.4,
    ("devops", "code_fix"): 0.3,
    ("data", "code_write"): 0.1,
    ("extract", "data"): 0.2,
    ("extract", "summarize"): 0.2,
    ("command", "chat"): 0.2,
    ("plan", "explain"): 0.3,
    ("plan", "facts"): 0.2,
    ("chat", "facts"): 0.1,
    ("image", "creative"): 0.3,
    ("math", "reasoning"): 0.5,
    ("reasoning", "math"): 0.3,
    ("finance", "math"): 0.1,
    ("finance", "explain"): 0.2,
    ("support", "chat"): 0.2,
    ("code_fix", "code_write"): 0.3,
    ("code_write", "code_fix"): 0.2,
    ("plan", "reasoning"): 0.2,
    ("medical", "explain"): 0.3,
    ("legal", "explain"): 0.3,
    ("explain", "reasoning"): 0.2,
    ("edit", "summarize"): 0.1,
}
"""How well a preference for the second kind serves a prompt of the first, where no preference is for the first."""
