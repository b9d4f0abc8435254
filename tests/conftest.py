"""The fixtures that every test may ask for, and the last lines of the run.

Law: a real server is started when the first test asks for it, once a worker of the run, and is brought back after a
test that froze or killed it; what cannot be had skips the tests that need it, and the last lines of the run say so.

``control_plane``         a real Kubernetes: url, ca_file, admin (a client), kubeconfig, make_kubeconfig(token), audit()
``prometheus_server``     a real Prometheus: url, remote_write(Series(…)), query(), add_target(), suspend(), kill()
``elasticsearch_server``  a real Elasticsearch: url, index(index, documents), count(), suspend(), kill()
``secured_elasticsearch_server``  one with users and TLS, for this module alone: access
``guarded_prometheus``    one behind a path, with a password and mutual TLS, for this module alone: access
``newer_elasticsearch_server``  one of the next major version
``flux``                  a real Flux on ``control_plane``, for this test alone: keep(namespace, objects), reconcile()
``kubectl_program``       the command, of the control plane's version
``promtool``              the command, of Prometheus' version
``own_prometheus``        one more Prometheus for this test alone; ``own_prometheus_with("--flag")`` starts one
``own_control_plane``     one more Kubernetes for this module alone
``namespace``             the name of a fresh namespace on ``control_plane``
``banking``               a factory: ``banking()`` starts the banking application in ``namespace`` under load;
                          ``banking(Plan(style=BY_COLOR, replicas=2), prometheus=own_prometheus)``: `stack/banking.py`
``run``                   the folder of this run, if a test needs a place that other users may enter
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypeVar

import hypothesis
import pytest
from xdist.workermanage import WorkerController

from tests.stack.admin import path_of
from tests.stack.banking import DEFAULT, BankingApp, BankingFactory, Plan
from tests.stack.build import NEWER_ELASTICSEARCH_VERSION, PartUnavailableError, prometheus_binaries
from tests.stack.elasticsearch import ElasticsearchServer, finish_start, launch_elasticsearch
from tests.stack.event_loop import EventLoop
from tests.stack.flux import Flux, start_flux
from tests.stack.folders import run_folder
from tests.stack.kubernetes import ControlPlane, start_control_plane
from tests.stack.prometheus import PrometheusServer, start_prometheus
from tests.stack.tools import kubectl
from tests.stack.wait import wait_until

AnyServer = TypeVar("AnyServer", ControlPlane, PrometheusServer, ElasticsearchServer, Flux)
REAL = {"control_plane", "own_control_plane", "prometheus_server", "own_prometheus_with", "elasticsearch_server"}
REAL |= {"newer_elasticsearch_server", "secured_elasticsearch_server", "guarded_prometheus", "promtool"}
Server = ControlPlane | PrometheusServer | ElasticsearchServer | Flux

STARTED: pytest.StashKey[list[Server]] = pytest.StashKey()
MISSING: pytest.StashKey[dict[str, str]] = pytest.StashKey()


LINES_OF_A_LOG = 60

# How long an example takes says nothing on a machine that others share.
hypothesis.settings.register_profile("shared", deadline=None)
hypothesis.settings.load_profile("shared")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[STARTED] = []
    config.stash[MISSING] = {}
    config.addinivalue_line("markers", "slow: takes long; `make check` leaves them out")
    config.addinivalue_line("markers", "real: needs real servers; `-m 'not real'` leaves them out")


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what asks for a real server, so that nobody has to remember it."""
    for item in items:
        if REAL & set(getattr(item, "fixturenames", ())):
            item.add_marker("real")


def pytest_asyncio_loop_factories() -> dict[str, type[EventLoop]]:
    """Each test that is a coroutine runs on a loop of its own."""
    return {"tests": EventLoop}


@pytest.fixture(scope="session")
def run() -> Iterator[Path]:
    with run_folder() as folder:
        yield folder


@pytest.fixture(scope="session")
def control_plane(run: Path, pytestconfig: pytest.Config) -> Iterator[ControlPlane]:
    folder = run / "kubernetes"
    folder.mkdir()
    with _part(pytestconfig, "Kubernetes", lambda: start_control_plane(folder)) as plane:
        yield plane


