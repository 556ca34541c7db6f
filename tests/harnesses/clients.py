"""The agents as child processes: how each is begun and gone on with, and what it calls its tools.

Each is pointed at the router as its page says: ``claude-code.md``, ``opencode.md``, ``codex.md``. It has a home of its
own and no way out: what is not on loopback goes to a proxy that is not there.
"""

import json
import re
import subprocess
import sys
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, Any, ClassVar

from tests.children import running
from tests.harnesses import late_tools
from tests.harnesses.asked import Asked
from tests.harnesses.script import Kind, Use
from tests.patience import PATIENCE_SECONDS

MCP_COMMAND = [sys.executable, late_tools.__file__]
COMPACT_TOKENS = 50_000
"""How long a conversation Codex compacts."""
PAGES = Path(__file__).parents[2] / "docs" / "agents"


class ClientFailedError(Exception):
    """A client ended badly."""


class Client(ABC):
    """An agent in a folder of its own.

    Args:
        program: Its program.
        folder: Where its home and its project are made.
        url: The router's address, without ``/v1``.
    """

    page: ClassVar[str]
    """The name of its page."""
    tools: ClassVar[dict[Kind, str]]
    """What its tools are called, at the end of their names."""

    def __init__(self, program: Path, folder: Path, url: str) -> None:
        self._program = program
        self._home, self.project = folder / "home", folder / "project"
        self._url = url
        self._home.mkdir(parents=True)
        self.project.mkdir()
        self.configure()

    def files(self) -> dict[str, str]:
        """Give what stands in its project, file by file."""
        return {path.name: path.read_text() for path in self.project.rglob("*") if path.is_file()}

    @abstractmethod
    def configure(self) -> None:
        """Write its configuration."""

    def read_page(self, language: str) -> str:
        """Give the page's block of a language, with the router's address."""
        (block,) = re.findall(
            rf"^```{language}\b.*?\n(.*?)^```$", (PAGES / self.page).read_text(), re.MULTILINE | re.DOTALL
        )
        return str(block).replace("http://127.0.0.1:12000", self._url)

    @abstractmethod
    def environ(self) -> dict[str, str]:
        """The harness' environment, beside its home."""

    @abstractmethod
    def begin(self, words: str) -> str:
        """Begin a session with a user's words; give the last words of the answer."""

    @abstractmethod
    def go_on(self, words: str) -> str:
        """Go on with the session, in another process."""

    @classmethod
    @abstractmethod
    def arguments(cls, use: Use, asked: Asked) -> dict[str, Any]:
        """The arguments of one of its tools for a use."""

    @classmethod
    def name_tool(cls, use: Use, asked: Asked) -> tuple[str, dict[str, Any]]:
        """Give the tool of its for a use, by its offered name, and the arguments."""
        wanted = cls.tools[use.kind]
        name = next((name for name in asked.tools if name.split("__")[-1] == wanted), wanted)
        return name, cls.arguments(use, asked)

    def _run(self, *options: str) -> str:
        """Run it to its end; give what it said on standard output."""
        with self._running(*options, stdin=subprocess.DEVNULL) as process:
            said, complaints = process.communicate(timeout=PATIENCE_SECONDS)
        if process.returncode:
            raise ClientFailedError(f"{options} ended with {process.returncode}: {said[-2000:]}{complaints[-2000:]}")
        return said

    def _running(self, *options: str, stdin: int) -> AbstractContextManager["subprocess.Popen[str]"]:
        nowhere = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
        environ = {"HOME": str(self._home), "PATH": "/usr/bin:/bin", "NO_PROXY": "127.0.0.1", **nowhere}
        command: list[str | Path] = [self._program, *options]
        return running(command, cwd=self.project, environ=environ | self.environ(), stdin=stdin)


