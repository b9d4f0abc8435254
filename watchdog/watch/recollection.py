"""The journal of one target in memory, and its way to the store.

Law: what is remembered here is what the next process would read, or newer; whoever is overtaken by another writer reads
anew before it does anything else.
"""

from collections.abc import Callable

from watchdog.cluster.client import ConflictError
from watchdog.cluster.journal import JournalStore
from watchdog.core.annotations import UnreadableRecordError
from watchdog.core.journal import Journal, adopt, is_strange, post, send_off, why_stranded, worth_keeping
from watchdog.core.model import TargetStatus


class Recollection:
    """``journal`` is what is known now, and `keep` writes it; ``unreadable`` says why nothing is known."""

    def __init__(self, target: str, store: JournalStore, *, is_settled: Callable[[str], bool]) -> None:
        """``is_settled`` is asked for the key of each alert that is still in the outbox."""
        self.journal = Journal(target=target)
        self.unreadable = ""
        self._store = store
        self._is_settled = is_settled
        self._kept: Journal | None = None

    async def read(self, status: TargetStatus) -> bool:
        """Reads the journal when it has to be; True when it did. Raises ClusterError.

        It has to be at the start, after another writer, and when the objects testify of what it does not know.
        """
        if self._kept is not None and not is_strange(self.journal, status):
            return False
        self._kept = None
        try:
            kept = await self._store.load()
        except UnreadableRecordError as error:
            self.unreadable = str(error)
            return False
        self.unreadable = self._stranded(kept, status)
        if self.unreadable:
            return False
        self._kept = kept
        self.journal = self._with_unsent(adopt(kept, status))
        return True

    def _with_unsent(self, journal: Journal) -> Journal:
        """With what was posted here since the last writing, and is still to be sent: it is told once a process."""
        written = {alert.key for alert in journal.outbox}
        for alert in send_off(self.journal, self._is_settled).outbox:
            if alert.key not in written:
                journal = post(journal, alert)
        return journal

    @staticmethod
    def _stranded(kept: Journal, status: TargetStatus) -> str:
        """What is open and does not fit the rule file is not forgotten, nor can it be carried on."""
        why = why_stranded(kept, status)
        cure = f"remove the key trip of the ConfigMap canary-watchdog-{kept.target}, and it is ended as it is"
        return f"{why}; or {cure}" if why else ""

    async def keep(self) -> None:
        """Writes what is new. Raises ClusterError; ConflictError says that another writer was quicker."""
        if self.unreadable:
            return
        if self._kept is None:
            raise ConflictError("the journal was written by somebody else, and not read since")
        self.journal = send_off(self.journal, self._is_settled)
        worth = worth_keeping(self.journal)
        if worth == self._kept:
            return
        try:
            await self._store.save(worth)
        except (ConflictError, UnreadableRecordError) as error:
            self._kept = None
            raise ConflictError(str(error)) from error
        self._kept = worth
