"""The command line: ``watchdog run``, ``check``, ``test``, ``backtest``, ``explain``, ``schema``, ``demo`` and more.

Law: data goes to standard output and talk to standard error; 0 is well, 1 findings, 2 wrong usage, 3 a server does not
answer, or does not let you. What a command does not need it does not import.
"""

import os
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Literal

import typer

from watchdog import __version__

app = typer.Typer(
    name="watchdog",
    help="Watches blue/green releases on Kubernetes and rolls a bad one back by itself.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Runs the command line."""
    if sys.stdout is None:  # closed by whoever wants the exit code alone
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - until the process ends
    # What a terminal has no sign for is shown as an escape, on standard output as on standard error: arrows, names.
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    is_unread = False
    try:
        app()
    except* BrokenPipeError:  # of tasks, in their group: of one alone typer takes care
        is_unread = True
    if is_unread:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is still to be flushed
        sys.exit(1)


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
    from watchdog.commands.run import run as run_watchdog  # noqa: PLC0415

    raise typer.Exit(run_watchdog(rules=rules, dry_run=dry_run, print_settings=print_settings))


@app.command()
def check(
    paths: Annotated[list[Path], typer.Argument(help="Rule files, or folders of them.", metavar="PATH...")],
    *,
    form: Annotated[
        Literal["text", "github", "json", "sarif"], typer.Option("--format", help="How to print what is wrong.")
    ] = "text",
    online: Annotated[
        bool, typer.Option("--online", help="Ask the servers of WATCHDOG_… too, and show each rule's value now.")
    ] = False,
) -> None:
    """Check rule files: every mistake of every file as file:line:column."""
    if online:
        from watchdog.commands.online import check_online  # noqa: PLC0415

        raise typer.Exit(check_online(paths, form=form))
    from watchdog.commands.check import check as check_files  # noqa: PLC0415

    raise typer.Exit(check_files(paths, form=form))


@app.command()
def explain(
    code: Annotated[
        str, typer.Argument(metavar="CODE", help="Such as R503; all if left out.", show_default=False)
    ] = "",
) -> None:
    """Say what a code of `check` means, with an example that is wrong and one that is right."""
    from watchdog.commands.check import explain as explain_code  # noqa: PLC0415

    raise typer.Exit(explain_code(code))


@app.command()
def schema() -> None:
    """Print the JSON Schema of rule files, for editors."""
    from watchdog.commands.check import schema as print_schema  # noqa: PLC0415

    raise typer.Exit(print_schema())


@app.command("test")
def play_tests(
    paths: Annotated[
        list[Path], typer.Argument(help="Files of tests, or folders of *.test.yaml files.", metavar="PATH...")
    ],
    *,
    only: Annotated[str, typer.Option("--run", metavar="REGEX", help="Only tests whose name matches.")] = "",
    junit: Annotated[Path | None, typer.Option(help="Write a JUnit file too.")] = None,
    coverage: Annotated[bool, typer.Option("--coverage", help="Show what the tests reach of each rule.")] = False,
    prometheus: Annotated[
        str, typer.Option(metavar="URL", help="An empty Prometheus that takes remote write, for input_series.")
    ] = "",
    prometheus_binary: Annotated[
        Path | None, typer.Option(help="The program to start for them.", show_default="the one on PATH, if any")
    ] = None,
    elasticsearch: Annotated[
        str, typer.Option(metavar="URL", help="Where input_documents go.", show_default="the simulator")
    ] = "",
) -> None:
    """Test rule files: play what a file of tests says through the rules, and compare."""
    from watchdog.commands.rule_tests import Options, run_tests  # noqa: PLC0415

    options = Options(
        paths=tuple(paths),
        only=only,
        junit=junit,
        coverage=coverage,
        prometheus=prometheus,
        prometheus_binary=prometheus_binary,
        elasticsearch=elasticsearch,
    )
    raise typer.Exit(run_tests(options))


_Since = Annotated[
    str,
    typer.Option(
        "--from", metavar="TIME", help="Start of the time to play: 2026-11-01T10:00:00Z, or how long ago, such as 30d."
    ),
]
_Switches = Annotated[Path | None, typer.Option(help="Who had the traffic, from a file: which color got it when.")]
_ActiveMetric = Annotated[
    str,
    typer.Option(
        metavar="EXPR",
        help=(
            "Who had the traffic, from Prometheus: the color whose series is greatest; may have {{ namespace }} and "
            "{{ target }}."
        ),
    ),
]
_Kubeconfig = Annotated[Path | None, typer.Option(help="Who had the traffic, from the journal in this cluster.")]
_Active = Annotated[str, typer.Option(metavar="COLOR", help="Who had the traffic: this color, all the time.")]
_Incidents = Annotated[Path | None, typer.Option(help="When something was really wrong: a file.")]


@app.command()
def backtest(
    rules: Annotated[
        Path, typer.Argument(help="A rule file, or a folder of them (then with --target).", metavar="RULES")
    ],
    *,
    since: _Since,
    until: Annotated[
        str,
        typer.Option("--to", metavar="TIME", help="End of the time to play, written like --from.", show_default="now"),
    ] = "",
    target: Annotated[
        str, typer.Option(help="Which target of the folder, if there are several.", show_default=False)
    ] = "",
    prometheus: Annotated[str, typer.Option(metavar="URL", help="Overrides WATCHDOG_PROMETHEUS__URL.")] = "",
    elasticsearch: Annotated[str, typer.Option(metavar="URL", help="Overrides WATCHDOG_ELASTICSEARCH__URLS.")] = "",
    switches: _Switches = None,
    active_metric: _ActiveMetric = "",
    kubeconfig: _Kubeconfig = None,
    active: _Active = "",
    incidents: _Incidents = None,
    against: Annotated[str, typer.Option(metavar="REV", help="Compare with the rule file of a git revision.")] = "",
    form: Annotated[Literal["text", "json", "markdown"], typer.Option("--format", help="How to print it.")] = "text",
    html: Annotated[Path | None, typer.Option(help="Write a page with plots too.")] = None,
) -> None:
    """Play the past through a rule file: what it would have done."""
    from watchdog.commands.backtest import run_backtest  # noqa: PLC0415
    from watchdog.commands.backtest_input import Hindsight, Options  # noqa: PLC0415

    hindsight = Hindsight(
        switches=switches, active_metric=active_metric, kubeconfig=kubeconfig, active=active, incidents=incidents
    )
    options = Options(
        rules=rules,
        since=since,
        until=until,
        target=target,
        prometheus=prometheus,
        elasticsearch=elasticsearch,
        hindsight=hindsight,
        against=against,
        form=form,
        html=html,
    )
    raise typer.Exit(run_backtest(options))


@app.command("pull-request")
def pull_request(
    paths: Annotated[list[Path], typer.Argument(help="Rule files, or folders of them.", metavar="PATH...")],
    *,
    since: _Since,
    against: Annotated[
        str, typer.Option(metavar="REV", help="Compare with this revision.", show_default="what is merged into")
    ] = "",
    switches: _Switches = None,
    active_metric: _ActiveMetric = "",
    kubeconfig: _Kubeconfig = None,
    active: _Active = "",
    incidents: _Incidents = None,
) -> None:
    """Backtest the rule files that a pull request on GitHub changes, and comment on it; a job of GitHub Actions."""
    from watchdog.commands.backtest_input import Hindsight  # noqa: PLC0415
    from watchdog.commands.pull_request import Options, run_pull_request  # noqa: PLC0415

    hindsight = Hindsight(
        switches=switches, active_metric=active_metric, kubeconfig=kubeconfig, active=active, incidents=incidents
    )
    options = Options(paths=tuple(paths), since=since, against=against, hindsight=hindsight)
    raise typer.Exit(run_pull_request(options))


@app.command()
def demo(
    *,
    keep: Annotated[bool, typer.Option("--keep", help="Go on after the story until ^C.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON an event instead of the picture.")] = False,
    picture: Annotated[Path | None, typer.Option(help="Save the last picture as an SVG file.")] = None,
) -> None:
    """Watch a bad release being rolled back, on a simulated cluster in this process."""
    from watchdog.commands.files import check_place  # noqa: PLC0415
    from watchdog.commands.session import StopError  # noqa: PLC0415
    from watchdog.demo.stage import perform  # noqa: PLC0415

    if as_json and picture is not None:
        raise typer.BadParameter("there is no picture with --json", param_hint="--picture")
    try:
        check_place("--picture", picture)
    except StopError as stop:
        typer.echo(str(stop), err=True)
        raise typer.Exit(stop.code) from stop
    raise typer.Exit(perform(keep=keep, as_json=as_json, picture=picture))


_Name = Annotated[str, typer.Argument(metavar="TARGET", help="A target of the rule files.", show_default=False)]
_Rules = Annotated[Path | None, typer.Option(help="Folder of rule files; overrides WATCHDOG_RULES.")]
_Shown = Annotated[bool, typer.Option("--dry-run", help="Print what kubectl would be told instead, and do nothing.")]


@app.command()
def pause(
    target: _Name,
    *,
    reason: Annotated[str, typer.Option(help="Told to whoever asks why.", show_default=False)] = "",
    lasting: Annotated[str, typer.Option("--for", help="How long, such as 2h.", show_default="until resumed")] = "",
    rules: _Rules = None,
    dry_run: _Shown = False,
) -> None:
    """Pause a target: the watchdog goes on watching it, and does nothing."""
    from watchdog.commands.pause import Pause  # noqa: PLC0415
    from watchdog.commands.session import run as perform  # noqa: PLC0415

    command = Pause(target=target, reason=reason, lasting=lasting, dry_run=dry_run)
    raise typer.Exit(perform(command, rules=rules))


@app.command()
def resume(target: _Name, *, rules: _Rules = None, dry_run: _Shown = False) -> None:
    """End the pause of a target; exits with 1 when something above it pauses it still."""
    from watchdog.commands.pause import Resume  # noqa: PLC0415
    from watchdog.commands.session import run as perform  # noqa: PLC0415

    raise typer.Exit(perform(Resume(target=target, dry_run=dry_run), rules=rules))


@app.command()
def trust(
    target: _Name,
    *,
    color: Annotated[str, typer.Option(help="The color to vouch for.", show_default="the idle one")] = "",
    rules: _Rules = None,
    dry_run: _Shown = False,
) -> None:
    """Vouch for a color as it is now, so that it may be rolled back to."""
    from watchdog.commands.session import run as perform  # noqa: PLC0415
    from watchdog.commands.trust import Trust  # noqa: PLC0415

    raise typer.Exit(perform(Trust(target=target, color=color, dry_run=dry_run), rules=rules))


@app.command()
def history(
    target: Annotated[str, typer.Argument(metavar="TARGET", help="All of them if left out.", show_default=False)] = "",
    *,
    output: Annotated[Literal["table", "json"], typer.Option("--output", "-o", help="How to show it.")] = "table",
    rules: _Rules = None,
) -> None:
    """Show the rollbacks of a target and the releases that were active, the newest first."""
    from watchdog.commands.history import History  # noqa: PLC0415
    from watchdog.commands.session import run as perform  # noqa: PLC0415

    raise typer.Exit(perform(History(target=target, as_json=output == "json"), rules=rules))


_Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
_EvenIf = Annotated[
    list[str] | None, typer.Option("--even-if", metavar="REASON", help="Override a guard; can be repeated.")
]
_Plan = Annotated[bool, typer.Option("--dry-run", help="Print the plan and do nothing.")]


@app.command()
def rollback(
    target: _Name,
    *,
    to: Annotated[str, typer.Option(metavar="COLOR", help="The color to return to.", show_default="the idle one")] = "",
    why: Annotated[str, typer.Option(help="Goes into the journal.")] = "a person asked for it",
    even_if: _EvenIf = None,
    yes: _Yes = False,
    dry_run: _Plan = False,
    rules: _Rules = None,
) -> None:
    """Roll a target back by hand: the same guards, writes and journal as when the watchdog does it."""
    from watchdog.commands.rollback import Consent, Rollback  # noqa: PLC0415
    from watchdog.commands.session import run as perform  # noqa: PLC0415

    consent = Consent(yes=yes, dry_run=dry_run, even_if=tuple(even_if or ()))
    raise typer.Exit(perform(Rollback(target=target, to=to, why=why, consent=consent), rules=rules))


@app.command()
def undo(
    trip: Annotated[str, typer.Argument(metavar="TRIP", help="The id of a rollback that has ended.")],
    *,
    even_if: _EvenIf = None,
    yes: _Yes = False,
    dry_run: _Plan = False,
    rules: _Rules = None,
) -> None:
    """Undo a rollback: give the color that was left its pods and the traffic back."""
    from watchdog.commands.rollback import Consent, Undo  # noqa: PLC0415
    from watchdog.commands.session import run as perform  # noqa: PLC0415

    consent = Consent(yes=yes, dry_run=dry_run, even_if=tuple(even_if or ()))
    raise typer.Exit(perform(Undo(trip=trip, consent=consent), rules=rules))
