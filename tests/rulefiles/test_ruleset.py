"""A folder of rule files as one set, or the problems of all files at once."""

import itertools
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from watchdog.core.rules.document import MAX_BYTES
from watchdog.rulefiles.ruleset import RuleSet, read_rules

STORM = 40
"""Swaps after which the rule files stand still until somebody has read them whole."""

RULES = """\
target: {name}
namespace: {name}
services: [{{name: web, deployment: "web-{{{{ color }}}}"}}]
rules:
  - alert: Errors
    prometheus: {{expr: up}}
    threshold: {{max: 1}}
"""


def write(folder: Path, file: str, text: str | None = None) -> Path:
    """A rule file; by default a well-formed one, whose target is named like it."""
    path = folder / file
    path.write_text(RULES.format(name=path.stem) if text is None else text, encoding="utf-8")
    return path


def names(*paths: Path) -> list[str]:
    """The targets of a set that has no problems."""
    rules = read_rules(*paths)
    assert isinstance(rules, RuleSet), rules
    return [target.target for target in rules.targets]


def problems(*paths: Path) -> list[str]:
    """The problems of a set that has some, without the folder's name."""
    rules = read_rules(*paths)
    assert not isinstance(rules, RuleSet)
    return [
        f"{problem.file}:{problem.line}:{problem.column}: {problem.message}".removeprefix(f"{paths[0]}/")
        for problem in rules
    ]


def mount(folder: Path, state: str, *files: str, version: int = 1) -> None:
    """Does what the kubelet does with a ConfigMap: files in a hidden folder, shown by links, swapped by a rename."""
    (folder / state).mkdir(parents=True)
    for file in files:
        text = RULES.format(name=Path(file).stem).replace("{max: 1}", f"{{max: {version}}}")
        write(folder / state, file, text)
        if not (folder / file).is_symlink():
            (folder / file).symlink_to(Path("..data") / file)
    (folder / "..data_tmp").symlink_to(state)
    (folder / "..data_tmp").rename(folder / "..data")


def once_listed(folder: Path, then: Callable[[], None]) -> None:
    """Calls ``then`` in the moment in which somebody is about to list the folder, and not again."""
    waiting = [then]

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if waiting and event in {"os.listdir", "os.scandir"} and str(arguments[0]) == str(folder):
            waiting.pop()()

    sys.addaudithook(hook)


def test_a_folder_is_read_in_the_order_of_its_files(tmp_path: Path) -> None:
    write(tmp_path, "b.yaml")
    write(tmp_path, "a.yml")
    assert names(tmp_path) == ["a", "b"]


def test_what_is_no_rule_file_is_not_read(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml")
    for other in ("schema.json", ".hidden.yaml", "a.yaml~", "a.yaml.bak", "README.md", "#a.yaml#"):
        write(tmp_path, other, "no rules")
    (tmp_path / "sub.yaml").mkdir()
    write(tmp_path / "sub.yaml", "c.yaml")
    assert names(tmp_path) == ["a"]


def test_a_mounted_config_map_is_read(tmp_path: Path) -> None:
    mount(tmp_path, "..2026_01_01", "a.yaml", "b.yaml")
    assert names(tmp_path) == ["a", "b"]
    mount(tmp_path, "..2026_01_02", "a.yaml")
    assert names(tmp_path) == ["a"]


def test_the_names_of_a_mounted_config_map_are_those_that_people_see(tmp_path: Path) -> None:
    mount(tmp_path, "..2026_01_01", "a.yaml")
    write(tmp_path / "..2026_01_01", "a.yaml", "{a: b")
    assert problems(tmp_path) == [
        "a.yaml:1:1: the bracket that opens here is not closed in time; check for a missing , or }"
    ]


def test_files_and_folders_together_are_read_once_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path, "a.yaml")
    monkeypatch.chdir(tmp_path)
    assert names(tmp_path, file, Path("a.yaml")) == ["a"]


def test_a_file_that_is_named_may_be_named_otherwise(tmp_path: Path) -> None:
    assert names(write(tmp_path, "rules.txt")) == ["rules"]


def test_the_digest_changes_with_the_files(tmp_path: Path) -> None:
    first, second = tmp_path / "1", tmp_path / "2"
    seen = set()
    for folder in (first, second):
        folder.mkdir()
        write(folder, "a.yaml")
    rules, same = read_rules(first), read_rules(second)
    assert isinstance(rules, RuleSet)
    assert rules == same
    seen.add(rules.digest)
    for change in ("# more", "# less"):
        write(first, "a.yaml", RULES.format(name="a") + change)
        changed = read_rules(first)
        assert isinstance(changed, RuleSet)
        seen.add(changed.digest)
    assert len(seen) == 3


