# SPDX-License-Identifier: MIT
"""Reads the text on a machine's screen: from VGA's memory, or from the pixels of a framebuffer
by the image's own letters (kernel/console_font.c, as kernel/console_fb.c draws them)."""

import os
import re

FONT = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "kernel",
                    "console_font.c")
CELL_WIDTH, CELL_HEIGHT, FONT_ROWS = 6, 9, 8
VGA_TEXT_SIZE = (720, 400)


def font():
    """Rows of dots -> letter."""
    letters = {}
    with open(FONT) as f:
        for c, rows in re.findall(r"\['(\\?.)' - 32\] = \{([^}]*)\}", f.read()):
            dots = [int(r, 0) for r in rows.split(",") if r.strip()]
            letters[tuple(dots + [0] * (FONT_ROWS - len(dots)))] = c[-1]
    return letters


def glyph(pixels, width, left, top, scale_x, scale_y):
    """The rows of one cell, each pixel of the font's looked at in its middle."""
    rows = []
    for y in range(FONT_ROWS):
        line = (top + y * scale_y + scale_y // 2) * width + left + scale_x // 2
        rows.append(sum(1 << (4 - x) for x in range(5) if pixels[3 * (line + x * scale_x)] > 80))
    return tuple(rows)


def framebuffer_lines(width, height, pixels):
    letters = font()
    scale_x = max(width // (80 * CELL_WIDTH), 1)
    scale_y = max(min(height // (24 * CELL_HEIGHT), scale_x + 1), 1)
    lines = []
    for row in range(height // (CELL_HEIGHT * scale_y)):
        top = row * CELL_HEIGHT * scale_y
        line = "".join(letters.get(glyph(pixels, width, column * CELL_WIDTH * scale_x, top,
                                         scale_x, scale_y), "?")
                       for column in range(width // (CELL_WIDTH * scale_x)))
        lines.append(line.rstrip())
    return lines


def lines(qmp, picture):
    """What the screen shows, empty lines left out. `picture` is where the screendump goes."""
    width, height, pixels = qmp.screendump(picture)
    if (width, height) == VGA_TEXT_SIZE:
        text = qmp.text_screen()
    else:
        text = framebuffer_lines(width, height, pixels)
    return [line for line in text if line]
