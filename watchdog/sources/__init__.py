"""Where measurements come from: one module a source, beside pure modules that build questions and read answers.

Law: no exception leaves `measure`. A failure is a measurement with a reason, and only a whole, fresh, well-formed
answer is evidence.
"""
