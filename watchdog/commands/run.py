"""`watchdog run`: reads the settings and the rules, and hands them to the daemon.

Law: it starts with valid rules or not at all; 0 is an ordinary end, 1 a problem in a rule file, 2 a wrong setting or a
path with no rules.
"""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

from watchdog.commands.exit_codes import FINDINGS, OK, USAGE
from watchdog.commands.talk import missing_paths, misspelled, say, tell
from watchdog.rulefiles.ruleset import RuleSet, read_rules
from watchdog.settings import Settings, SettingsError, load_settings, unknown_variables


def run(*, rules: Path | None, dry_run: bool, print_settings: bool) -> int:
    """Watches until it is told to stop, and returns the exit code; what is not given is what the environment says."""
    overrides: dict[str, object] = {} if rules is None else {"rules": rules}
    if dry_run:
        overrides["dry_run"] = True
    try:
        settings = load_settings(**overrides)
    except SettingsError as error:
        return _stop(str(error), USAGE)
    if print_settings:
        for sentence in misspelled():
            tell(sentence)
        say(json.dumps(settings.shown(), indent=2))
        return OK
    if missing := missing_paths(settings.rules, cure="say where the rule files are with --rules or WATCHDOG_RULES"):
        return _stop("\n".join(missing), USAGE)
    read = read_rules(settings.rules)
    if not isinstance(read, RuleSet):
        return _stop("\n".join(map(str, read)), FINDINGS)
    return _watch(settings, read)


def _watch(settings: Settings, rules: RuleSet) -> int:
    # Imported here: settings and rules that are wrong are told without it.
    import structlog  # noqa: PLC0415

    from watchdog.clients import MissingSourceError  # noqa: PLC0415
    from watchdog.cluster.credentials import ConfigurationError  # noqa: PLC0415
    from watchdog.daemon import run as run_daemon  # noqa: PLC0415
    from watchdog.logs import configure_logging  # noqa: PLC0415
    from watchdog.rulefiles.subpath import FrozenRulesError  # noqa: PLC0415
    from watchdog.web.server import ListenError  # noqa: PLC0415

    configure_logging(settings.log_format, settings.log_level)
    for problem in rules.warnings:
        structlog.get_logger().warning("rule warning", sentence=str(problem))
    for name in unknown_variables(os.environ):
        structlog.get_logger().warning("unknown setting", name=name)
    try:
        asyncio.run(run_daemon(settings, rules, reloads=True))
    except (ConfigurationError, FrozenRulesError, ListenError, MissingSourceError) as error:
        return _stop(str(error), USAGE)
    return OK


def _stop(message: str, code: int) -> int:
    tell(message)
    return code
