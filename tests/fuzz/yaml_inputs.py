"""YAML files as users and attackers write them: valid ones, changed in their tree or text."""

import copy
from collections.abc import Iterator, Sequence
from typing import Any

import yaml
from hypothesis import strategies as st

NUMBERS = (
    *(0, 1, -1, 2, 3, 7, 255, 2**31, 2**63, -(2**63), 10**30, 10**400),
    *(0.0, -0.5, 0.5, 1e-320, 1e308, float("nan"), float("inf"), float("-inf")),
)
TEXTS = (
    *("", " ", "~", "null", "true", "a", "a\nb", "a\x00b", "\x1b[31mred", "‮abc", "é" * 300),
    *("x" * 5000, "[/bold]", "[red", "%s", "{0}", "${HOME}", "$(id)", "`id`", "\ud800"),
    *("../outside/secret.txt", "../../etc", "/etc/passwd", "/", ".", "..", "~nobody-here/x"),
    *("file:///etc/passwd", "memory://x", "foo://bar", "zip://a::b", "://", "a" * 300 + ".yaml"),
    *("sqlite:///x.db", "sqlite://", "a*.yaml", "[a].yaml", "demo", "small", "all_families"),
    *("<= 1e999", ">= nan", "= 1", "1e6", "0x10", "2h", "-3h", "99999999999d", "auc", "flops"),
    *("min", "max", "tpe", "choice", "int", "float", "fixed", "unimixer", "rankmixer", "kunlun"),
    *("categorical", "numeric", "sequence", "hash", "date == 20260101", "date", "user_id"),
)
# Text that is pasted into a document: tags that run code, bad scalars, anchors, other syntax.
FRAGMENTS = (
    *("!!python/object/apply:os.system [touch /tmp/pwned]", "!!python/name:os.system"),
    *("2001-99-99", "2001-01-01 99:99:99", "!!timestamp x", "!!int x", "!!float x", "!!bool x"),
    *(
        "!!binary '/w=='",
        "!!binary é",
        "!!set {a, b}",
        "!!omap [a: 1]",
        "!!pairs [a: 1]",
        "0b",
        "0o",
    ),
    *(
        "190:20:30:59",
        "9" * 5000,
        "0x" + "f" * 5000,
        "1" + "_" * 9,
        ".inf",
        ".nan",
        "-.inf",
        "&a [*a]",
    ),
    *(
        "&a {a: *a}",
        "*unknown",
        "{? [a, b] : c}",
        "{? {a: b} : c}",
        "<<: 3",
        "<<: [1]",
        "? x",
        "- - -",
    ),
    *(
        "|",
        ">",
        "'",
        '"',
        "{",
        "}",
        "[",
        "]",
        ",",
        "\t",
        "\x00",
        "\x85",
        "﻿",
        "---",
        "...",
        "%YAML 9.9",
    ),
    *("[" * 200, "[" * 3000, "{a: " * 3000, "- " * 3000, "@", "`", "=", "<<", "\ud83d", "y", "no"),
)
BOMB = "".join(
    ["a0: &a0 [x, x, x, x, x, x, x, x, x]\n"]
    + [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 10)]
)
ENCODINGS = ("utf-16", "utf-32", "latin-1", "utf-8-sig", "utf-16-be", "cp037")

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from(NUMBERS),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.sampled_from(TEXTS),
    st.text(max_size=12),
    st.dates(),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.one_of(st.sampled_from(TEXTS), st.integers(), st.none()), inner, max_size=4
        ),
    ),
    max_leaves=8,
)


