"""A command's way to its targets: the settings, the rule files and the cluster of whoever types it.

Law: what stops a command is said in one sentence on standard error, with an exit code that a script can rely on.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from watchdog.cluster.client import Cluster, ClusterError, ForbiddenError, UnreachableError
from watchdog.cluster.credentials import ConfigurationError
from watchdog.cluster.journal import ConfigMapJournal
from watchdog.commands.exit_codes import FINDINGS, UNREACHABLE, USAGE
from watchdog.commands.talk import missing_paths, misspelled, tell
from watchdog.core.annotations import UnreadableRecordError
from watchdog.core.journal import Journal
from watchdog.core.rules.language import Target
from watchdog.core.visible import visible
from watchdog.rulefiles.ruleset import RuleSet, read_rules
from watchdog.settings import Settings, SettingsError, load_settings


class StopError(Exception):
    """The command ends here; ``code`` is its exit code, the text is for people."""

    def __init__(self, sentence: str, code: int = FINDINGS) -> None:
        super().__init__(sentence)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What a command works with."""

    settings: Settings
    targets: tuple[Target, ...]
    cluster: Cluster

    def target(self, name: str) -> Target:
        """The target of that name. Raises StopError naming those that there are."""
        found = next((each for each in self.targets if each.target == name), None)
        if found is None:
            known = ", ".join(sorted(each.target for each in self.targets))
            raise StopError(f"no target {visible(name)!r} in {self.settings.rules}; there are: {known}", USAGE)
        return found

    def journal_namespace(self, target: Target) -> str:
        """Where the target's journal is."""
        return self.settings.namespace or target.namespace

    async def journal(self, target: Target) -> Journal | None:
        """The target's journal, None when there is none. Raises ClusterError, StopError for one that cannot be read."""
        namespace = self.journal_namespace(target)
        try:
            journal = await ConfigMapJournal(self.cluster, namespace, target.target).load()
        except UnreadableRecordError as error:
            raise StopError(f"the journal of {target.target} in the namespace {namespace}: {error}") from error
        if journal != Journal(target=target.target):
            return journal
        tell(
            f"the namespace {namespace} holds no journal of {target.target}: nothing has happened to it yet, or "
            "the watchdog runs elsewhere (name its namespace with WATCHDOG_NAMESPACE), or dry"
        )
        return None


Command = Callable[[Session], Awaitable[int]]


def run(command: Command, *, rules: Path | None) -> int:
    """Runs a command and returns its exit code; ``rules`` overrides the setting."""
    try:
        return asyncio.run(_run(command, rules))
    except StopError as stop:
        tell(str(stop))
        return stop.code
    except (SettingsError, ConfigurationError) as error:
        tell(str(error))
        return USAGE
    except (UnreachableError, ForbiddenError) as error:
        tell(str(error))
        return UNREACHABLE
    except ClusterError as error:
        tell(str(error))
        return FINDINGS


async def _run(command: Command, rules: Path | None) -> int:
    settings = load_settings(**{} if rules is None else {"rules": rules})
    for sentence in misspelled():
        tell(sentence)
    targets = _targets(settings.rules)
    async with await Cluster.connect(settings.kubeconfig, settings.kube_context) as cluster:
        return await command(Session(settings=settings, targets=targets, cluster=cluster))


def _targets(rules: Path) -> tuple[Target, ...]:
    if missing := missing_paths(rules, cure="say where the rule files are with --rules"):
        raise StopError("\n".join(missing), USAGE)
    read = read_rules(rules)
    if not isinstance(read, RuleSet):
        raise StopError("\n".join(map(str, read)))
    return read.targets
