"""DSPy: `instrument()`, with `dspy.LM(…, engine="litellm")`.

Not covered: DSPy's own engine, its default since 3.4, which sends by sockets of its own; `dspy.Parallel`, whose threads
lose the scope.
"""

import dspy

from tests.frameworks.driver import QUESTION, weather

NEEDS = ["dspy>=3.4", "litellm>=1.80"]
NATIVE = False


def run(url: str) -> str:
    """Answer the question, by a model that calls the tool, twice."""
    llm = dspy.LM("openai/gpt-4o-mini", api_base=url, api_key="none", cache=False, engine="litellm")
    program = dspy.Predict("question: str, weather: str -> answer: str")
    with dspy.context(lm=llm, adapter=dspy.JSONAdapter()):
        first = program(question=QUESTION, weather=weather("Paris")).answer
        program(question=QUESTION, weather=weather("Rome"))
    return str(first) + weather("Paris")
