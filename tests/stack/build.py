"""Builds or fetches the real servers once, into a cache outside the checkout.

Law: what is in the cache under a key is complete; a part is built beside its place and moved there in one rename.

``python -m tests.stack.build`` builds every part; the fixtures call the same functions, so that a test run on a new
machine needs no other preparation. A part that cannot be had raises `PartUnavailableError`, whose text is what the last
lines of the test run print.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent
KUBERNETES_VERSION = "1.36.3"
PROMETHEUS_VERSION = "3.14.0"
ELASTICSEARCH_VERSION = "8.19.3"
NEWER_ELASTICSEARCH_VERSION = "9.4.3"
BUILD_SECONDS = 40 * 60


class PartUnavailableError(Exception):
    """A real server that cannot be had on this machine; the text says which and why."""


def cache_dir() -> Path:
    """Where built servers are kept: ``$CANARY_WATCHDOG_CACHE``, else ``~/.cache/canary-watchdog``."""
    override = os.environ.get("CANARY_WATCHDOG_CACHE")
    return Path(override) if override else Path.home() / ".cache" / "canary-watchdog"


def kubernetes_binaries() -> Path:
    """The folder that holds etcd, kube-apiserver, kube-controller-manager, kube-scheduler and kwok."""
    version = "k8s.io/component-base/version"
    major, minor, _ = KUBERNETES_VERSION.split(".")
    # Without the stamp the API server says v0.0.0-master, and charts with a kubeVersion refuse to install.
    ldflags = (
        f"-s -w -X {version}.gitVersion=v{KUBERNETES_VERSION} -X {version}.gitMajor={major} "
        f"-X {version}.gitMinor={minor} -X {version}.gitTreeState=clean"
    )

    def build(folder: Path) -> None:
        _go_build(HERE / "kubetools", folder, ["-ldflags", ldflags])
        (folder / "server").rename(folder / "etcd")

    return cached("kubernetes", _go_key(HERE / "kubetools"), build)


def prometheus_binaries() -> Path:
    """The folder that holds prometheus and promtool."""
    # remove_all_sd drops the cloud providers' service discovery; static and file discovery stay.
    ldflags = f"-s -w -X github.com/prometheus/common/version.Version={PROMETHEUS_VERSION}"
    flags = ["-tags", "remove_all_sd", "-ldflags", ldflags]
    return cached(
        "prometheus",
        _go_key(HERE / "prometheus"),
        lambda folder: _go_build(HERE / "prometheus", folder, flags),
    )


def flux_home() -> Path:
    """The folder that holds Flux's kustomize-controller, and ``crds`` with what its module says of its own kinds."""
    module = HERE / "flux"

    def build(folder: Path) -> None:
        _go_build(module, folder, ["-ldflags", "-s -w"])
        where = [_tool("go", "Go"), "list", "-m", "-f", "{{.Dir}}", "github.com/fluxcd/kustomize-controller"]
        source = run(where, cwd=module, env=_go_environment()).strip()
        (folder / "crds").mkdir()  # a copy of Go's folder would be as read-only as that one
        for definition in (Path(source) / "config" / "crd" / "bases").glob("*.yaml"):
            shutil.copyfile(definition, folder / "crds" / definition.name)

    return cached("flux", _go_key(module), build)


def elasticsearch_home(version: str = ELASTICSEARCH_VERSION) -> Path:
    """An unpacked Elasticsearch distribution, from the artifact that its own integration tests use."""

    def fetch(folder: Path) -> None:
        maven = _tool("mvn", "Maven")
        artifact = f"org.elasticsearch.distribution.integ-test-zip:elasticsearch:{version}:zip"
        copy = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
        run([maven, "-B", "-q", copy, f"-Dartifact={artifact}", f"-DoutputDirectory={folder}"], cwd=folder)
        (archive,) = folder.glob("*.zip")
        _unzip(archive, folder)
        archive.unlink()

    folder = cached("elasticsearch", version, fetch)
    return next(folder.glob("elasticsearch-*"))


