"""Three conversations of one agent's job: routed one by one they go to different models, under one id to one.

scripts/uv run --group examples examples/three_conversations.py
"""

from offline import running_router, show_turn

from plano_agents import model_affinity
from plano_agents.openai import OpenAI

TASKS = {
    "compare": "Compare PostgreSQL and MongoDB for a shop: weigh consistency, operation and growth step by step.",
    "write schema": "Write the CREATE TABLE statements for products, orders and order lines.",
    "find risks": "Reason about what can still go wrong with stock and payments, and which risk matters most.",
}


def run_job(client: OpenAI) -> None:
    """Do the tasks one after another, each in a conversation of its own that is told what came before."""
    context = "nothing yet"
    for task, request in TASKS.items():
        answer = client.chat.completions.with_raw_response.create(
            model="gpt-4o-mini",
            messages=[
                {"role": "system", "content": f"You help to choose a database. So far: {context}"},
                {"role": "user", "content": request},
            ],
        )
        show_turn(task, answer.headers)
        context = answer.parse().choices[0].message.content or ""


if __name__ == "__main__":
    with running_router() as url, OpenAI(base_url=url) as client:
        print("Without affinity:")
        run_job(client)
        print("\nWith one id for all three:")
        with model_affinity():
            run_job(client)
