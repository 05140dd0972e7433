import { describe, expect, it } from 'vitest';
import {
  columnsFor,
  columnWidth,
  FOOTER_PX,
  GAP_PX,
  pictureHeight,
} from '@/features/runs/model/columns';

describe('the columns of the gallery', () => {
  it('are one on a phone, more on a desk, never too many', () => {
    expect([328, 700, 1232, 2512, 3790].map(columnsFor)).toEqual([1, 3, 5, 6, 6]);
  });

  it('keep the cards on a 4K screen under sixty', () => {
    const [width, height] = [3790, 2160];
    const columns = columnsFor(width);
    const wide = columnWidth(width, columns);
    const card = pictureHeight({ width: 16, height: 9 }, wide, columns) + FOOTER_PX + GAP_PX;
    const overscan = 2 * columns;
    expect((Math.ceil(height / card) + 1) * columns + overscan).toBeLessThanOrEqual(60);
  });

  it('leave a lone card on a phone lower than the screen', () => {
    expect(pictureHeight({ width: 9, height: 16 }, 328, 1)).toBeLessThan(500);
  });
});
