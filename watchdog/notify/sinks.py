"""Which sinks the settings ask for.

Law: the addresses stay sealed in here; they are read when a sink sends.
"""

from watchdog.notify.delivery import Address
from watchdog.notify.outbox import Sink
from watchdog.notify.slack import SlackSink
from watchdog.notify.webhook import WebhookSink
from watchdog.settings import Settings


def sinks_of(settings: Settings) -> list[Sink]:
    """The sinks that have an address; a file wins over an inline address, as with every other secret."""
    webhook = Address(inline=settings.webhook_url, file=settings.webhook_url_file)
    slack = Address(inline=settings.slack_webhook_url, file=settings.slack_webhook_url_file)
    sinks: list[Sink] = []
    if webhook.is_given:
        sinks.append(WebhookSink(webhook))
    if slack.is_given:
        sinks.append(SlackSink(slack))
    return sinks