def java_home(*, at_least: int) -> Path:
    """A JDK or JRE of at least that major version."""
    candidates = [Path(home) for home in (os.environ.get("JAVA_HOME"),) if home]
    candidates += sorted(Path("/usr/lib/jvm").glob("*")) if Path("/usr/lib/jvm").is_dir() else []
    on_path = shutil.which("java")
    if on_path:
        candidates.append(Path(on_path).resolve().parent.parent)
    for home in candidates:
        if (home / "bin" / "java").exists() and _java_major(home) >= at_least:
            return home
    raise PartUnavailableError(
        f"Elasticsearch needs Java {at_least} or newer, and none was found "
        f"(apt-get install openjdk-{at_least}-jre-headless)"
    )


def _java_major(home: Path) -> int:
    printed = subprocess.run([home / "bin" / "java", "-version"], capture_output=True, text=True, check=False).stderr
    version = printed.partition('"')[2].partition('"')[0]
    major = version.partition(".")[0].partition("-")[0]
    return int(major) if major.isdigit() else 0


def cached(name: str, key: str, make: Callable[[Path], None]) -> Path:
    """The folder of a part in the cache, made by ``make`` in a scratch folder when it is not there."""
    place = cache_dir() / f"{name}-{key}"
    if place.is_dir():
        return place
    place.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=place.parent))
    started = time.monotonic()
    print(f"building {name} into {place} (once; some minutes)", file=sys.stderr, flush=True)
    try:
        make(scratch)
        scratch.chmod(0o755)
        scratch.rename(place)
    except OSError as error:
        if not place.is_dir():  # otherwise another run was first, with the same bytes
            raise PartUnavailableError(f"{name}: {error}") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    print(f"built {name} in {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    return place


def _go_key(module: Path) -> str:
    go = _tool("go", "Go")
    version = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=True).stdout
    content = (module / "go.mod").read_bytes() + (module / "go.sum").read_bytes() + version.encode()
    return hashlib.sha256(content).hexdigest()[:12]


def _go_build(module: Path, folder: Path, flags: list[str]) -> None:
    command = [_tool("go", "Go"), "build", "-buildvcs=false", *flags, "-o", f"{folder}/", "tool"]
    run(command, cwd=module, env=_go_environment())


def _go_environment() -> dict[str, str]:
    return os.environ | {"CGO_ENABLED": "0", "GOFLAGS": "-trimpath", "GOTOOLCHAIN": "local"}


def _unzip(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as opened:
        for member in opened.infolist():
            path = Path(opened.extract(member, folder))
            mode = member.external_attr >> 16
            if mode and not member.is_dir():
                path.chmod(mode)


def _tool(command: str, name: str) -> str:
    path = shutil.which(command)
    if path is None:
        raise PartUnavailableError(f"{name} ({command}) is not installed")
    return path


def run(command: list[str], *, cwd: Path, env: dict[str, str] | None = None) -> str:
    """What a command printed; raises `PartUnavailableError` with its last lines when it fails."""
    try:
        done = subprocess.run(
            command, cwd=cwd, env=env, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise PartUnavailableError(f"{command[0]} did not end within {BUILD_SECONDS // 60} minutes") from error
    if done.returncode != 0:
        tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-15:])
        raise PartUnavailableError(f"{command[0]} failed with {done.returncode}:\n{tail}")
    return done.stdout


def newer_elasticsearch_home() -> Path:
    """The newest line of servers that the product's client speaks to."""
    return elasticsearch_home(NEWER_ELASTICSEARCH_VERSION)


def main() -> int:
    """Builds every part; prints what cannot be had and returns 1 for it."""
    missing = 0
    for part in (elasticsearch_home, newer_elasticsearch_home, kubernetes_binaries, prometheus_binaries, flux_home):
        try:
            print(f"{part.__name__}: {part()}", flush=True)
        except PartUnavailableError as error:
            missing += 1
            print(f"{part.__name__}: not to be had: {error}", flush=True)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
