"""Draws the demo's pictures from numbers: a character in full, and a figure that walks and waves.

Positions are fractions of the picture's height unless they say pixels. Must not write files.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]
Point = tuple[float, float]

SMOOTH = 3
"""Pictures are drawn this many times larger and scaled down, which smooths every edge."""

SKY_TOP, SKY_BOTTOM, FLOOR = (38, 62, 104), (236, 178, 132), (70, 58, 84)
SKIN, HAIR, COAT, COAT_SHADE = (232, 184, 150), (58, 36, 44), (34, 138, 132), (24, 104, 102)
TROUSERS, SHOE, SCARF, LINE = (48, 52, 84), (30, 28, 40), (228, 92, 72), (28, 24, 36)


@dataclass(frozen=True, slots=True)
class Pose:
    """Angles in radians from straight down (arms, legs), lift of the body as a fraction."""

    left_arm: float
    left_forearm: float
    right_arm: float
    right_forearm: float
    left_leg: float
    left_shin: float
    right_leg: float
    right_shin: float
    lift: float = 0.0
    lean: float = 0.0


STANDING = Pose(-0.28, -0.1, 0.28, 0.1, -0.08, 0.0, 0.08, 0.0)


def walking(t_s: float, beat_s: float) -> Pose:
    """The walking and waving figure at a time; two steps fill two beats."""
    turn = math.pi * t_s / beat_s
    swing, wave = math.sin(turn), math.sin(2 * turn)
    return Pose(
        left_arm=-0.25 + 0.55 * swing,
        left_forearm=0.1 + 0.55 * swing,
        right_arm=2.45 + 0.18 * wave,
        right_forearm=2.9 + 0.5 * wave,
        left_leg=-0.42 * swing,
        left_shin=-0.42 * swing - 0.35 * max(0.0, math.cos(turn)),
        right_leg=0.42 * swing,
        right_shin=0.42 * swing - 0.35 * max(0.0, -math.cos(turn)),
        lift=0.012 * abs(math.cos(turn)),
        lean=0.04 * swing,
    )


class Canvas:
    """A picture in units of its own height, drawn large and scaled down at the end."""

    def __init__(self, width_px: int, height_px: int) -> None:
        """An empty picture of this size in pixels."""
        self.size = (width_px, height_px)
        self.unit = height_px * SMOOTH
        self.image = Image.new("RGB", (width_px * SMOOTH, height_px * SMOOTH))
        self.draw = ImageDraw.Draw(self.image)
        self.width = width_px / height_px

    def _px(self, point: Point) -> Point:
        return point[0] * self.unit, point[1] * self.unit

    def limb(self, start: Point, end: Point, thickness: float, colour: Colour) -> None:
        """A rounded stroke."""
        (x0, y0), (x1, y1), half = self._px(start), self._px(end), thickness * self.unit / 2
        across, along = x1 - x0, y1 - y0
        length = math.hypot(across, along) or 1.0
        dx, dy = -along / length * half, across / length * half
        corners = [(x0 + dx, y0 + dy), (x1 + dx, y1 + dy), (x1 - dx, y1 - dy), (x0 - dx, y0 - dy)]
        self.draw.polygon(corners, fill=colour)
        for x, y in ((x0, y0), (x1, y1)):
            self.draw.ellipse((x - half, y - half, x + half, y + half), fill=colour)

    def oval(self, centre: Point, rx: float, ry: float, colour: Colour) -> None:
        """A filled ellipse."""
        x, y = self._px(centre)
        box = (x - rx * self.unit, y - ry * self.unit, x + rx * self.unit, y + ry * self.unit)
        self.draw.ellipse(box, fill=colour)

    def shape(self, points: list[Point], colour: Colour) -> None:
        """A filled polygon."""
        self.draw.polygon([self._px(point) for point in points], fill=colour)

    def arc(self, centre: Point, rx: float, ry: float, degrees: Point, thickness: float) -> None:
        """A dark arc between two angles in degrees, clockwise from the right."""
        x, y = self._px(centre)
        box = (x - rx * self.unit, y - ry * self.unit, x + rx * self.unit, y + ry * self.unit)
        self.draw.arc(box, *degrees, fill=LINE, width=round(thickness * self.unit))

    def text(self, at: Point, words: str, height: float, colour: Colour) -> None:
        """Words whose middle is at a point."""
        font = ImageFont.load_default(height * self.unit)
        self.draw.text(self._px(at), words, fill=colour, font=font, anchor="mm")

    def bands(self, top: Colour, bottom: Colour, count: int = 24) -> None:
        """A background in even bands from one colour to the other."""
        for n in range(count):
            part = n / (count - 1)
            mixed = [round(a + (b - a) * part) for a, b in zip(top, bottom, strict=True)]
            self.shape(
                [
                    (0, n / count),
                    (self.width, n / count),
                    (self.width, (n + 1) / count),
                    (0, (n + 1) / count),
                ],
                (mixed[0], mixed[1], mixed[2]),
            )

    def finished(self) -> Image.Image:
        """The picture at its own size."""
        return self.image.resize(self.size, Image.Resampling.BOX)


def _from(start: Point, angle: float, length: float) -> Point:
    return start[0] + math.sin(angle) * length, start[1] + math.cos(angle) * length


def draw_figure(canvas: Canvas, foot: Point, size: float, pose: Pose) -> None:
    """The character: `foot` is the point between the feet, `size` its whole height."""

    def at(x: float, y: float) -> Point:
        return (
            foot[0] + (x + pose.lean * y) * size,
            foot[1] - (y + pose.lift) * size,
        )

    hips, chest, neck, head = at(0, 0.47), at(0, 0.775), at(0, 0.81), at(0, 0.895)
    for side, leg, shin in (
        (-0.045, pose.left_leg, pose.left_shin),
        (0.045, pose.right_leg, pose.right_shin),
    ):
        hip = (hips[0] + side * size, hips[1])
        knee = _from(hip, leg, 0.23 * size)
        ankle = _from(knee, shin, 0.21 * size)
        canvas.limb(hip, knee, 0.085 * size, TROUSERS)
        canvas.limb(knee, ankle, 0.07 * size, TROUSERS)
        toe = (ankle[0] + 0.05 * size, ankle[1] + 0.015 * size)
        canvas.limb(ankle, toe, 0.055 * size, SHOE)
    _arm(canvas, at(-0.105, 0.775), pose.left_arm, pose.left_forearm, size, COAT_SHADE)
    canvas.shape([at(-0.12, 0.8), at(0.12, 0.8), at(0.135, 0.42), at(-0.135, 0.42)], COAT)
    canvas.shape([at(0.02, 0.8), at(0.12, 0.8), at(0.135, 0.42), at(0.05, 0.42)], COAT_SHADE)
    for height in (0.52, 0.6, 0.68):
        canvas.oval(at(0.015, height), 0.009 * size, 0.009 * size, SCARF)
    _arm(canvas, at(0.105, 0.775), pose.right_arm, pose.right_forearm, size, COAT)
    canvas.limb(neck, chest, 0.06 * size, SKIN)
    canvas.limb(at(-0.075, 0.805), at(0.075, 0.805), 0.05 * size, SCARF)
    canvas.limb(at(0.05, 0.8), at(0.075, 0.66), 0.04 * size, SCARF)
    _head(canvas, head, size)


def _arm(
    canvas: Canvas, shoulder: Point, upper: float, lower: float, size: float, colour: Colour
) -> None:
    elbow = _from(shoulder, upper, 0.16 * size)
    wrist = _from(elbow, lower, 0.15 * size)
    hand = _from(wrist, lower, 0.025 * size)
    canvas.limb(shoulder, elbow, 0.065 * size, colour)
    canvas.limb(elbow, wrist, 0.055 * size, colour)
    canvas.oval(hand, 0.03 * size, 0.032 * size, SKIN)


def _head(canvas: Canvas, head: Point, size: float) -> None:
    def at(x: float, y: float) -> Point:
        return head[0] + x * size, head[1] - y * size

    canvas.oval(at(0, 0.012), 0.092 * size, 0.1 * size, HAIR)
    canvas.shape([at(-0.09, 0.0), at(-0.05, 0.0), at(-0.06, -0.11), at(-0.105, -0.1)], HAIR)
    canvas.shape([at(0.09, 0.0), at(0.05, 0.0), at(0.06, -0.11), at(0.105, -0.1)], HAIR)
    canvas.oval(at(0, -0.012), 0.071 * size, 0.085 * size, SKIN)
    canvas.shape([at(-0.075, 0.02), at(-0.04, 0.08), at(0.05, 0.08), at(0.078, 0.03)], HAIR)
    for side in (-1, 1):
        canvas.oval(at(side * 0.03, -0.008), 0.012 * size, 0.013 * size, (250, 248, 244))
        canvas.oval(at(side * 0.03, -0.009), 0.006 * size, 0.008 * size, LINE)
        canvas.arc(at(side * 0.03, 0.006), 0.016 * size, 0.012 * size, (200, 340), 0.004 * size)
    canvas.arc(at(0, -0.036), 0.007 * size, 0.008 * size, (20, 160), 0.003 * size)
    canvas.arc(at(0, -0.052), 0.022 * size, 0.014 * size, (20, 160), 0.005 * size)


def character(width_px: int, height_px: int) -> Image.Image:
    """The character standing in front of a plain evening sky."""
    canvas = Canvas(width_px, height_px)
    canvas.bands(SKY_TOP, SKY_BOTTOM)
    canvas.oval((canvas.width * 0.78, 0.2), 0.06, 0.06, (250, 224, 178))
    canvas.shape([(0, 0.86), (canvas.width, 0.86), (canvas.width, 1), (0, 1)], FLOOR)
    canvas.oval((canvas.width / 2, 0.945), 0.15, 0.016, (48, 40, 62))
    draw_figure(canvas, (canvas.width / 2, 0.95), 0.83, STANDING)
    return canvas.finished()


def motion_frame(
    width_px: int, height_px: int, index: int, frames: int, fps: int, beat_s: float
) -> Image.Image:
    """One frame of the motion video: the figure on its way, a counter, a flash on every beat."""
    t_s = index / fps
    canvas = Canvas(width_px, height_px)
    canvas.bands((206, 214, 220), (232, 228, 214), count=8)
    canvas.shape(
        [(0, 0.84), (canvas.width, 0.84), (canvas.width, 1), (0, 1)],
        (150, 158, 140),
    )
    way = 0.46 + 0.07 * math.sin(2 * math.pi * index / frames)
    draw_figure(canvas, (canvas.width * way, 0.93), 0.72, walking(t_s, beat_s))
    on_beat = t_s % beat_s < 2 / fps
    canvas.oval((canvas.width * 0.86, 0.08), 0.03, 0.03, (240, 60, 40) if on_beat else LINE)
    canvas.text((canvas.width * 0.2 - 0.02, 0.06), f"{index:03d}", 0.055, LINE)
    for n in range(8):
        bit = index >> (7 - n) & 1
        left = canvas.width * 0.08 + n * 0.03
        box = [(left, 0.1), (left + 0.024, 0.1), (left + 0.024, 0.124), (left, 0.124)]
        canvas.shape(box, (255, 255, 255) if bit else (0, 0, 0))
    return canvas.finished()