class ClaudeCode(Client):
    """Claude Code: it asks for a title by its SDK's control message, as its windows do.

    Args:
        has_small_model: Whether it is told which model small tasks ask for.
    """

    page = "claude-code.md"
    tools: ClassVar[dict[Kind, str]] = {
        "shell": "Bash",
        "read": "Read",
        "image": "Read",
        "agent": "Agent",
        "web": "WebSearch",
        "search": "ToolSearch",
        "unlock": late_tools.FIRST,
        "late": late_tools.LATE,
    }

    def __init__(self, program: Path, folder: Path, url: str, *, has_small_model: bool = True) -> None:
        self._has_small_model = has_small_model
        super().__init__(program, folder, url)

    def configure(self) -> None:
        server = {"command": MCP_COMMAND[0], "args": MCP_COMMAND[1:]}
        (self._home / "mcp.json").write_text(json.dumps({"mcpServers": {"late": server}}))

    def environ(self) -> dict[str, str]:
        exported = dict(re.findall(r"^export (\w+)=(\S+)$", self.read_page("sh"), re.MULTILINE))
        if not self._has_small_model:
            del exported["ANTHROPIC_DEFAULT_HAIKU_MODEL"]
        return exported | {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"}

    def begin(self, words: str, *, title: str | None = None) -> str:
        """Begin a session by asking for its title, from the user's words or from others."""
        messages = ["--input-format", "stream-json", "--output-format", "stream-json", "--verbose"]
        with self._running("-p", *messages, *self._options(), stdin=subprocess.PIPE) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            asking = {"subtype": "generate_session_title", "description": title or words, "persist": True}
            for request in ({"subtype": "initialize"}, asking):
                _write(process.stdin, {"type": "control_request", "request_id": "1", "request": request})
                if not any('"control_response"' in line for line in process.stdout):
                    raise ClientFailedError(f"It answered no {request!r}")
            _write(process.stdin, {"type": "user", "message": {"role": "user", "content": words}})
            process.stdin.close()
            ended = [json.loads(line) for line in process.stdout if '"type":"result"' in line]
        return str(ended[-1]["result"] if ended else None)

    def go_on(self, words: str) -> str:
        return self._run("-p", "--continue", words, *self._options()).strip()

    def _options(self) -> list[str]:
        allowed = ["Bash", "Agent", "ToolSearch", "WebSearch", "mcp__late"]
        servers = ["--mcp-config", str(self._home / "mcp.json"), "--strict-mcp-config"]
        return ["--allowedTools", *allowed, *servers]

    @classmethod
    def arguments(cls, use: Use, asked: Asked) -> dict[str, Any]:
        if use.kind == "shell":
            return {"command": use.argument, "description": "A command"}
        if use.kind == "agent":
            return {
                "description": "A task",
                "prompt": use.argument,
                "subagent_type": "general-purpose",
                "run_in_background": False,
            }
        if use.kind in {"read", "image"}:
            return {"file_path": use.argument}
        return {"query": use.argument} if use.kind in {"search", "web"} else {}


class OpenCode(Client):
    """opencode: its provider is the router, on one of the three APIs; it asks for a title by itself.

    Args:
        package: The package of the AI SDK that speaks the API.
    """

    page = "opencode.md"
    tools: ClassVar[dict[Kind, str]] = {
        "shell": "bash",
        "read": "read",
        "agent": "task",
        "unlock": f"late_{late_tools.FIRST}",
        "late": f"late_{late_tools.LATE}",
    }

    def __init__(self, program: Path, folder: Path, url: str, *, package: str = "@ai-sdk/openai-compatible") -> None:
        self._package = package
        super().__init__(program, folder, url)

    def configure(self) -> None:
        configuration = json.loads(self.read_page("json"))
        configuration["provider"]["plano"]["npm"] = self._package
        configuration |= {"permission": "allow", "autoupdate": False, "share": "disabled"}
        configuration["mcp"] = {"late": {"type": "local", "command": MCP_COMMAND}}
        (self.project / "opencode.json").write_text(json.dumps(configuration))

    def environ(self) -> dict[str, str]:
        off = ("AUTOUPDATE", "MODELS_FETCH", "LSP_DOWNLOAD", "DEFAULT_PLUGINS")
        return {f"OPENCODE_DISABLE_{name}": "1" for name in off}

    def begin(self, words: str) -> str:
        return self._run("run", words).strip().splitlines()[-1]

    def go_on(self, words: str) -> str:
        return self._run("run", "--continue", words).strip().splitlines()[-1]

    @classmethod
    def arguments(cls, use: Use, asked: Asked) -> dict[str, Any]:
        if use.kind == "shell":
            return {"command": use.argument, "description": "A command"}
        if use.kind == "read":
            return {"filePath": use.argument}
        if use.kind == "agent":
            return {"description": "A task", "prompt": use.argument, "subagent_type": "general"}
        return {}


class Codex(Client):
    """Codex: its provider is the router, on Responses; it asks for no title."""

    page = "codex.md"
    tools: ClassVar[dict[Kind, str]] = {
        "shell": "exec_command",
        "read": "exec_command",
        "patch": "apply_patch",
        "image": "view_image",
        "agent": "spawn_agent",
        "wait": "wait_agent",
        "search": "tool_search",
        "unlock": late_tools.FIRST,
        "late": late_tools.LATE,
    }

    def configure(self) -> None:
        folder = self._home / ".codex"
        folder.mkdir()
        (folder / "config.toml").write_text(
            f"""\
check_for_update_on_startup = false
model_auto_compact_token_limit = {COMPACT_TOKENS}
analytics.enabled = false
{self.read_page("toml")}
[mcp_servers.late]
command = {json.dumps(MCP_COMMAND[0])}
args = {json.dumps(MCP_COMMAND[1:])}
"""
        )

    def environ(self) -> dict[str, str]:
        return {"PLANO_KEY": "none"}

    def begin(self, words: str) -> str:
        return self._execute(words)

    def go_on(self, words: str) -> str:
        return self._execute("resume", "--last", words)

    def _execute(self, *words: str) -> str:
        free = ["--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox"]
        return self._run("exec", *free, *words).strip()

    @classmethod
    def arguments(cls, use: Use, asked: Asked) -> dict[str, Any]:
        if use.kind == "read":
            return {"cmd": f"cat {use.argument}"}
        field = {"shell": "cmd", "patch": "input", "image": "path", "agent": "message", "search": "query"}
        if use.kind in field:
            return {field[use.kind]: use.argument}
        if use.kind == "wait":
            return {"targets": re.findall(r"agent_id\W+([0-9a-f-]{36})", asked.text)[-1:]}
        return {}


def _write(stream: IO[str], message: dict[str, Any]) -> None:
    stream.write(json.dumps(message) + "\n")
    stream.flush()
