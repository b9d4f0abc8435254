"""One module a parser, each with its ``TARGET``: a new one is found by being here."""
