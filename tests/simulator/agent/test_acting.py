"""Tools as real agents offer them: Claude Code 2.1, Codex 0.1xx, opencode, Gemini CLI, Cline, deepagents, MCP servers.

Only the beginnings of their descriptions are given; what follows there is not needed to tell.
"""

import pytest
from pydantic import JsonValue

from plano_agents.simulator.agent.acting import acts
from plano_agents.simulator.conversation import Tool


def build(name: str, description: str, parameter: str = "query") -> Tool:
    schema: dict[str, JsonValue] = {"type": "object", "properties": {parameter: {"type": "string"}}}
    return Tool(name, description, schema, "{}")


@pytest.mark.parametrize(
    ("name", "description"),
    [
        ("Agent", "Launch a new agent to handle complex, multi-step tasks."),
        ("Bash", "Executes a bash command and returns its output."),
        ("Edit", "Performs exact string replacement in a file."),
        ("Write", "Writes a file to the local filesystem, overwriting if one exists."),
        ("NotebookEdit", ""),
        ("TodoWrite", ""),
        ("KillShell", ""),
        ("CronCreate", ""),
        ("SendMessage", ""),
        ("EnterWorktree", ""),
        ("ExitPlanMode", ""),
        ("AskUserQuestion", ""),
        ("Skill", "Invoke a skill."),
        ("SlashCommand", ""),
        ("ScheduleWakeup", "Schedule when to resume work."),
        ("Workflow", "Execute a workflow script that orchestrates multiple subagents deterministically."),
        ("DeferredToolPlaceholder", "Keeps deferred tool loading active; never call this tool."),
        ("exec_command", "Runs a command in a PTY, returning output or a session ID."),
        ("write_stdin", "Writes characters to an existing unified exec session."),
        ("apply_patch", "Use the `apply_patch` tool to edit files."),
        ("multi_agent_v1__spawn_agent", ""),
        ("send_input", "Send a message to an existing agent."),
        ("local_shell", ""),
        ("bash", ""),
        ("todowrite", ""),
        ("task", ""),
        ("run_shell_command", ""),
        ("replace", ""),
        ("save_memory", ""),
        ("execute_command", ""),
        ("search_and_replace", ""),
        ("new_task", ""),
        ("write_todos", ""),
        ("mcp__github__create_issue", ""),
        ("mcp__slack__post_message", ""),
        ("runcommand", ""),
        ("slack_post_message", "Post a new message to a Slack channel"),
        ("slack_add_reaction", "Add a reaction emoji to a message"),
        ("slack_reply_to_thread", "Reply to a specific message thread in Slack"),
        ("git_add", "Adds file contents to the staging area"),
        ("git_reset", "Unstages all staged changes"),
        ("browser_click", "Perform click on a web page"),
        ("browser_type", "Type text into editable element"),
        ("puppeteer_fill", "Fill out an input field"),
        ("dismiss_notification", "Dismiss a notification by marking it as read or done"),
        ("rerun_failed_jobs", "Re-run only the failed jobs in a workflow run"),
        ("HassTurnOn", "Turns on/opens/presses a device or entity."),
        ("kubectl_scale", "Scale a Kubernetes deployment"),
        ("grant_access", ""),
        ("revoke_token", ""),
        ("rotate_key", ""),
        ("reboot_server", ""),
        ("restore_backup", ""),
        ("approve_request", ""),
        ("invite_user", ""),
        ("withdraw", ""),
        ("get_or_create_user", ""),
        ("helper", "Approves an expense and pays it out."),
        ("helper", "A tool that sends e-mail."),
        ("helper", "Looks a file up and deletes it."),
        ("helper", "Useful for running Python."),
        ("helper", "A helper. Removes the branch afterwards."),
        ("query_database", "Run a SQL query."),
        ("helper", "Creates a file of that name."),
    ],
)
def test_a_tool_that_has_effects_acts(name: str, description: str) -> None:
    assert acts(build(name, description))


@pytest.mark.parametrize(
    ("name", "description"),
    [
        ("Read", "Reads a file from the local filesystem.\n\n- `file_path` must be an absolute path."),
        ("Grep", "A powerful search tool built on ripgrep."),
        ("Glob", "Fast file pattern matching tool that works with any codebase size."),
        ("ToolSearch", "Fetches full schema definitions for deferred tools so they can be called."),
        ("WebSearch", "Allows Claude to search the web and use the results to inform responses."),
        ("view_image", "View a local image file from the filesystem when visual inspection is needed."),
        ("get_goal", "Get the current goal for this thread, including status, budgets, token usage."),
        ("todoread", "Use this tool to read your todo list."),
        ("list_directory", "Lists the names of files and subdirectories."),
        ("get_weather", "Get the current weather of a city."),
        ("get_order", "Get an order."),
        ("get_command_history", "Get the history."),
        ("check_credit", "Check the credit of a customer."),
        ("multiply", "Multiply two numbers."),
        ("my_adder_tool", "Adds two integers"),
        ("magic_function", "Applies a magic function to an input."),
        ("Joke", "Joke to tell user."),
        ("maps_place_details", "Get detailed information about a specific place"),
        ("database_type", "The type of a database."),
        ("evaluate", "Evaluate an arithmetic expression."),
        ("unicode_customer", "Create a customer with Unicode name."),
    ],
)
def test_a_tool_that_looks_something_up_does_not(name: str, description: str) -> None:
    assert not acts(build(name, description))


@pytest.mark.parametrize(
    ("parameter", "is_command"), [("command", True), ("shellCommand", True), ("description", False)]
)
def test_a_tool_that_takes_a_command_acts(parameter: str, is_command: bool) -> None:  # noqa: FBT001 - a parameter of the test
    assert acts(build("helper", "Helps.", parameter=parameter)) is is_command
