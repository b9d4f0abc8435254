"""``R1xx``: the file, and its YAML."""

from watchdog.core.rules.codes.code import Code

_ONE_KEY = "interval: 15s\n"

DOCUMENT = (
    Code(
        id="R101",
        title="the file cannot be read",
        why="There is no rule file, it may not be read, or it is not UTF-8. A set of rules that lacks a file is "
        "not the set that was reviewed, so nothing of it is taken.",
        wrong="target: café\n",
        right="target: cafe\n",
        encoding="latin-1",
    ),
    Code(
        id="R102",
        title="this is not YAML",
        why="The text breaks YAML's grammar, and what follows cannot be told apart from it. A tab, an open "
        "bracket or quote, and {{ color }} without quotes are what it mostly is.",
        wrong="interval: [15s\n",
        right=_ONE_KEY,
    ),
    Code(
        id="R103",
        title="a file holds one document",
        why="A file that is empty, or one with a second document behind ---, does not say which target it means.",
        wrong="interval: 15s\n---\ninterval: 30s\n",
        right=_ONE_KEY,
    ),
    Code(
        id="R104",
        title="a key stands twice",
        why="YAML lets the second value replace the first without a word; one of the two was not meant.",
        wrong="interval: 15s\ninterval: 30s\n",
        right=_ONE_KEY,
    ),
    Code(
        id="R105",
        title="aliases, anchors, tags and merge keys are not accepted",
        why="They make a value mean what stands somewhere else, and a small file grow beyond all bounds. Write "
        "the value out.",
        wrong="interval: &often 15s\n",
        right=_ONE_KEY,
    ),
    Code(
        id="R106",
        title="a word that YAML does not read as it looks",
        why="To YAML 0500 is 320, 1:30 is 90 and 1_000 is 1000, and a key no is false. Put text in quotes, and "
        "write numbers in plain digits.",
        wrong="interval: 1:30\n",
        right="interval: 90s\n",
    ),
    Code(
        id="R107",
        title="a control character",
        why="Characters that nobody sees steer terminals and hide text from a reviewer. Remove it.",
        wrong='interval: "15s\\0"\n',
        right=_ONE_KEY,
    ),
    Code(
        id="R108",
        title="too large, or nested too deeply",
        why="A rule file holds at most 1 MiB, 50000 values and 20 levels, so that no file stalls the watchdog. "
        "Split it.",
        wrong=f"interval: {'[' * 25}{']' * 25}\n",
        right=_ONE_KEY,
    ),
    Code(
        id="R109",
        title="more problems than are told",
        why="After 200 problems of a file the others follow from the first ones most of the time. Mend those first.",
        wrong="- alert: Errors\n" + "".join(f"  key{number}: x\n" for number in range(210)),
        right=_ONE_KEY,
    ),
)
