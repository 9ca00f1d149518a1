"""The code blocks of the pages, and a shell that runs them as their reader would.

A block ```sh is run line by line, and a block ```text after it is what it printed; `...` stands for anything.
A block whose title begins with "Not run by the tests" is not run.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.command_server import CommandServer

FENCE = re.compile(r"^```(?P<language>\w+)(?P<options>[^\n]*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
NOT_RUN = "Not run by the tests"
NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
PARTS = re.compile(rf"({NUMBER.pattern}|\.\.\.)")
SERVICE_SECONDS = 60.0
SERVICES = {"daemon": "cycle", "serve": "http://"}  # and what they print once they work


@dataclass(frozen=True, slots=True)
class Block:
    """A code block. language: as written behind the fence. line: of the fence in its page."""

    page: str
    line: int
    language: str
    code: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}\n{self.code}"


def blocks_of(page: Path, *languages: str) -> list[Block]:
    """Return a page's blocks of some languages but those that say they are not run."""
    text = page.read_text()
    return [
        Block(page.name, text.count("\n", 0, found.start()) + 1, found["language"], found["code"])
        for found in FENCE.finditer(text)
        if found["language"] in languages and NOT_RUN not in found["options"]
    ]


def lines_of(code: str) -> Iterator[str]:
    """Yield the command lines of a shell block without comments. A quoted text may go over several lines."""
    pending = ""
    for line in code.splitlines():
        pending += f"\n{line}" if pending else line
        try:
            words = shlex.split(pending, comments=True)
        except ValueError:  # the quotation goes on
            continue
        if words:
            yield pending
        pending = ""
    assert not pending, f"a quotation does not end: {pending}"


def is_as_shown(expected: str, printed: str) -> bool:
    """Return whether a text has the words and numbers that a page shows, whatever the spaces between them."""
    pattern = r"\s+".join(map(_pattern, expected.split()))
    found = re.fullmatch(rf"\s*{pattern}\s*", printed, re.DOTALL)
    return found is not None and all(map(_is_near, NUMBER.findall(expected), found.groups()))


def _pattern(word: str) -> str:
    """Return a pattern of a word that captures its numbers."""
    return "".join(
        ".*?" if part == "..." else f"({NUMBER.pattern})" if NUMBER.fullmatch(part) else re.escape(part)
        for part in PARTS.split(word)
    )


def _is_near(wanted: str, found: str) -> bool:
    """Return whether a number is equal, or nearly so where it has decimals: another processor may round it otherwise."""
    a, b = wanted.replace(",", ""), found.replace(",", "")
    decimals = len(a.partition(".")[2])
    return a == b if not decimals else abs(float(a) - float(b)) < 1.5 * 10.0**-decimals


class Shell:
    """Runs command lines in a folder, which is also its HOME. hosts: what stands in the place of the hosts that pages name."""

    def __init__(
        self, server: CommandServer, folder: Path, environment: dict[str, str], hosts: Mapping[str, str] | None = None
    ) -> None:
        self.folder = self.here = folder
        self.hosts = hosts or {}
        self.environment = {**environment, "HOME": str(folder)}
        self._server = server
        self._programs = folder / ".programs"
        self._programs.mkdir(exist_ok=True)
        program = self._programs / "tickercast"
        program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m tickercast "$@"\n')
        program.chmod(0o755)

    def copy(self, name: str) -> Shell:
        """Return a shell in a new folder, which has what is in this one's."""
        folder = self.folder.with_name(f"{self.folder.name}-{name}")
        shutil.copytree(self.folder, folder)
        return Shell(self._server, folder, self.environment, self.hosts)

    def run(self, block: Block) -> str:
        """Run a shell block and return what it printed. Raises AssertionError when a line fails."""
        return "".join(self._run_line(line, block) for line in lines_of(self.of_this_machine(block.code)))

    def of_this_machine(self, code: str) -> str:
        """Return code with servers of this machine in the place of the hosts."""
        for host, here in self.hosts.items():
            code = code.replace(host, here)
        return code

    def _run_line(self, line: str, block: Block) -> str:
        words = shlex.split(line, comments=True)
        if words[0] in ("export", "unset", "cd"):
            self._change(*words)
            return ""
        if words[1:] and words[1] in SERVICES and len(words) == 2:
            return self._service(words[1], SERVICES[words[1]], block)
        done = self._command(words[1:]) if _is_plain(line) else self._shell(line)
        assert done.returncode == 0, f"{block}\n{line}: exit code {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stderr + done.stdout

    def _change(self, command: str, what: str) -> None:
        """Do a line that changes the shell itself."""
        if command == "cd":
            self.here = self.here / Path(what.replace("~", str(self.folder), 1))
        elif command == "unset":
            self.environment.pop(what, None)
        else:
            name, _, value = what.partition("=")
            self.environment[name] = value.replace("~", str(self.folder), 1)

    def _command(self, arguments: list[str]) -> subprocess.CompletedProcess[str]:
        expanded = [_expanded(word, self.folder) for word in arguments]
        return self._server.run(self.here, expanded, self.environment)

    def _service(self, name: str, begun: str, block: Block) -> str:
        """Start the daemon or the pages, wait until it shows that it works, end it with Ctrl-C, and return what it printed."""
        service = self._server.start(self.here, [name], self.environment)
        deadline = time.monotonic() + SERVICE_SECONDS
        while begun not in service.printed_so_far() and not service.has_ended(0.05) and time.monotonic() < deadline:
            pass
        answer = _page_at(service.printed_so_far()) if name == "serve" else ""
        os.kill(service.pid, signal.SIGINT)
        done = service.wait()
        assert done.returncode == 0, f"{block}\nexit code {done.returncode}\n{done.stderr}"
        assert begun in done.stderr + done.stdout, f"{block}\n{done.stderr}"
        assert name != "serve" or "</html>" in answer, answer
        return done.stderr + done.stdout

    def _shell(self, line: str) -> subprocess.CompletedProcess[str]:
        """Run a line that is more than one command of ours in bash."""
        environment = {**self._server.environment, **self.environment}
        environment["PATH"] = f"{self._programs}:{environment['PATH']}"
        return subprocess.run(
            ["bash", "-euc", line], cwd=self.here, env=environment, capture_output=True, text=True, timeout=60, check=False
        )


def _is_plain(line: str) -> bool:
    """Return whether a line is one command of ours, without pipes and redirections outside of quotes."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.commenters = "#"
    words = list(lexer)
    return words[0] == "tickercast" and not any(set(word) <= set("|&;<>()") for word in words)


def _page_at(printed: str) -> str:
    """Return the page at the address that is in a text."""
    address = re.search(r"http://\S+", printed)
    assert address is not None, printed
    with urllib.request.urlopen(address[0], timeout=SERVICE_SECONDS) as answer:
        return str(answer.read().decode())


def _expanded(word: str, home: Path) -> str:
    return str(home) + word[1:] if word.startswith("~/") else word
