"""Types a command: in this process, on a thread of its own, with nothing in its environment but what the test says."""

import asyncio
import os
from pathlib import Path

from typer.testing import CliRunner, Result

from watchdog.cli import app


async def type_command(*words: str | Path, **environment: str) -> Result:
    """What ``watchdog …`` printed and how it ended."""
    cleared: dict[str, str | None] = {name: None for name in os.environ if name.startswith("WATCHDOG_")}
    return await asyncio.to_thread(lambda: CliRunner().invoke(app, [*map(str, words)], env=cleared | environment))
