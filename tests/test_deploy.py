"""The files of deploy/ say what is true: systemd accepts the unit, commands exist, the image gets what the package needs."""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import tomllib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import typer
import yaml

from tests.conftest import clean_environment, command_of
from tickercast.jobs.cli.app import app
from tickercast.jobs.errors import ExitCode
from tickercast.jobs.workspace.home import Home

ROOT = Path(__file__).parent.parent
UNIT = ROOT / "deploy" / "tickercast.service"
PAGES_UNIT = ROOT / "deploy" / "tickercast-pages.service"
DOCKERFILE = re.sub(r"\\\n", " ", (ROOT / "deploy" / "Dockerfile").read_text())
COMPOSE = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())
PAGE = (ROOT / "docs" / "deploy.md").read_text()
IGNORED = (ROOT / ".dockerignore").read_text().splitlines()
MOST_EXPOSURE = 15  # tenths: systemd rates services from 0, fully confined, to 100
DEADLINE_SECONDS = 60.0
needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")


class Directives(dict[str, str]):
    """The directives of a section; one that is given again is appended on a line of its own."""

    def __setitem__(self, key: str, value: str) -> None:
        super().__setitem__(key, f"{self[key]}\n{value}" if key in self else value)


def service(unit: Path = UNIT) -> dict[str, str]:
    """Return the directives of a unit's section [Service]."""
    lines = unit.read_text().partition("[Service]")[2].partition("[Install]")[0].splitlines()
    found = Directives()
    for line in lines:
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found[key] = value
    return found


def instructions(name: str) -> list[str]:
    """Return the arguments of each instruction of a kind in the Dockerfile."""
    return re.findall(rf"^ *{name} +(.+)$", DOCKERFILE, flags=re.MULTILINE)


def options_of(line: str) -> tuple[str, set[str]]:
    """Return the command and the options of a command line of tickercast."""
    words = line.split()
    return words[0], {word for word in words if word.startswith("--")}


def known_options() -> dict[str, set[str]]:
    """Return the options of each command."""
    group = typer.main.get_command(app)
    commands = group.commands.items()  # type: ignore[attr-defined]
    return {name: {option for parameter in command.params for option in parameter.opts} for name, command in commands}


