"""The Slack-compatible incoming webhook: an alert as blocks, with a plain fallback.

Law: text of others is shown, never obeyed: no mention, link, formatting block or control character of theirs takes
effect; and no message is refused for its length, since each block is cut to Slack's limits and says so.

Limits and escaping: https://docs.slack.dev/reference/block-kit/blocks and …/messaging/formatting-message-text.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import aiohttp

from watchdog.core.alert import Alert, AlertKind
from watchdog.core.model import TrippedRule
from watchdog.core.visible import visible
from watchdog.notify.delivery import Address, deliver
from watchdog.notify.instant import iso

HEADER_LIMIT = 150
SECTION_LIMIT = 3000
FIELD_LIMIT = 2000
FIELDS_LIMIT = 10

_SECTIONS_A_LIST = 10  # header, sentence, fields, context and twice this many stay below the 50 blocks of a message
_FENCE = "```"
_FENCES = re.compile(r"`{3,}")  # there is no escape for them; apart, the backticks still show what was meant
_CUT = "…"
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_WHOLE_LINK = re.compile(r"https?://[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")
_BEYOND_BMP = 0xFFFF

Block = dict[str, Any]
_TITLES = {
    AlertKind.SWITCHED: "Rolled back",
    AlertKind.FINISHED: "Rollback finished",
    AlertKind.HELD: "Rollback held",
    AlertKind.GIVEN_UP: "Rollback given up",
    AlertKind.FIRING: "Firing",
    AlertKind.RESOLVED: "Resolved",
    AlertKind.BLIND: "Blind",
    AlertKind.PAUSED: "Still paused",
    AlertKind.LEASE: "Lease lost",
    AlertKind.DIGEST: "Many alerts",
    AlertKind.FORWARD: "Switched forward",
    AlertKind.RULES_REFUSED: "Rules refused",
}


@dataclass(frozen=True, slots=True)
class SlackSink:
    """Sends each alert to one incoming webhook of Slack, Mattermost or Rocket.Chat."""

    address: Address
    name: str = "slack"

    async def send(self, alert: Alert, session: aiohttp.ClientSession) -> None:
        """Sends it once. Raises DeliveryError."""
        await deliver(session, self.address, payload(alert))


def payload(alert: Alert) -> dict[str, Any]:
    """The message: ``blocks``, and ``text`` for notifications and for clients that show no blocks."""
    blocks = [
        {"type": "header", "text": {"type": "plain_text", "text": _clip(_title(alert), HEADER_LIMIT), "emoji": False}},
        _section(_clip(alert.text, SECTION_LIMIT)),
        {"type": "section", "fields": [_mrkdwn(field) for field in _fields(alert)]},
        *(_section(text) for text in _notes(alert)),
        *(_section(text) for text in _commands(alert)),
        {"type": "context", "elements": [_mrkdwn(text) for text in _context(alert)]},
    ]
    return {
        "text": _clip(f"{_title(alert)}: {alert.text}", SECTION_LIMIT),
        "blocks": blocks,
        # An address in a log line that we quote is not fetched for a preview.
        "unfurl_links": False,
        "unfurl_media": False,
    }


def _title(alert: Alert) -> str:
    return f"{_TITLES[alert.kind]}: {alert.target}"


def _fields(alert: Alert) -> Iterator[str]:
    facts = [("Target", alert.target), ("Namespace", alert.namespace)]
    if alert.from_color is not None or alert.to_color is not None:
        facts.append(("Color", f"{alert.from_color or '?'} → {alert.to_color or '?'}"))
    for name, text in facts:
        yield f"*{name}*\n{_clip(text, FIELD_LIMIT // 2)}"
    room = FIELDS_LIMIT - len(facts)
    fitting = alert.rules if len(alert.rules) <= room else alert.rules[: room - 1]
    for rule in fitting:
        yield f"*{_clip(rule.alert, FIELD_LIMIT // 4)}*\n{_clip(_evidence(rule), FIELD_LIMIT // 2)}"
    if len(fitting) < len(alert.rules):
        yield f"{_CUT} and {len(alert.rules) - len(fitting)} more rules"


def _evidence(rule: TrippedRule) -> str:
    value = "no value" if rule.value is None else f"{rule.value:g}"
    return f"{value}, healthy is {rule.threshold}, since {iso(rule.since)}"


def _notes(alert: Alert) -> Iterator[str]:
    lines = (f"*{_clip(name, FIELD_LIMIT // 4)}*: {_linked(text)}" for name, text in alert.notes)
    return _packed(lines, SECTION_LIMIT)


def _linked(text: str) -> str:
    """The text escaped; a link only when the whole text is one, so that what is shown is where it leads."""
    shown = _clip(text, FIELD_LIMIT)
    if shown.endswith(_CUT) or not _WHOLE_LINK.fullmatch(text):
        return shown
    return f"<{shown}>"


def _commands(alert: Alert) -> Iterator[str]:
    lines = (f"# {_clip(does, FIELD_LIMIT // 4)}\n{_clip(command, FIELD_LIMIT)}" for does, command in alert.commands)
    for text in _packed(lines, SECTION_LIMIT - 2 * len(f"{_FENCE}\n")):
        yield f"{_FENCE}\n{text}\n{_FENCE}"


def _context(alert: Alert) -> Iterator[str]:
    if alert.trip is not None:
        yield f"trip {_clip(alert.trip, FIELD_LIMIT)}"
    yield iso(alert.at)
    if alert.labels:
        yield _clip(", ".join(f"{name}={value}" for name, value in alert.labels), FIELD_LIMIT)


def _section(text: str) -> Block:
    return {"type": "section", "text": _mrkdwn(text)}


def _mrkdwn(text: str) -> Block:
    # verbatim: names and addresses in the text do not become mentions and links by themselves.
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _packed(pieces: Iterable[str], room: int) -> Iterator[str]:
    """The pieces joined by newlines into at most `_SECTIONS_A_LIST` texts that fit; the last one tells of the rest."""
    waiting = list(pieces)
    for _ in range(_SECTIONS_A_LIST - 1):
        if not waiting:
            return
        count = _fitting(waiting, room)
        yield "\n".join(waiting[:count])
        waiting = waiting[count:]
    if waiting:
        yield f"{_CUT} and {len(waiting)} more"


def _fitting(pieces: list[str], room: int) -> int:
    """How many of the pieces, but one at least, fit into the room together."""
    used = 0
    for count, piece in enumerate(pieces):
        used += _units(piece) + 1
        if count and used - 1 > room:
            return count
    return len(pieces)


def _clip(text: str, limit: int) -> str:
    """The text made visible and escaped, at most ``limit`` characters, never cut inside an entity, never empty."""
    shown = _FENCES.sub(lambda fence: " ".join(fence.group()), visible(text))
    pieces = [_ENTITIES.get(char, char) for char in shown] or ["-"]
    if sum(map(_units, pieces)) <= limit:
        return "".join(pieces)
    used, kept = len(_CUT), []
    for piece in pieces:
        used += _units(piece)
        if used > limit:
            break
        kept.append(piece)
    return "".join(kept) + _CUT


def _units(text: str) -> int:
    """The length in UTF-16 units, which is never less than what Slack counts."""
    return len(text) + sum(ord(char) > _BEYOND_BMP for char in text)
