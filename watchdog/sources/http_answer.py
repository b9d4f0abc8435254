"""What aiohttp brings back: the whole answer of a modest size, or what broke in words.

Law: no more than `LONGEST_BODY` is ever held, and the text of an exception is not shown (`failure.py`).
"""

import time

import aiohttp

from watchdog.sources.answer import LONGEST_BODY, Answer, too_long
from watchdog.sources.failure import why


async def read_answer(response: aiohttp.ClientResponse) -> Answer:
    """The answer with its whole body. Raises AnswerError for one that is too long."""
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > LONGEST_BODY:
            raise too_long()
    return Answer(
        status=response.status,
        content_type=response.headers.get("Content-Type", ""),
        date=response.headers.get("Date", ""),
        location=response.headers.get("Location", ""),
        retry_after=response.headers.get("Retry-After", ""),
        body=bytes(body),
        received_at=time.time(),
    )


def why_broken(error: Exception) -> str:
    """What went wrong on the wire: completes "Elasticsearch at http://elasticsearch:9200 …"."""
    match error:
        case aiohttp.ServerDisconnectedError():
            return "broke the connection off"
        case aiohttp.ClientPayloadError():
            return "broke its answer off in the middle"
        case aiohttp.ClientResponseError():
            return "does not speak HTTP"
        case _:
            return why(error)