@pytest.fixture(scope="module")
def own_control_plane(run: Path, pytestconfig: pytest.Config) -> Iterator[ControlPlane]:
    folder = run / f"kubernetes-{secrets.token_hex(3)}"
    folder.mkdir()
    with _part(pytestconfig, "Kubernetes", lambda: start_control_plane(folder)) as plane:
        yield plane


@pytest.fixture(scope="session")
def prometheus_server(run: Path, pytestconfig: pytest.Config) -> Iterator[PrometheusServer]:
    with _part(pytestconfig, "Prometheus", lambda: start_prometheus(run / "prometheus")) as server:
        yield server


@pytest.fixture
def own_prometheus_with(run: Path, pytestconfig: pytest.Config) -> Iterator[Callable[..., PrometheusServer]]:
    with ExitStack() as started:

        def start(*arguments: str) -> PrometheusServer:
            folder = run / f"prometheus-{secrets.token_hex(3)}"
            part = _part(pytestconfig, "Prometheus", lambda: start_prometheus(folder, *arguments))
            return started.enter_context(part)

        yield start


@pytest.fixture
def own_prometheus(own_prometheus_with: Callable[..., PrometheusServer]) -> PrometheusServer:
    return own_prometheus_with()


@pytest.fixture(scope="module")
def guarded_prometheus(run: Path, pytestconfig: pytest.Config) -> Iterator[PrometheusServer]:
    folder = run / f"prometheus-{secrets.token_hex(3)}"
    with _part(pytestconfig, "Prometheus", lambda: start_prometheus(folder, is_guarded=True)) as server:
        yield server


@pytest.fixture(scope="session")
def elasticsearch_server(
    _elasticsearch_begun: ElasticsearchServer | PartUnavailableError, pytestconfig: pytest.Config
) -> Iterator[ElasticsearchServer]:
    def finish() -> ElasticsearchServer:
        if isinstance(_elasticsearch_begun, PartUnavailableError):
            raise _elasticsearch_begun
        return finish_start(_elasticsearch_begun)

    with _part(pytestconfig, "Elasticsearch", finish) as server:
        yield server


@pytest.fixture(scope="session")
def _elasticsearch_begun(run: Path) -> Iterator[ElasticsearchServer | PartUnavailableError]:
    folder = run / "elasticsearch"
    folder.mkdir()
    try:
        server = launch_elasticsearch(folder)
    except PartUnavailableError as error:
        yield error
        return
    yield server
    server.stop()


@pytest.fixture(scope="session")
def newer_elasticsearch_server(run: Path, pytestconfig: pytest.Config) -> Iterator[ElasticsearchServer]:
    folder = run / f"elasticsearch-{secrets.token_hex(3)}"
    folder.mkdir()
    name = f"Elasticsearch {NEWER_ELASTICSEARCH_VERSION}"
    version = NEWER_ELASTICSEARCH_VERSION
    with _part(pytestconfig, name, lambda: finish_start(launch_elasticsearch(folder, version))) as server:
        yield server


@pytest.fixture(scope="module")
def secured_elasticsearch_server(run: Path, pytestconfig: pytest.Config) -> Iterator[ElasticsearchServer]:
    folder = run / f"elasticsearch-{secrets.token_hex(3)}"
    folder.mkdir()
    with _part(
        pytestconfig, "Elasticsearch", lambda: finish_start(launch_elasticsearch(folder, is_secured=True))
    ) as server:
        yield server


@pytest.fixture(scope="session", autouse=True)
def _slowest_first(request: pytest.FixtureRequest) -> None:
    """Elasticsearch takes longest: it starts in the background of the first test when any test needs it."""
    if any("elasticsearch_server" in getattr(item, "fixturenames", ()) for item in request.session.items):
        request.getfixturevalue("_elasticsearch_begun")


@pytest.fixture(autouse=True)
def _healed(pytestconfig: pytest.Config) -> Iterator[None]:
    yield
    for server in pytestconfig.stash[STARTED]:
        server.heal()


@pytest.fixture
def namespace(control_plane: ControlPlane) -> Iterator[str]:
    name = f"bank-{secrets.token_hex(4)}"
    control_plane.admin.create_namespace(name)
    account = path_of("serviceaccounts", name, "default")
    wait_until(lambda: control_plane.admin.exists(account), f"{account} is there: without it no pod is made")
    yield name
    control_plane.admin.delete_namespace(name)


