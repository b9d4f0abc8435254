"""Lucene queries by the table that a real Elasticsearch wrote; the contract test asks both servers the same rows."""

import pytest

from tests.contract.logs import DOCUMENTS, LUCENE, NOT_SIMULATED, REFUSED
from watchdog.sim.elasticsearch.documents import DocumentStore
from watchdog.sim.elasticsearch.errors import SearchError
from watchdog.sim.elasticsearch.lucene import compile_query
from watchdog.sim.elasticsearch.matching import tokens

NOW = 1_795_503_600_000


@pytest.fixture(scope="module")
def store() -> DocumentStore:
    filled = DocumentStore()
    for number, source in enumerate(DOCUMENTS):
        filled.add("logs-bank", source, str(number))
    return filled


@pytest.mark.parametrize(("query", "found"), LUCENE, ids=[query for query, _ in LUCENE])
def test_finds_what_the_real_server_finds(store: DocumentStore, query: str, found: str) -> None:
    try:
        matches = compile_query(query, now=NOW)
    except SearchError as error:
        answer = REFUSED if error.status == 400 else f"{error.status}: {error}"
    else:
        answer = " ".join(document.id for document in store.within(["logs-bank"]) if matches(document))
    assert answer == found


@pytest.mark.parametrize("query", NOT_SIMULATED)
def test_says_what_is_not_simulated(query: str) -> None:
    with pytest.raises(SearchError, match="not simulated") as refusal:
        compile_query(query, now=NOW)
    assert refusal.value.status == 501


@pytest.mark.parametrize(
    ("query", "found"),
    [
        pytest.param("@timestamp:[now-1h TO now]", "0 1 2 3 4 5", id="an hour ago until now"),
        pytest.param("@timestamp:[now-597s TO now]", "3 4 5", id="both ends belong to it"),
        pytest.param("@timestamp:{now-597s TO now}", "4 5", id="neither end belongs to it"),
        pytest.param("@timestamp:<now-10m", "", id="before ten minutes ago"),
        pytest.param("@timestamp:<=now-10m", "0", id="until ten minutes ago"),
    ],
)
def test_counts_from_now(store: DocumentStore, query: str, found: str) -> None:
    matches = compile_query(query, now=NOW)
    assert " ".join(document.id for document in store.within(["logs-bank"]) if matches(document)) == found


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("a.b@example.com x:y", "a.b example.com x:y"),
        ("1,000.5 it's e-mail foo_bar", "1,000.5 it's e mail foo_bar"),
        ("12:30 a1.2b v1.2.3 ip=10.0.0.1", "12 30 a1.2b v1.2.3 ip 10.0.0.1"),
        ("_x_ __ C++ don\u2019t user:42", "_x_ c don\u2019t user 42"),
        ("2026-11-24T06:50:00.123Z", "2026 11 24t06 50 00.123z"),
        ("GET /api/v1/x?y=1 na\u00efve 3.a a.3", "get api v1 x y 1 na\u00efve 3 a a 3"),
    ],
)
def test_cuts_a_text_as_the_standard_analyzer_does(text: str, terms: str) -> None:
    assert " ".join(tokens(text)) == terms
