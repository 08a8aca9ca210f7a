#!/usr/bin/env python3
"""Turns what a terminal showed (with its colour codes) into an SVG for the documentation.

    tmux capture-pane -p -e -t SESSION | python3 docs/terminal-svg.py "attache run …" > docs/run.svg

Only the standard library is used. The picture is as wide as the widest line and needs no font but a monospaced one.
"""
import html
import re
import sys
import unicodedata

CELL_W, CELL_H, PAD, BAR = 8.4, 18, 16, 34
BASE = {"fg": "#d8dee9", "bold": False, "dim": False, "underline": False}
COLORS = ["#4c566a", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#abb2bf"]
BRIGHT = ["#6b7689", "#ff7b85", "#b5e890", "#ffd88a", "#82c4ff", "#e08fff", "#7fe0ea", "#ffffff"]


def apply(style, codes):
    style = dict(style)
    numbers = [int(code or 0) for code in codes.split(";")]
    while numbers:
        code = numbers.pop(0)
        if code == 0:
            style = dict(BASE)
        elif code == 1:
            style["bold"] = True
        elif code == 2:
            style["dim"] = True
        elif code == 4:
            style["underline"] = True
        elif code == 22:
            style["bold"] = style["dim"] = False
        elif code == 24:
            style["underline"] = False
        elif 30 <= code <= 37:
            style["fg"] = COLORS[code - 30]
        elif 90 <= code <= 97:
            style["fg"] = BRIGHT[code - 90]
        elif code == 39:
            style["fg"] = BASE["fg"]
        elif code in (38, 48) and numbers[:1] == [5]:
            index = numbers[1]
            numbers = numbers[2:]
            if code == 38:
                style["fg"] = (COLORS + BRIGHT)[index] if index < 16 else BASE["fg"]
    return style


def width(text):
    wide = {"W", "F"}
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in wide else 1 for c in text)


def main():
    title = sys.argv[1] if len(sys.argv) > 1 else "attache"
    lines = sys.stdin.read().rstrip("\n").split("\n")
    rows, widest, style = [], 60, dict(BASE)
    for line in lines:
        column, spans = 0, []
        for part in re.split(r"(\x1b\[[0-9;]*m)", line.replace("\x0f", "")):
            if match := re.fullmatch(r"\x1b\[([0-9;]*)m", part):
                style = apply(style, match.group(1))
            elif part:
                spans.append((column, part, style))
                column += width(part)
        widest = max(widest, column)
        rows.append(spans)
    w, h = widest * CELL_W + 2 * PAD, len(rows) * CELL_H + 2 * PAD + BAR
    print(f'<svg xmlns="http://www.w3.org/2000/svg" width="{w:.0f}" height="{h:.0f}" viewBox="0 0 {w:.0f} {h:.0f}" '
          f'role="img" aria-label="{html.escape(title)}">')
    print(f'<rect width="100%" height="100%" rx="8" fill="#1f2430"/>')
    for x, fill in ((18, "#ff5f57"), (38, "#febc2e"), (58, "#28c840")):
        print(f'<circle cx="{x}" cy="17" r="6" fill="{fill}"/>')
    print(f'<text x="{w / 2:.0f}" y="22" fill="#8a93a6" font-family="system-ui,sans-serif" font-size="13" '
          f'text-anchor="middle">{html.escape(title)}</text>')
    print('<g font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,\'DejaVu Sans Mono\',monospace" font-size="14">')
    for number, spans in enumerate(rows):
        y = BAR + PAD + number * CELL_H + 12
        for column, text, style in spans:
            if not text.strip():
                continue
            weight = ' font-weight="bold"' if style["bold"] else ""
            opacity = ' opacity="0.65"' if style["dim"] else ""
            line = ' text-decoration="underline"' if style["underline"] else ""
            print(f'<text x="{PAD + column * CELL_W:.1f}" y="{y:.0f}" fill="{style["fg"]}"{weight}{opacity}{line} '
                  f'textLength="{width(text) * CELL_W:.1f}" lengthAdjust="spacingAndGlyphs" '
                  f'xml:space="preserve">{html.escape(text)}</text>')
    print("</g></svg>")


main()
