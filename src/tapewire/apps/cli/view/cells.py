"""Lines of exactly so many terminal cells: spans of text with a style's name; Korean letters are two cells wide."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size

#: A text and the name of its style (see ``palette``).
Span = tuple[str, str]
Line = list[Span]

_EIGHTHS = " ▏▎▍▌▋▊▉█"


def width_of(text: str) -> int:
    """Cells that a text takes."""
    return len(text) if text.isascii() else cell_len(text)


def fit(text: str, width: int, *, right: bool = False) -> str:
    """The text in exactly ``width`` cells: padded, or cut with an ellipsis."""
    if width <= 0:
        return ""
    length = width_of(text)
    if length > width:
        return f"{set_cell_size(text, width - 1)}…"
    padding = " " * (width - length)
    return padding + text if right else text + padding


def filled(line: Line, width: int) -> Line:
    """The line in exactly ``width`` cells: padded, or cut with an ellipsis."""
    room = width - sum(width_of(text) for text, _ in line)
    if room >= 0:
        return [*line, (" " * room, "")] if room else line
    spans: Line = []
    left = width
    for text, style in line:
        length = width_of(text)
        if length >= left:  # the ellipsis stands here
            return [*spans, (fit(text + " ", left), style)] if left else spans
        spans.append((text, style))
        left -= length
    return spans


def block(lines: list[Line], width: int, height: int) -> list[Line]:
    """Exactly ``height`` lines of ``width`` cells."""
    shown = [filled(line, width) for line in lines[:height]]
    return shown + [[(" " * width, "")] for _ in range(height - len(shown))]


def beside(left: list[Line], right: list[Line], gap: str = " │ ") -> list[Line]:
    """Two blocks of one height side by side."""
    return [[*one, (gap, "rule"), *other] for one, other in zip(left, right, strict=True)]


def rule(title: str, width: int) -> Line:
    """A panel's title on a thin line of ``width`` cells."""
    head = f"─ {fit(title, min(width_of(title), max(width - 4, 0)))} "
    return filled([("─ ", "rule"), (head[2:], "title"), ("─" * (width - width_of(head)), "rule")], width)


def bar(share: float, width: int) -> str:
    """A bar of ``share`` (0 to 1) of ``width`` cells, to an eighth of a cell; whatever is not nothing is seen."""
    eighths = min(max(round(share * width * 8), 1 if share > 0 else 0), width * 8)
    whole, rest = divmod(eighths, 8)
    return ("█" * whole + (_EIGHTHS[rest] if rest else "")).ljust(width)


def folded(text: str, width: int) -> list[str]:
    """The words of a text in lines of at most ``width`` cells; a longer word has a line of its own."""
    lines = [""]
    for word in text.split():
        if lines[-1] and width_of(lines[-1]) + 1 + width_of(word) > width:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}".lstrip()
    return lines