def paths(tree: Any, prefix: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every node of a tree, its root first."""
    yield prefix
    items = (
        tree.items()
        if isinstance(tree, dict)
        else enumerate(tree)
        if isinstance(tree, list)
        else ()
    )
    for key, value in items:
        yield from paths(value, (*prefix, key))


@st.composite
def mutated(draw: st.DrawFn, original: Any) -> Any:
    """A valid tree after one to four changes."""
    holder = [copy.deepcopy(original)]
    for _ in range(draw(st.integers(1, 4))):
        path = (0, *draw(st.sampled_from(list(paths(holder[0])))))
        parent = _at(holder, path[:-1])
        if not isinstance(parent, dict | list):
            continue
        _change(draw, parent, path[-1], holder)
    return holder[0]


def _change(draw: st.DrawFn, parent: Any, key: Any, holder: list[Any]) -> None:
    kind = draw(
        st.sampled_from(
            ("replace", "replace", "delete", "swap", "rename", "wrap", "nest", "nudge")
        )
    )
    if kind == "delete" and parent is not holder:
        del parent[key]
    elif kind == "swap":
        parent[key] = copy.deepcopy(
            _at(holder, (0, *draw(st.sampled_from(list(paths(holder[0]))))))
        )
    elif kind == "rename" and isinstance(parent, dict):
        parent[draw(st.sampled_from((f"{key}s", str(key)[1:], *TEXTS)))] = parent.pop(key)
    elif kind == "wrap":
        parent[key] = [parent[key]] if draw(st.booleans()) else {"value": parent[key]}
    elif kind == "nest":
        parent[key] = _nested(parent[key], draw(st.sampled_from((5, 60, 150))))
    elif kind == "nudge" and isinstance(parent[key], int | float):
        parent[key] = parent[key] * draw(st.sampled_from((-1, 0, 2, 1e6, 10**9, 0.5)))
    else:
        parent[key] = draw(values)


def _nested(value: Any, depth: int) -> Any:
    for _ in range(depth):
        value = [value]
    return value


def _at(tree: Any, path: Sequence[Any]) -> Any:
    for key in path:
        tree = tree[key]
    return tree


@st.composite
def yaml_files(draw: st.DrawFn, originals: Sequence[Any]) -> bytes:
    """The bytes of a YAML file: a valid document, changed in its tree, its text, or its bytes."""
    tree = draw(mutated(draw(st.sampled_from(list(originals)))))
    text = yaml.safe_dump(tree, sort_keys=False, allow_unicode=draw(st.booleans()))
    kind = draw(
        st.sampled_from(("tree",) * 6 + ("paste", "paste", "bytes", "repeat", "bomb", "encoding"))
    )
    if kind == "paste":
        text = _pasted(draw, text)
    elif kind == "repeat":
        line = draw(st.sampled_from(text.splitlines() or [""]))
        text = f"{text}{line}\n{line}\n"
    elif kind == "bomb":
        text = BOMB + draw(
            st.sampled_from((text, "name: *a9\n", "space: *a9\n", "features: *a9\n"))
        )
    encoding = draw(st.sampled_from(ENCODINGS)) if kind == "encoding" else "utf-8"
    content = text.encode(encoding, "surrogatepass" if encoding == "utf-8" else "replace")
    return draw(damaged(content)) if kind == "bytes" else content


def _pasted(draw: st.DrawFn, text: str) -> str:
    fragment = draw(st.sampled_from(FRAGMENTS))
    colons = [i + 1 for i, letter in enumerate(text) if letter == ":"] or [0]
    position = draw(st.one_of(st.sampled_from(colons), st.integers(0, len(text))))
    if draw(st.booleans()):  # in place of the rest of the line
        end = text.find("\n", position)
        return f"{text[:position]} {fragment}{text[end:] if end >= 0 else ''}"
    return f"{text[:position]} {fragment} {text[position:]}"


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """Bytes that were cut off, overwritten or interleaved with others."""
    position = draw(st.integers(0, max(0, len(content) - 1)))
    kind = draw(st.sampled_from(("cut", "overwrite", "insert", "remove", "binary")))
    noise = draw(st.binary(min_size=1, max_size=20))
    if kind == "cut":
        return content[:position]
    if kind == "overwrite":
        return content[:position] + noise + content[position + len(noise) :]
    if kind == "insert":
        return content[:position] + noise + content[position:]
    if kind == "remove":
        return content[:position] + content[position + len(noise) :]
    return draw(st.binary(max_size=300))
