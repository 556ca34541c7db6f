"""The agents of ``scripts/test-agents``: where each is installed from, how it is run, and what it calls its tools.

Each is pointed at the router as its page in ``docs/agents`` says: ``pi.md``, ``qwen-code.md``, ``mistral-vibe.md``,
``kilo.md``, ``aider.md``, ``cline.md``, ``continue.md``.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from plano_agents.cli.agents import AGENTS, Access, Setup
from tests.harnesses.asked import Asked
from tests.harnesses.clients import ClientFailedError
from tests.harnesses.script import Use
from tests.installing import SEARCH_PATH, alone_in, find_node, give_up, install_packages, set_up
from tests.patience import PATIENCE_SECONDS

PROGRAMS = Path(__file__).parent / "programs"
Tools = Mapping[str, tuple[str, Callable[[str], dict[str, Any]]]]
"""The agent's name of each kind of tool, and its arguments for a command or a task."""
Form = Literal["plain", "streamed"]
CLOSED = "http://127.0.0.1:9"
"""A proxy that is not there: what is not on loopback goes nowhere."""


@dataclass(frozen=True, slots=True)
class Guest:
    """An agent that is tested as it is published."""

    title: str
    """Its name, as people say it."""
    package: str
    """The package that is pinned, with its version."""
    wire: Literal["chat", "messages", "responses"]
    """The API that it speaks here."""
    run: Callable[["Stay", str, bool, Form], Sequence[str]]
    """Builds its command for a user's words, for the first time or to go on."""
    tools: Tools
    """Its tools."""
    forms: tuple[Form, ...] = ("streamed",)
    """True if it takes answers plain, streamed, or both as it is told."""
    session: Literal["own id", "implicit"] = "own id"
    """The source of its session."""
    goes_on: bool = True
    """True if another process goes on with its session."""
    program: str = ""
    """The program within what was installed; empty for the interpreter."""
    needs: tuple[str, ...] = ()
    """Further packages of its environment."""
    python: str | None = None
    """The interpreter of its own that it needs; None for node, or for the project's version of Python."""
    setup: Callable[[Access], Setup] = lambda _: Setup({})
    """Points it at a router."""
    environ: Mapping[str, str] = field(default_factory=dict)
    """Its environment beside that: what keeps it from calling home."""
    end: str = "All done."
    """The last words of a model that the agent takes for an end."""
    last: Use | None = None
    """The use of a tool that ends its run, where plain words do not."""
    is_js: bool = False
    """True if npm has it."""
    hears_calls: bool = True
    """True if its transcripts have the calls of tools; else they tell of them in words."""

    @property
    def version(self) -> str:
        """Its version."""
        return re.split(r"==|(?<=.)@", self.package)[-1]


@dataclass(frozen=True, slots=True)
class Stay:
    """A guest's stay: its folders, and the router that it is pointed at."""

    program: str
    """Its program, or its interpreter."""
    packages: Path
    """The folder that holds its packages."""
    folder: Path
    """Holds its home, its project, and files of ours."""
    access: Access
    """The router."""
    setup: Setup
    """Its settings for the router."""

    @property
    def options(self) -> list[str]:
        """The options that point it at the router."""
        return [option.replace("{files}", str(self.folder)) for option in self.setup.options]


def install(guest: Guest, root: Path) -> tuple[str, Path]:
    """Install a guest, unless it is; give its program, or its interpreter, and the folder that holds its packages."""
    folder = root / "build" / "agents" / re.sub(r"\W+", "-", guest.package).strip("-")
    folder.mkdir(parents=True, exist_ok=True)
    with alone_in(folder):
        if guest.is_js:
            if not (folder / "node_modules").exists():
                install_packages(folder, "--ignore-scripts", "--prefix", str(folder), guest.package, *guest.needs)
            if not guest.program:
                return find_node()[0], folder
            found = list(folder.glob(f"node_modules/{guest.program}"))
            if not found:
                give_up(f"{guest.package} has no {guest.program}")
            return str(found[0]), folder
        python, whole = folder / "bin" / "python", folder / "installed"
        if not whole.exists():
            uv = str(root / "scripts" / "uv")
            others = sorted(str(path) for path in Path.home().glob(".pyenv/versions/*/bin"))
            set_up(
                [uv, "venv", "--quiet", "--clear", "--python", guest.python or sys.executable, str(folder)],
                folder=folder,
                environ={"PATH": os.pathsep.join([os.environ["PATH"], *others])},
            )
            elsewhere = Path(tempfile.gettempdir())  # the project's own versions hold for the project alone
            packages = [guest.package, *guest.needs]
            set_up([uv, "pip", "install", "--quiet", "--python", str(python), *packages], folder=elsewhere)
            whole.touch()
        return str(folder / "bin" / (guest.program or "python")), folder


