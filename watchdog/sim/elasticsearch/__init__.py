"""A simulated Elasticsearch: `documents` holds the documents, `search` finds them, `api` speaks HTTP.

Law: what matches is what Elasticsearch 8.19 finds under the mappings of the Elastic Common Schema; queries that are not
simulated are refused with 501.
"""
