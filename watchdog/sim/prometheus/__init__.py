"""A simulated Prometheus: `series` holds samples, `promql` evaluates queries over them, `api` speaks HTTP.

Law: numbers are those of Prometheus 3.14, to the last digit; functions that are not simulated are refused with 501.
"""
