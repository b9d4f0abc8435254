"""The rule files: from text to a target, or to everything that is wrong with the text.

Law: no text, whatever it is, makes anything in here raise or run for long.

`language` says what a file may say, `kinds` what a rule may ask, and `values` how single values are written; `document`
reads YAML with its places; `rulefile` brings them together, `explain` and `keys` word what is wrong, and `lint` (with
`promql` and `lucene`) holds the rules about rules.
"""
