"""What runs in a cluster pays nothing for the simulator."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["watchdog.daemon", "watchdog.cli"])
def test_is_not_imported_with(module: str) -> None:
    program = f"import sys, {module}; print([name for name in sys.modules if name.startswith('watchdog.sim')])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
