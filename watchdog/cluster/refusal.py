"""What the API server means when it does not do what it was asked, and what cures it.

Law: pure but for `TurnedAway`, which looks at a clock that is never set; the API server's own words are kept.
"""

import re
import time

import aiohttp

from watchdog.core import retry_after

SHORTEST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.5, 32.0
_FORBIDDEN = re.compile(r'User "([^"]+)" cannot (\S+) resource "([^"]+)"')
_NAMED = re.compile(r'^\S+ "([^"]+)" is forbidden')
_WITHIN = re.compile(r'in the namespace "([^"]+)"')


class TurnedAway:
    """Which calls were answered 429, and when they may be made again."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    def note(self, call: str, seconds: float) -> None:
        """The call may be made again in so many seconds."""
        self._until[call] = time.monotonic() + seconds

    def seconds_left(self, call: str) -> float:
        """How long it has still to wait; 0 for one that may be made."""
        left = self._until.get(call, 0.0) - time.monotonic()
        if left <= 0:
            self._until.pop(call, None)
        return max(0.0, left)


def seconds_to_wait(header: str | None, *, now: float) -> float:
    """The seconds of a Retry-After, 1 for none. The API server says at most 32; more is not waited for."""
    wanted = retry_after.read(header, now=now)
    return min(max(1.0 if wanted is None else wanted, SHORTEST_WAIT_SECONDS), LONGEST_WAIT_SECONDS)


def is_denied(message: str) -> bool:
    """True for the veto of an admission webhook or policy: whatever its status, asking again changes nothing."""
    return "denied the request" in message or "denied request" in message


def cure(status: int, message: str) -> str:
    """What to do about it, to be added to the sentence; "" when that says all."""
    found = _FORBIDDEN.search(message)
    if status == 403 and found:  # noqa: PLR2004 - a status
        user, verb, resource = found.groups()
        named, within = _NAMED.search(message), _WITHIN.search(message)
        where = f" -n {within[1]}" if within else ""
        what = f"{resource}/{named[1]}" if named else resource
        return (
            f". Allow it: the verb {verb} on {resource} in the watchdog's Role (the chart's is "
            f"helm/templates/roles.yaml); then `kubectl{where} auth can-i {verb} {what} --as {user}` says yes"
        )
    if status == 401:  # noqa: PLR2004 - a status
        return ". The token was read again and is refused: is its ServiceAccount deleted, or the file not renewed?"
    if "could not find the requested resource" in message:
        return ". It does not serve this kind of object in this version; `kubectl api-versions` lists what it serves"
    if is_denied(message):
        return ". Let that policy or webhook allow the user of the watchdog to change it"
    return ""


def no_connection(error: Exception) -> str:
    """Why there is no connection."""
    if isinstance(error, aiohttp.InvalidURL | aiohttp.NonHttpUrlClientError):
        return "the server in the kubeconfig is no URL; write one such as https://10.0.0.1:6443"
    text = str(error) or type(error).__name__
    if "CERTIFICATE_VERIFY_FAILED" not in text:
        return text
    why = re.sub(r".*certificate verify failed: |\s*\(_ssl\.c:\d+\).*", "", text)
    return (
        f"the certificate of the API server is not to be trusted, and nothing was sent to it: {why}. Look at the "
        "certificate that it serves, and at the authority and the address in the kubeconfig"
    )
