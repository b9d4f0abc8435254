"""Which sinks the settings ask for.

Law: the addresses stay sealed in here; they are read when a sink sends.
"""

from watchdog.notify.delivery import Address, DeliveryError
from watchdog.notify.outbox import Sink
from watchdog.notify.slack import SlackSink
from watchdog.notify.webhook import WebhookSink
from watchdog.settings import Settings


def sinks_of(settings: Settings) -> list[Sink]:
    """The sinks that have an address; a file wins over an inline address, as with every other secret."""
    return list[Sink](_addressed(settings))


def without_address(settings: Settings) -> dict[str, str]:
    """By its name, why a sink would get nothing now: said at the start, and not by the first alert alone."""
    found = {}
    for sink in _addressed(settings):
        try:
            sink.address.read()
        except DeliveryError as error:
            found[sink.name] = str(error)
    return found


def _addressed(settings: Settings) -> list[WebhookSink | SlackSink]:
    webhook = Address(inline=settings.webhook_url, file=settings.webhook_url_file)
    slack = Address(inline=settings.slack_webhook_url, file=settings.slack_webhook_url_file)
    return [sink for sink in (WebhookSink(webhook), SlackSink(slack)) if sink.address.is_given]