def stay(guest: Guest, installed: tuple[str, Path], folder: Path, url: str, model: str) -> Stay:
    """Give a guest its folders, and point it at a router."""
    for name in ("home", "project"):
        (folder / name).mkdir(parents=True)
    access = Access(url, "none", model, None)
    setup = guest.setup(access)
    for name, text in setup.files.items():
        (folder / name).write_text(text)
    return Stay(*installed, folder, access, setup)


def run(guest: Guest, at: Stay, words: str, form: Form, *, first: bool) -> str:
    """Run a guest to its end; give what it said.

    Raises:
        ClientFailedError: It ended badly.
    """
    environ = {
        "HOME": str(at.folder / "home"),
        "PATH": SEARCH_PATH,
        "NO_PROXY": "127.0.0.1",
        "HTTP_PROXY": CLOSED,
        "HTTPS_PROXY": CLOSED,
        **guest.environ,
        **{name: value.replace("{files}", str(at.folder)) for name, value in at.setup.environ.items()},
    }
    ended = subprocess.run(
        guest.run(at, words, first, form),
        cwd=at.folder / "project",
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    if ended.returncode:
        raise ClientFailedError(f"It ended with {ended.returncode}: {ended.stdout[-2000:]}{ended.stderr[-2000:]}")
    return ended.stdout


def name_tool(guest: Guest) -> Callable[[Use, Asked], tuple[str, dict[str, Any]]]:
    """Give the names of a guest's tools to a script."""

    def find(use: Use, _asked: Asked) -> tuple[str, dict[str, Any]]:
        name, build = guest.tools[use.kind]
        return name, build(use.argument)

    return find


def _shell(name: str, **more: object) -> tuple[str, Callable[[str], dict[str, Any]]]:
    return name, lambda command: {"command": command, **more}


def _read(name: str, path: str) -> tuple[str, Callable[[str], dict[str, Any]]]:
    return name, lambda file: {path: file}


def _write(name: str, path: str) -> tuple[str, Callable[[str], dict[str, Any]]]:
    return name, lambda file: {path: file, "content": "made\n"}


def _agent(name: str, task: str, **more: object) -> tuple[str, Callable[[str], dict[str, Any]]]:
    return name, lambda words: {task: words, **more}


def _point_openai(access: Access) -> Setup:
    name = access.model.rpartition("/")[2]  # openai-agents takes what stands before a slash for a provider of its own
    return Setup({"OPENAI_BASE_URL": access.v1, "OPENAI_API_KEY": access.key, "MODEL": name})


def _point_kilo(access: Access) -> Setup:
    config = {
        "model": f"plano/{access.model}",
        "small_model": f"plano/{access.model}",
        "provider": {
            "plano": {
                "npm": "@ai-sdk/openai-compatible",
                "options": {"baseURL": access.v1, "apiKey": access.key},
                "models": {access.model: {}},
            }
        },
        "permission": "allow",
        "autoupdate": False,
        "share": "disabled",
    }
    return Setup({"KILO_CONFIG_CONTENT": json.dumps(config)})


def _point_continue(access: Access) -> Setup:
    model = {
        "name": "plano",
        "provider": "openai",
        "model": access.model,
        "apiBase": access.v1,
        "apiKey": access.key,
        "roles": ["chat", "edit", "apply"],
        "useResponsesApi": False,
        "capabilities": ["tool_use"],
    }
    config = {"name": "plano", "version": "1.0.0", "schema": "v1", "models": [model]}
    return Setup({}, options=("--config", "{files}/continue.yaml"), files={"continue.yaml": json.dumps(config)})


def _point_llm(access: Access) -> Setup:
    model = {"model_id": "plano", "model_name": access.model, "api_base": access.v1, "supports_tools": True}
    environ = {"OPENAI_API_KEY": access.key, "LLM_USER_PATH": "{files}"}
    return Setup(environ, files={"extra-openai-models.yaml": json.dumps([model])})


def _run_cline(at: Stay, words: str, first: bool, _form: Form) -> list[str]:  # noqa: FBT001 - a row's function
    data = ["--data-dir", str(at.folder / "data")]
    if first:
        key = ["-k", at.access.key, "-m", at.access.model, "-b", at.access.v1]
        subprocess.run(
            [at.program, "auth", "-p", "openai", *key, *data],
            env={"HOME": str(at.folder / "home"), "PATH": SEARCH_PATH},
            check=True,
            capture_output=True,
        )
    return [at.program, *data, "-P", "openai", "-m", at.access.model, "--json", words]


def _run_script(name: str) -> Callable[[Stay, str, bool, Form], Sequence[str]]:
    """Build the command of a program of ours that uses an agents' library."""

    def build(at: Stay, words: str, _first: bool, form: Form) -> Sequence[str]:  # noqa: FBT001 - a row's function
        path = PROGRAMS / name
        if path.suffix == ".mjs":  # which finds its packages beside itself
            path = Path(shutil.copy(path, at.packages))
        return [at.program, str(path), words, form]

    return build


GUESTS: Mapping[str, Guest] = {
    "qwen": Guest(
        "Qwen Code",
        "@qwen-code/qwen-code@0.24.4",
        "responses",
        lambda at, words, first, _: [at.program, *at.options, *([] if first else ["--continue"]), "--yolo", words],
        {
            "shell": _shell("run_shell_command", is_background=False),
            "read": _read("read_file", "file_path"),
            "write": _write("write_file", "file_path"),
            "agent": _agent("agent", "prompt", description="A task", run_in_background=False),
        },
        program=".bin/qwen",
        setup=AGENTS["qwen"].build,
        environ={"QWEN_CODE_SUPPRESS_YOLO_WARNING": "1"},
        is_js=True,
    ),
    "pi": Guest(
        "pi",
        "@earendil-works/pi-coding-agent@1.6.0",
        "responses",
        lambda at, words, first, _: [at.program, *at.options, *([] if first else ["--continue"]), "-p", words],
        {"shell": _shell("bash"), "read": _read("read", "path"), "write": _write("write", "path")},
        program=".bin/pi",
        setup=AGENTS["pi"].build,
        environ={"PI_OFFLINE": "1", "PI_TELEMETRY": "0"},
        is_js=True,
    ),
    "vibe": Guest(
        "Mistral Vibe",
        "mistral-vibe==3.0.2",
        "chat",
        lambda at, words, first, _: [at.program, *([] if first else ["--continue"]), "--yolo", "-p", words],
        {"shell": _shell("bash"), "read": _read("read_file", "path"), "write": _write("write_file", "path")},
        program="vibe",
        python="3.12",
        setup=AGENTS["vibe"].build,
    ),
    "kilo": Guest(
        "Kilo",
        "@kilocode/cli-linux-x64@7.7.9",
        "chat",
        lambda at, words, first, _: [at.program, "run", *([] if first else ["--continue"]), words],
        {
            "shell": _shell("bash", description="A command"),
            "read": _read("read", "filePath"),
            "write": _write("write", "filePath"),
            "agent": _agent("task", "prompt", description="A task", subagent_type="general"),
        },
        program="@kilocode/*/bin/kilo",
        setup=_point_kilo,
        environ={f"KILO_DISABLE_{name}": "1" for name in ("AUTOUPDATE", "MODELS_FETCH", "LSP_DOWNLOAD")},
        is_js=True,
    ),
    "cline": Guest(
        "Cline",
        "cline@3.0.65",
        "chat",
        _run_cline,
        {
            "shell": ("run_commands", lambda command: {"commands": [command]}),
            "read": ("read_files", lambda file: {"files": [{"path": file}]}),
            "agent": _agent("spawn_agent", "task", systemPrompt="You help."),
        },
        session="implicit",
        goes_on=False,
        program=".bin/cline",
        environ={"CLINE_TELEMETRY_DISABLED": "1"},
        is_js=True,
    ),
    "continue": Guest(
        "Continue",
        "@continuedev/cli@1.5.47",
        "chat",
        lambda at, words, first, _: [
            *(at.program, *at.options, "--auto"),
            *(["-p", words] if first else ["--resume", "-p", words]),
        ],
        {"shell": _shell("Bash"), "read": _read("Read", "filepath"), "write": _write("Write", "filepath")},
        session="implicit",
        program=".bin/cn",
        setup=_point_continue,
        environ={"CONTINUE_TELEMETRY_ENABLED": "0"},
        is_js=True,
    ),
    "aider": Guest(
        "Aider",
        "aider-chat==0.86.2",
        "chat",
        lambda at, words, _first, form: [
            *(at.program, "--yes-always", "--no-git", "--no-check-update", "--analytics-disable"),
            *("--no-show-release-notes", "--restore-chat-history", "--message", words),
            *(["--no-stream"] if form == "plain" else []),
        ],
        {},
        ("plain", "streamed"),
        session="implicit",
        goes_on=False,
        program="aider",
        setup=AGENTS["aider"].build,
        environ={"LITELLM_LOCAL_MODEL_COST_MAP": "True"},
    ),
    "mini": Guest(
        "mini-swe-agent",
        "mini-swe-agent==2.4.6",
        "chat",
        lambda at, words, _first, _form: [
            *(at.program, "--yolo", "--exit-immediately", "--config", "mini.yaml"),
            *("--model", f"openai/{at.access.model}", "--task", words),
        ],
        {"shell": _shell("bash")},
        ("plain",),
        session="implicit",
        goes_on=False,
        program="mini",
        setup=AGENTS["aider"].build,
        environ={
            "MSWEA_CONFIGURED": "true",
            "MSWEA_COST_TRACKING": "ignore_errors",
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        },
        last=Use("shell", "echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT; echo All done."),
    ),
    "deepagents": Guest(
        "deepagents",
        "deepagents==0.7.32",
        "chat",
        _run_script("deep_agent.py"),
        {
            "shell": ("ls", lambda _: {"path": "/"}),
            "read": ("read_file", lambda file: {"file_path": f"/{Path(file).name}"}),
            "write": ("write_file", lambda file: {"file_path": f"/{Path(file).name}", "content": "made\n"}),
            "agent": _agent("task", "description", subagent_type="general-purpose"),
        },
        ("plain", "streamed"),
        session="implicit",
        goes_on=False,
        needs=("langchain-openai",),
        setup=_point_openai,
        environ={"LANGSMITH_TRACING": "false"},
    ),
    "openai-agents": Guest(
        "openai-agents (Python)",
        "openai-agents==0.24.0",
        "responses",
        _run_script("openai_agents.py"),
        {"shell": _shell("shell")},
        ("plain", "streamed"),
        session="implicit",
        goes_on=False,
        setup=_point_openai,
    ),
    "openai-agents-js": Guest(
        "@openai/agents (JS)",
        "@openai/agents@0.20.0",
        "responses",
        _run_script("openai_agents.mjs"),
        {"shell": _shell("shell")},
        ("plain", "streamed"),
        session="implicit",
        goes_on=False,
        needs=("zod",),
        setup=_point_openai,
        is_js=True,
    ),
    "ai": Guest(
        "Vercel ai",
        "ai@7.0.173",
        "responses",
        _run_script("vercel_ai.mjs"),
        {"shell": _shell("shell")},
        ("plain", "streamed"),
        session="implicit",
        goes_on=False,
        needs=("@ai-sdk/openai", "zod"),
        setup=_point_openai,
        is_js=True,
    ),
    "smolagents": Guest(
        "smolagents",
        "smolagents==1.26.0",
        "chat",
        _run_script("smol_agent.py"),
        {"shell": _shell("shell"), "end": ("final_answer", lambda words: {"answer": words})},
        ("plain", "streamed"),
        session="implicit",
        goes_on=False,
        needs=("openai",),
        setup=_point_openai,
        last=Use("end", "All done."),
        hears_calls=False,
    ),
    "llm": Guest(
        "llm",
        "llm==0.36",
        "chat",
        lambda at, words, first, form: [
            *(at.program, "-m", "plano", "-T", "llm_time", words),
            *([] if first else ["--continue"]),
            *(["--no-stream"] if form == "plain" else []),
        ],
        {"shell": ("llm_time", lambda _: {})},
        ("plain", "streamed"),
        session="implicit",
        program="llm",
        setup=_point_llm,
    ),
    "claude-agent-sdk": Guest(
        "claude-agent-sdk",
        "claude-agent-sdk==0.2.189",
        "messages",
        _run_script("claude_agent.py"),
        {
            "shell": _shell("Bash", description="A command"),
            "read": _read("Read", "file_path"),
            "write": _write("Write", "file_path"),
            "agent": _agent(
                "Agent", "prompt", description="A task", subagent_type="general-purpose", run_in_background=False
            ),
        },
        goes_on=False,
        setup=AGENTS["claude"].build,
        environ={"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"},
    ),
}
