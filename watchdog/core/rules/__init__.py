"""The rule files: from text to a target, or to everything that is wrong with the text.

Law: no text, whatever it is, makes anything in here raise or run for long.

`language` says what a file may say and `kinds` what a rule may ask, both as models that are `strict`; `values` says how
single values are written. `document` reads YAML (`scalars` its bare words), and `places` knows where each value stands.
`rulefile` brings them together, with what is `readable` of a rule that is not well formed; `explain` and `keys` word
what is wrong, as a `problem` with one of the `codes`; `claims` are what two files cannot both have.

The rules about rules are in four places: `lint` for one rule by itself, `checks` for what does not fit together in a
rule of its kind, `safety` for what needs the whole target, and `promql_lint` for what an expression says and hardly
means. They look at queries with `promql` (its errors in `promql_error`, where they are in `promql_place`, what the tree
tells in `promql_shape`, `promql_share`, `promql_value` and `promql_color`), `lucene` and `esql`; `stand_ins` stand
there for the placeholders. `bounds` holds a threshold against the values that there can be, and `reach` tells how far
back a rule's evidence reaches, and so how long it waits after a switch or a new revision. `reads` names what an
expression reads, for the sources; `schema` is the language for editors.
"""
