"""The command line: ``watchdog run``, ``check``, ``demo``.

Law: data goes to standard output and talk to standard error; 0 is well, 1 findings, 2 wrong usage. What a command does
not need it does not import.
"""

import asyncio
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from watchdog import __version__

if TYPE_CHECKING:
    from watchdog.settings import Settings

OK, FINDINGS, USAGE = 0, 1, 2

app = typer.Typer(
    name="watchdog",
    help="Watches blue/green releases on Kubernetes and rolls a bad one back by itself.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Runs the command line."""
    app()


def _show_version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it so
    if wanted:
        typer.echo(f"canary-watchdog {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Watches blue/green releases on Kubernetes and rolls a bad one back by itself."""


@app.command()
def run(
    *,
    rules: Annotated[Path | None, typer.Option(help="Folder of rule files; overrides WATCHDOG_RULES.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Decide and alert, but change nothing.")] = False,
    print_settings: Annotated[bool, typer.Option("--print-settings", help="Print the settings, redacted.")] = False,
) -> None:
    """Watch every target of the rule files until SIGTERM. Settings come from WATCHDOG_… variables."""
    from watchdog.settings import SettingsError, load_settings  # noqa: PLC0415

    overrides: dict[str, object] = {}
    if rules is not None:
        overrides["rules"] = rules
    if dry_run:
        overrides["dry_run"] = True
    try:
        settings = load_settings(**overrides)
    except SettingsError as error:
        _stop(str(error), USAGE)
    if print_settings:
        typer.echo(json.dumps(settings.shown(), indent=2))
    else:
        _run(settings)


@app.command()
def check(
    paths: Annotated[list[Path], typer.Argument(help="Rule files, or folders of them.", metavar="PATH...")],
) -> None:
    """Check rule files: every mistake of every file as file:line:column."""
    from watchdog.ruleset import check as check_paths  # noqa: PLC0415

    lines, code = check_paths(paths)
    for line in lines:
        typer.echo(line, err=code == USAGE)
    raise typer.Exit(code)


def _run(settings: "Settings") -> None:
    import structlog  # noqa: PLC0415

    from watchdog.cluster.client import ConfigurationError  # noqa: PLC0415
    from watchdog.daemon import MissingSourceError  # noqa: PLC0415
    from watchdog.daemon import run as run_daemon  # noqa: PLC0415
    from watchdog.logs import configure_logging  # noqa: PLC0415
    from watchdog.ruleset import RuleSet, read_rules  # noqa: PLC0415
    from watchdog.settings import unknown_variables  # noqa: PLC0415

    rules = read_rules(settings.rules)
    if not isinstance(rules, RuleSet):
        _stop("\n".join(map(str, rules)), FINDINGS)
    configure_logging(settings.log_format, settings.log_level)
    for name in unknown_variables(os.environ):
        structlog.get_logger().warning("unknown setting", name=name)
    try:
        asyncio.run(run_daemon(settings, rules))
    except (ConfigurationError, MissingSourceError) as error:
        _stop(str(error), USAGE)
    except OSError as error:
        _stop(f"cannot listen on {settings.listen}: {error}", USAGE)


def _stop(message: str, code: int) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(code)


@app.command()
def demo(
    *,
    keep: Annotated[bool, typer.Option("--keep", help="Go on after the story until ^C.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON an event instead of the picture.")] = False,
    picture: Annotated[Path | None, typer.Option(help="Save the last picture as an SVG file.")] = None,
) -> None:
    """Watch a bad release being rolled back, on a simulated cluster in this process."""
    from watchdog.demo.stage import perform  # noqa: PLC0415

    raise typer.Exit(perform(keep=keep, as_json=as_json, picture=picture))