def test_F68_all_problems_of_all_files_are_told(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml")
    write(tmp_path, "b.yaml", RULES.format(name="b").replace("{max: 1}", "5"))
    write(tmp_path, "c.yaml", RULES.format(name="a") + "    fro: 1m\n")
    (tmp_path / "d.yaml").write_bytes(b"target: a\nname: \xc3\xa9\xff\n")
    (tmp_path / "e.yaml").symlink_to("nowhere")
    (tmp_path / "f.yaml").write_bytes(b"#" * (MAX_BYTES + 1))
    os.mkfifo(tmp_path / "g.yaml")
    (tmp_path / "h.yaml").write_bytes(b"\xff\xfet\0")
    assert problems(tmp_path) == [
        "b.yaml:7:16: 5 is a number, and a mapping is needed; write threshold: {max: 0.05}",
        f"c.yaml:1:9: the target 'a' is in {tmp_path}/a.yaml:1:9 already; keep it in one of the two files",
        (
            f"c.yaml:3:19: the Service 'web' of namespace 'a' is in {tmp_path}/a.yaml:3:19 already; "
            "keep it in one of the two files"
        ),
        (
            f"c.yaml:3:36: the Deployment 'web-blue' of namespace 'a' is in {tmp_path}/a.yaml:3:36 already; "
            "keep it in one of the two files"
        ),
        "c.yaml:8:5: unknown key 'fro'; did you mean 'for'?",
        "d.yaml:2:8: the byte 0xff is not UTF-8; save the file as UTF-8",
        "e.yaml:1:1: this is not a file, or a link to nothing; put a YAML file here",
        "f.yaml:1:1: the file is larger than 1 MiB; a rule file holds one target: split it",
        "g.yaml:1:1: this is not a file, or a link to nothing; put a YAML file here",
        "h.yaml:1:1: the file is in UTF-16, as PowerShell's > writes it; save it as UTF-8",
    ]


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        pytest.param(".", "no rule file in this folder; add one ending in .yaml", id="an empty folder"),
        pytest.param("none", "this is not a file, or a link to nothing; put a YAML file here", id="nothing there"),
        pytest.param("a" * 300, "this cannot be read (File name too long); let the watchdog read it", id="not seen"),
    ],
)
def test_nothing_to_read_is_a_problem(tmp_path: Path, path: str, problem: str) -> None:
    assert problems(tmp_path / path) == [f"{tmp_path / path}:1:1: {problem}"]


def test_a_file_that_cannot_be_read_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").symlink_to("/proc/self/mem")  # opens for everybody, and reads for nobody
    assert problems(tmp_path) == ["a.yaml:1:1: this cannot be read (Input/output error); let the watchdog read it"]


def test_F70_what_is_left_of_a_state_that_is_being_removed_is_not_taken_for_all_of_it(tmp_path: Path) -> None:
    mount(tmp_path, "..1", "a.yaml", "b.yaml")

    def swap() -> None:
        mount(tmp_path, "..2", "a.yaml", "b.yaml")
        (tmp_path / "..1" / "a.yaml").unlink()

    once_listed(tmp_path.resolve() / "..1", swap)
    assert names(tmp_path) == ["a", "b"]


def test_F70_a_config_map_that_is_swapped_while_it_is_read_is_never_mixed(tmp_path: Path) -> None:
    folder = tmp_path / "mounted"
    mount(folder, "..0", "a.yaml", "b.yaml")
    stop, whole_again = threading.Event(), threading.Event()
    whole: dict[str, RuleSet] = {}

    def swap() -> None:
        """Swaps in storms; after each the reader gets one set whole, however slow it is."""
        for number in itertools.count(1):
            if stop.is_set():
                return
            mount(folder, f"..{number}", "a.yaml", "b.yaml", version=number)
            shutil.rmtree(folder / f"..{number - 1}")
            if number % STORM == 0:
                whole_again.clear()
                whole_again.wait(10)

    swapping = threading.Thread(target=swap)
    swapping.start()
    deadline = time.monotonic() + 60
    try:
        while len(whole) < 20 and time.monotonic() < deadline:
            rules = read_rules(folder)
            if isinstance(rules, RuleSet):
                whole[rules.digest] = rules
                whole_again.set()
    finally:
        stop.set()
        whole_again.set()
        swapping.join()
    assert len(whole) == 20
    for rules in whole.values():
        assert len(rules.targets) == 2
        assert len({rule.threshold for target in rules.targets for rule in target.rules}) == 1
