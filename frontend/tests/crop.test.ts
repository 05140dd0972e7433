import { describe, expect, it } from 'vitest';
import { centred, isWhole, moved, resized } from '@/features/composer/model/crop';

const size = { width: 1000, height: 800 };

describe('the crop', () => {
  it('is the largest of a shape in the middle', () => {
    expect(centred(size, 1)).toEqual({ x_px: 100, y_px: 0, width_px: 800, height_px: 800 });
    expect(centred(size, 9 / 16)).toEqual({ x_px: 275, y_px: 0, width_px: 450, height_px: 800 });
    expect(isWhole(centred(size, null), size)).toBe(true);
  });

  it('never leaves the picture', () => {
    const box = { x_px: 900, y_px: 700, width_px: 100, height_px: 100 };
    expect(moved(box, 500, 500, size)).toEqual(box);
    expect(moved(box, -5000, 0, size)).toMatchObject({ x_px: 0, y_px: 700 });
  });

  it('keeps its shape and the opposite corner while it is sized', () => {
    const box = { x_px: 100, y_px: 100, width_px: 400, height_px: 400 };
    expect(resized(box, { x: -1, y: -1 }, 100, 0, size, 1)).toEqual({
      x_px: 200,
      y_px: 200,
      width_px: 300,
      height_px: 300,
    });
    expect(resized(box, { x: 1, y: 1 }, 5000, 5000, size, 1)).toMatchObject({
      width_px: 700,
      height_px: 700,
    });
  });

  it('never becomes smaller than can be used', () => {
    const box = { x_px: 0, y_px: 0, width_px: 400, height_px: 400 };
    expect(resized(box, { x: 1, y: 1 }, -1000, -1000, size, null)).toMatchObject({
      width_px: 64,
      height_px: 64,
    });
  });
});
