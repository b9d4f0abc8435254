"""The only code that talks to the API server.

Law: every call has a total deadline, every write carries preconditions and is read back, and raw JSON is compared,
since typed models drop the fields that they do not know.
"""