@pytest.fixture(params=[UNIT, PAGES_UNIT], ids=lambda path: path.name)
def runnable_unit(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return a unit with a program that exists here in ExecStart, since systemd checks that."""
    unit = tmp_path / request.param.name
    unit.write_text(request.param.read_text().replace("/opt/tickercast/bin/tickercast", sys.executable))
    return unit


def events_of(log: Path) -> list[str]:
    return [json.loads(line)["event"] for line in log.read_text().splitlines()]


def hear(ear: socket.socket, line: str) -> None:
    """Return once a line was sent to a socket of the notify protocol. Raises TimeoutError."""
    while line not in ear.recv(4096).decode().splitlines():
        pass


@pytest.mark.slow
@needs_systemd
def test_systemd_finds_no_fault_in_the_unit(runnable_unit: Path) -> None:
    verified = subprocess.run(["systemd-analyze", "verify", runnable_unit], capture_output=True, text=True, check=False)
    assert [
        line for line in verified.stderr.splitlines() if runnable_unit.name in line
    ] == []  # others are of units of this machine
    assert verified.returncode == 0


@pytest.mark.slow
@needs_systemd
def test_the_service_is_as_confined_as_stated(runnable_unit: Path) -> None:
    command = ["systemd-analyze", "security", "--offline=true", f"--threshold={MOST_EXPOSURE}", runnable_unit]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.slow
def test_the_command_of_the_service_tells_systemd_that_it_is_ready_alive_reloading_and_stopping(
    make_home: Callable[[str, str], Home], tmp_path: Path
) -> None:
    home = make_home("home", '[log]\nfile = "logs/first.log"\n')
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(tmp_path / "notify"))
        ear.settimeout(DEADLINE_SECONDS)
        given = {"TICKERCAST_HOME": str(home.folder), "NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "2000000"}
        command = command_of(*service()["ExecStart"].split()[1:])
        with subprocess.Popen(command, env=clean_environment(**given), stderr=subprocess.PIPE, text=True) as daemon:
            hear(ear, "READY=1")
            hear(ear, "WATCHDOG=1")
            (home.folder / "tickercast.toml").write_text('[log]\nfile = "logs/second.log"\n')
            daemon.send_signal(signal.SIGHUP)
            hear(ear, "RELOADING=1")
            hear(ear, "READY=1")
            daemon.terminate()
            hear(ear, "STOPPING=1")
            assert daemon.wait(DEADLINE_SECONDS) == 0
    first, second = (events_of(home.folder / "logs" / name) for name in ("first.log", "second.log"))
    assert (first[0], first[-1], second[-1]) == ("daemon started", "log continues elsewhere", "daemon stopped")


def test_the_service_runs_the_daemon_and_is_not_restarted_where_that_mends_nothing() -> None:
    unit = service()
    assert unit["ExecStart"] == "/opt/tickercast/bin/tickercast daemon"
    kept_down = {int(code) for code in unit["RestartPreventExitStatus"].split()}
    assert kept_down == {ExitCode.USAGE, ExitCode.INTEGRITY, ExitCode.LOCKED}
    assert (unit["Type"], unit["Restart"], unit["ExecReload"]) == ("notify", "on-failure", "/bin/sh -c 'kill -HUP $MAINPID'")


def test_service_and_container_name_a_home_below_the_folder_that_their_user_may_write_so_that_it_can_be_replaced() -> None:
    unit = service()
    assert unit["Environment"] == f"TICKERCAST_HOME=/var/lib/{unit['StateDirectory']}/home"
    assert "TICKERCAST_HOME=/data/home" in instructions("ENV")[0].split()
    assert instructions("VOLUME") == ["/data"]
    assert instructions("USER") == ["10001:10001"]
    assert service(PAGES_UNIT)["Environment"] == unit["Environment"]
    composed = COMPOSE["services"].values()
    assert {(*one["volumes"], one["read_only"], *one["cap_drop"]) for one in composed} == {("home:/data", True, "ALL")}


def test_the_pages_are_served_on_loopback_and_in_a_container_only_with_a_token() -> None:
    unit, compose = service(PAGES_UNIT), COMPOSE["services"]["pages"]
    assert unit["ExecStart"] == "/opt/tickercast/bin/tickercast serve"
    assert (unit["IPAddressDeny"], unit["IPAddressAllow"]) == ("any", "localhost")
    assert compose["command"] == ["serve", "--host", "0.0.0.0"]
    assert "TICKERCAST_WEB__TOKEN" in compose["environment"]
    assert compose["ports"] == ["127.0.0.1:8001:8001"]
    assert instructions("RUN")[1].split()[-1] == '".[${EXTRAS}]"'
    assert "EXTRAS=web" in instructions("ARG")


def test_the_image_gets_all_that_the_package_is_made_of() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    [package] = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    links = {path.readlink().name for path in (ROOT / package).iterdir() if path.is_symlink()}
    needed = {
        package,
        *links,
        "pyproject.toml",
        "constraints.txt",
        project["project"]["readme"],
        *project["project"]["license-files"],
    }
    copied = {word for line in instructions("COPY") if "--from" not in line for word in line.split()[:-1]}
    assert copied == needed
    assert {line[1:] for line in IGNORED if line.startswith("!")} == needed


def test_the_container_runs_the_daemon_and_its_health_is_the_check() -> None:
    assert (instructions("ENTRYPOINT"), instructions("CMD")[-1]) == (['["tickercast"]'], '["daemon"]')
    [health] = instructions("HEALTHCHECK")
    assert "tickercast status --check; case $? in 0|3) exit 0;; *) exit 1;; esac" in health
    assert options_of("status --check")[1] <= known_options()["status"]


@pytest.mark.parametrize(
    "path",
    [
        "deploy/Dockerfile",
        "deploy/compose.yaml",
        "deploy/cluster/compose.yaml",
        "deploy/cluster/start-local",
        "deploy/kubernetes/coordinator.yaml",
        "deploy/tickercast.service",
        "deploy/tickercast-pages.service",
        "docs/deploy.md",
    ],
)
def test_no_registry_is_named(path: str) -> None:
    assert re.findall(r"\b[\w-]+\.(?:io|com|org)\b", (ROOT / path).read_text()) == []


def test_the_page_shows_only_commands_and_options_that_exist() -> None:
    lines = re.findall(r"\b(?:tc|tickercast)(?: tickercast)? ([a-z]+(?: [-\w]+)*)", PAGE)
    found = [options_of(line) for line in lines]
    assert {command for command, _ in found} == {"init", "track", "status", "run", "sql", "db", "restore", "backfill"}
    assert [command for command, options in found if not options <= known_options().get(command, set())] == []


@pytest.mark.slow
def test_a_home_in_the_one_folder_that_may_be_written_is_moved_there_as_the_page_says_and_restored(
    make_home: Callable[[str, str], Home],
) -> None:
    data = make_home("data", '[backup]\nfolder = "backups"\n').folder
    moves = re.findall(r"(?:sh|tickercast) -c '(mkdir [^']+)'", PAGE)
    assert len(moves) == 2
    assert moves[0] == moves[1]
    subprocess.run(["sh", "-c", moves[0]], cwd=data, check=True)
    command = partial(subprocess.run, check=True, env=clean_environment(TICKERCAST_HOME=str(data / "home")))
    command(command_of("backup", str(data / "backups" / "x.tar")))
    command(command_of("restore", str(data / "backups" / "x.tar")))
    command(command_of("status"))
    [before] = data.glob("home.before-*")
    assert (before / "tickercast.db").exists()
    assert (data / "home").stat().st_mode & 0o777 == 0o750


def test_files_that_the_page_names_exist() -> None:
    assert [path for path in re.findall(r"\bdeploy/[\w.]+", PAGE) if not (ROOT / path).exists()] == []


CLUSTER = yaml.safe_load((ROOT / "deploy" / "cluster" / "compose.yaml").read_text())["services"]
# One stream of documents, as the page gives them to kubectl.
MANIFESTS = "".join(path.read_text() for path in sorted((ROOT / "deploy" / "kubernetes").glob("*.yaml")))
KUBERNETES = list(yaml.safe_load_all(MANIFESTS))


def options_of_dask(command: str) -> set[str]:
    """Return the options of `dask scheduler` or `dask worker`."""
    from distributed.cli import dask_scheduler, dask_worker

    program = {"scheduler": dask_scheduler, "worker": dask_worker}[command].main
    return {option for parameter in program.params for option in (*parameter.opts, *parameter.secondary_opts)}


def dask_commands() -> list[list[str]]:
    """Return each command line of dask in the files of the cluster, without its first word."""
    composed = [service["command"] for service in CLUSTER.values() if service.get("entrypoint") == ["dask"]]
    spec = KUBERNETES[0]["spec"]
    pods = [spec[part]["spec"]["containers"][0] for part in ("scheduler", "worker")]
    script = (ROOT / "deploy" / "cluster" / "start-local").read_text().replace("\\\n", "")
    local = [line.partition(">")[0].split()[1:] for line in re.findall(r"(\"\$bin/dask\" .*)", script)]
    return [*composed, *(pod["args"] for pod in pods), *local]


def test_the_commands_of_the_cluster_have_options_that_dask_knows() -> None:
    commands = dask_commands()
    assert sorted(words[0] for words in commands) == [*["scheduler"] * 3, *["worker"] * 3]
    unknown = [word for words in commands for word in words if word[:2] == "--" and word not in options_of_dask(words[0])]
    assert unknown == []


def test_the_documents_for_kubernetes_stay_apart_and_the_daemon_finds_a_home() -> None:
    assert [document["kind"] for document in KUBERNETES] == ["DaskCluster", "NetworkPolicy", "StatefulSet"]
    pod = KUBERNETES[-1]["spec"]["template"]["spec"]
    [init], [daemon] = pod["initContainers"], pod["containers"]
    assert init["args"] == ["init"]
    assert (init["env"], init["volumeMounts"]) == (daemon["env"], daemon["volumeMounts"])


def test_a_cluster_of_containers_gets_a_home_before_its_daemon_starts() -> None:
    lines = PAGE.partition("## A cluster")[2].splitlines()
    assert lines.index("docker compose run --rm coordinator init") < lines.index("docker compose up --detach")


def test_only_the_daemon_of_a_cluster_has_a_home_and_it_finds_the_scheduler_and_the_record() -> None:
    assert [name for name, service in CLUSTER.items() if "home:/data" in service.get("volumes", ())] == ["coordinator"]
    settings = {name: value for name, value in CLUSTER["coordinator"]["environment"].items() if name.startswith("TICKERCAST_")}
    assert settings == {
        "TICKERCAST_STORE__URL": "postgresql://tickercast@postgres/tickercast",
        "TICKERCAST_STORE__PRICES": "s3://bars/desk",
        "TICKERCAST_COMPUTE__ENGINE": "dask",
        "TICKERCAST_COMPUTE__SCHEDULER": "tcp://scheduler:8786",
    }
    daemon = KUBERNETES[-1]["spec"]["template"]["spec"]["containers"][0]["env"]
    assert {
        "name": "TICKERCAST_COMPUTE__SCHEDULER",
        "value": f"tcp://{KUBERNETES[0]['metadata']['name']}-scheduler:8786",
    } in daemon
    assert set(CLUSTER["coordinator"]["build"]["args"]["EXTRAS"].split(",")) == {"web", "postgres", "dask"}
