"""Phrases that an English-speaking engineer would not write; see docs/style.md."""

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = [
    *(ROOT / n for n in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")),
    *(path for path in sorted((ROOT / "docs").glob("*.md")) if path.name != "style.md"),
]
CODE = [
    path
    for root in ("platform", "search_spaces", "workers", "infra", "tests")
    for path in sorted((ROOT / root).rglob("*.py"))
    if path.name != Path(__file__).name
]
SPACES = sorted((ROOT / "search_spaces").rglob("*.yaml"))
UNITS = (
    "batch|call|column|day|device|driver|epoch|event|feature|field|forward|lane|layer|line|machine|"
    "match|minute|node|pass|process|rank|row|sample|search|second|session|step|token|trial|user|"
    "vocabulary|worker"
)
AMOUNTS = (
    "bytes|copies|copy|FLOPs|files?|GB|jobs?|lines?|MB|milliseconds|ms|numbers?|once|parameters|"
    "rows|samples|seconds|steps|times|tokens|twice|us|values?|vectors?"
)
NOT_THE_VERDICT = (
    "better|different|fewer|larger|less|longer|more|need|other|reason|room|smaller|such|way|worse"
)
BANNED = {
    "'per', not 'a'": rf"\b({AMOUNTS}) an? ({UNITS})\b",
    "'is not a', not 'is no'": rf"\b(is|are|was|were) no (?!({NOT_THE_VERDICT})\b)[a-z]",
    "'continue' or 'resume'": r"\b(go|goes|going|went|gone) on\b",
    "'fix'": r"\bmend(s|ed|ing)?\b",
    "'again' or 'a new'": r"\banew\b",
    "'is', 'appears'": r"\b(stands|stood) (in|beside|twice|at|behind|there|before|once|for)\b",
    "'is next to', 'is in'": r"\b(lie|lies|lay) (in|on|below|beside|behind|side|outside|among)\b",
    "'log', 'report', 'say'": r"\b(is|was|are|were|be|been) told\b|\b(tell|tells|told) of\b",
    "name who": r"\b(whoever|somebody)\b",
    "'tolerate', 'allow'": r"\bput up with\b",
    "'forever'": r"\bfor ever\b",
    "'more often', 'rarely'": r"\b(oftener|seldom)\b",
    "'except that'": r"\bsave that\b",
    "say what is wrong": r"\bcannot be meant\b|\bcannot be:",
    "a riddle": r"(^|[.:] )Of (several|each|them)\b",
    "'learned'": r"\blearnt\b",
    "'user'": r"\ba person\b",
}


def prose_of(path: Path) -> Iterator[tuple[int, str]]:
    """(line number, text) of comments and strings of code, or of a document's lines."""
    text = path.read_text("utf-8")
    if path.suffix != ".py":
        for number, line in enumerate(text.splitlines(), 1):
            yield number, re.sub(r"`[^`]*`", "", line)
        return
    kinds = {tokenize.COMMENT, tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", -1)}
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in kinds:
            for offset, line in enumerate(token.string.splitlines()):
                yield token.start[0] + offset, line


def offences(line: str) -> list[str]:
    """Names of the rules that a line breaks."""
    return [rule for rule, pattern in BANNED.items() if re.search(pattern, line)]


@pytest.mark.parametrize(
    "path", [*DOCUMENTS, *SPACES, *CODE], ids=lambda path: str(path.relative_to(ROOT))
)
def test_plain_english(path: Path) -> None:
    broken_lines = [
        f"{path.relative_to(ROOT)}:{number}: {', '.join(broken)}: {line.strip()}"
        for number, line in prose_of(path)
        if (broken := offences(line))
    ]
    assert broken_lines == [], "\n".join(broken_lines)


@pytest.mark.parametrize(
    ("line", "fine"),
    [
        ("20 FLOPs a sample", False),
        ("20 FLOPs per sample", True),
        ("'soon' is no duration", False),
        ("there is no room left", True),
        ("the search goes on", False),
        ("mend that, then start anew", False),
        ("the key stands twice", False),
        ("Of several, the closest", False),
    ],
)
def test_the_rules_catch_what_they_should(line: str, fine: bool) -> None:
    assert (offences(line) == []) is fine