@pytest.fixture
def flux(run: Path, namespace: str, control_plane: ControlPlane, pytestconfig: pytest.Config) -> Iterator[Flux]:
    folder = run / f"flux-{namespace}"
    with _part(pytestconfig, "Flux", lambda: start_flux(control_plane, folder)) as server:
        yield server


@pytest.fixture(scope="session")
def kubectl_program(pytestconfig: pytest.Config) -> Path:
    with _told_when_missing(pytestconfig, "kubectl"):
        return kubectl()


@pytest.fixture(scope="session")
def promtool(pytestconfig: pytest.Config) -> Path:
    with _told_when_missing(pytestconfig, "Prometheus"):
        return prometheus_binaries() / "promtool"


@pytest.fixture
def banking(
    run: Path,
    namespace: str,
    control_plane: ControlPlane,
    prometheus_server: PrometheusServer,
    elasticsearch_server: ElasticsearchServer,
) -> Iterator[BankingFactory]:
    with ExitStack() as started:

        def start(plan: Plan = DEFAULT, *, prometheus: PrometheusServer | None = None) -> BankingApp:
            folder = run / namespace
            folder.mkdir()
            app = BankingApp(
                namespace=namespace,
                plan=plan,
                plane=control_plane,
                prometheus=prometheus or prometheus_server,
                elasticsearch=elasticsearch_server,
                folder=folder,
            )
            started.callback(app.stop)
            app.start()
            return app

        yield start


@contextmanager
def _part(config: pytest.Config, name: str, start: Callable[[], AnyServer]) -> Iterator[AnyServer]:
    with _told_when_missing(config, name):
        server = start()
    config.stash[STARTED].append(server)
    try:
        yield server
    finally:
        config.stash[STARTED].remove(server)
        server.stop()


@contextmanager
def _told_when_missing(config: pytest.Config, name: str) -> Iterator[None]:
    try:
        yield
    except PartUnavailableError as error:
        config.stash[MISSING][name] = str(error)
        pytest.skip(f"{name} is not to be had: {str(error).splitlines()[0]}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Function, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Shows the end of what the processes of a failed test logged: on a machine that is gone nobody can look it up."""
    report = yield
    folder: Path | None = getattr(item, "funcargs", {}).get("tmp_path")
    if report.failed and folder is not None:
        for log in sorted(folder.rglob("*.log")):
            lines = log.read_text(errors="replace").splitlines()[-LINES_OF_A_LOG:]
            report.sections.append((f"the last lines of {log.name}", "\n".join(lines)))
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hands what this worker did not get to the process that prints the last lines; one process alone has no worker."""
    output: dict[str, dict[str, str]] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["missing"] = session.config.stash[MISSING]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: WorkerController) -> None:
    """Takes it over. A worker that crashed hands nothing over; its test has failed."""
    node.config.stash[MISSING].update(getattr(node, "workeroutput", {}).get("missing", {}))


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Prints the last lines of the run, below pytest's own summary."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or config.option.collectonly:
        return
    stats: dict[str, list[pytest.TestReport]] = reporter.stats
    missing = config.stash[MISSING]
    for line in last_lines(stats, missing):
        reporter.write_line(line)


def last_lines(stats: Mapping[str, Sequence[pytest.TestReport]], missing: Mapping[str, str]) -> list[str]:
    """The count, what could not be had, and every test that was skipped for whatever reason."""
    count = {name: len(stats.get(name, ())) for name in ("passed", "failed", "error", "skipped")}
    lines = [f"{count['passed']} passed, {count['failed'] + count['error']} failed, {count['skipped']} skipped"]
    lines += [f"MISSING PART {name}: {reason}" for name, reason in missing.items()]
    lines += [f"SKIPPED {report.nodeid}: {_reason(report)}" for report in stats.get("skipped", ())]
    return lines


def _reason(report: pytest.TestReport) -> str:
    return report.longrepr[2].removeprefix("Skipped: ") if isinstance(report.longrepr, tuple) else str(report.longrepr)
