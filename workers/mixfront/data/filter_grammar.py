"""The grammar of row filters, and a hand-written parser into a tree; nothing is evaluated.

    filter      = conjunction ("or" conjunction)*
    conjunction = term ("and" term)*
    term        = "(" filter ")" | comparison
    comparison  = column ("==" | "!=" | "<" | "<=" | ">" | ">=") literal
                | column "in" ("[" | "(") literal ("," literal)* ("]" | ")")
    literal     = number | 'text' | "text" | true | false | null

Column names with spaces or other special characters go in backquotes.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from mixfront.exceptions import SpecError

Value = int | float | str | bool | None
OPERATORS = ("==", "!=", "<", "<=", ">", ">=")
MAX_DEPTH = 50
MAX_LIST = 1000
MAX_LITERALS = 2000  # of a filter; Arrow recurses over them, and 20,000 overflow its stack

_TOKEN = re.compile(
    r"""(?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)
      | (?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
      | (?P<name>[A-Za-z_]\w*(?:\.\w+)*)
      | (?P<quoted>`[^`]+`)
      | (?P<operator>==|!=|<=|>=|<|>)
      | (?P<mark>[()\[\],])""",
    re.VERBOSE,
)
_MAX_DIGITS = 100  # Python refuses to read integers of more than 4,300 digits
_WORDS: dict[str, Value] = {"true": True, "false": False, "null": None}


@dataclass(frozen=True)
class Comparison:
    """One column compared with a literal, or with a list of them (`in`)."""

    column: str
    operator: str
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Junction:
    """Several parts, of which all (`and`) or at least one (`or`) must hold."""

    kind: Literal["and", "or"]
    parts: "tuple[Node, ...]"


Node = Comparison | Junction


def parse(text: str) -> Node:
    """Parse a filter into its tree.

    Raises:
        SpecError: If it breaks the grammar; the message says where, and what was expected.
    """
    return _Parser(text).parse()


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    position: int


class _Parser:
    """Recursive descent over the grammar in the module's docstring."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(self._tokenise())
        self._next = 0
        self._depth = 0
        self._num_literals = 0

    def parse(self) -> Node:
        root = self._filter()
        if self._peek().kind != "end":
            raise self._error("expected `and`, `or` or the end")
        return root

    def _tokenise(self) -> Iterator[_Token]:
        position = 0
        while position < len(self._text):
            if self._text[position].isspace():
                position += 1
                continue
            match = _TOKEN.match(self._text, position)
            if match is None or match.lastgroup is None:
                hint = "; equality is `==`" if self._text[position] == "=" else ""
                raise self._error_at(position, f"unexpected character{hint}")
            yield _Token(match.lastgroup, match.group(), position)
            position = match.end()
        yield _Token("end", "", position)

    def _filter(self) -> Node:
        parts = [self._conjunction()]
        while self._take_word("or"):
            parts.append(self._conjunction())
        return parts[0] if len(parts) == 1 else Junction("or", tuple(parts))

    def _conjunction(self) -> Node:
        parts = [self._term()]
        while self._take_word("and"):
            parts.append(self._term())
        return parts[0] if len(parts) == 1 else Junction("and", tuple(parts))

    def _term(self) -> Node:
        if self._peek().text != "(" or self._peek().kind != "mark":
            return self._comparison()
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._error(f"parentheses are nested more than {MAX_DEPTH} deep")
        self._next += 1
        inner = self._filter()
        self._take_mark(")")
        self._depth -= 1
        return inner

    def _comparison(self) -> Comparison:
        token = self._take()
        word = token.text.lower()
        if token.kind not in ("name", "quoted") or word in {"and", "or", "in"} | _WORDS.keys():
            raise self._error_at(token.position, "expected a column")
        column = token.text.strip("`")
        if self._take_word("in"):
            return Comparison(column, "in", self._list())
        operator = self._take()
        if operator.kind != "operator":
            raise self._error_at(
                operator.position, f"expected one of {', '.join(OPERATORS)} or in"
            )
        position, value = self._peek().position, self._literal()
        if value is None and operator.text not in ("==", "!="):
            raise self._error_at(position, "null can only follow == or !=")
        return Comparison(column, operator.text, (value,))

    def _list(self) -> tuple[Value, ...]:
        opening = self._take()
        if opening.text not in ("[", "("):
            raise self._error_at(opening.position, "expected a list such as [1, 2]")
        values = [self._list_value()]
        while self._peek().text == ",":
            self._next += 1
            values.append(self._list_value())
            if len(values) > MAX_LIST:
                raise self._error(f"the list has more than {MAX_LIST} values")
        self._take_mark("]" if opening.text == "[" else ")")
        return tuple(values)

    def _list_value(self) -> Value:
        position, value = self._peek().position, self._literal()
        if value is None:
            raise self._error_at(position, "null is not allowed in a list; write `or x == null`")
        return value

    def _literal(self) -> Value:
        token = self._take()
        self._num_literals += 1
        if self._num_literals > MAX_LITERALS:
            raise self._error_at(token.position, f"it has more than {MAX_LITERALS} literals")
        if token.kind == "text":
            return re.sub(r"\\(.)", r"\1", token.text[1:-1])
        if token.kind == "number":
            return self._number(token)
        if token.kind == "name" and token.text.lower() in _WORDS:
            return _WORDS[token.text.lower()]
        hint = "; put text in quotes" if token.kind == "name" else ""
        raise self._error_at(token.position, f"expected a number, text, true, false or null{hint}")

    def _number(self, token: _Token) -> int | float:
        if re.fullmatch(r"[-+]?\d+", token.text) is None:
            return float(token.text)
        if len(token.text) > _MAX_DIGITS:
            raise self._error_at(token.position, "the integer does not fit in 64 bits")
        number = int(token.text)
        if not -(2**63) <= number < 2**63:
            raise self._error_at(token.position, "the integer does not fit in 64 bits")
        return number

    def _peek(self) -> _Token:
        return self._tokens[self._next]

    def _take(self) -> _Token:
        token = self._tokens[self._next]
        self._next = min(self._next + 1, len(self._tokens) - 1)
        return token

    def _take_word(self, word: str) -> bool:
        matches = self._peek().kind == "name" and self._peek().text.lower() == word
        self._next += matches
        return matches

    def _take_mark(self, mark: str) -> None:
        if self._peek().text != mark:
            raise self._error(f"expected `{mark}`")
        self._next += 1

    def _error(self, what: str) -> SpecError:
        return self._error_at(self._peek().position, what)

    def _error_at(self, position: int, what: str) -> SpecError:
        rest = self._text[position:]
        where = f"at {rest[:20]!r}" if rest else "at the end"
        return SpecError(f"filter {self._text!r}, position {position + 1}, {where}: {what}")
