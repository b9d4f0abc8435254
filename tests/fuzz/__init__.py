"""Coverage-guided fuzzing of everything that reads what others wrote.

``targets`` holds a module a parser, `engine` runs one of them in a process of its own, and `running` starts that
process and says what came of it: for ``make fuzz`` by `__main__`, and shortly in each run of the tests by `test_fuzz`.
"""
