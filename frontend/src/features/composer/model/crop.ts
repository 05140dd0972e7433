/** Moving and sizing a crop rectangle inside a picture, in source pixels. Pure. */
import type { AspectRatio, CropBox } from '@/api/types';

export interface Size {
  width: number;
  height: number;
}

/** Which sides of the rectangle a handle holds: -1 left or top, 1 right or bottom, 0 none. */
export interface Handle {
  x: -1 | 0 | 1;
  y: -1 | 0 | 1;
}

export const MIN_SIDE_PX = 64;

export const RATIOS: Record<AspectRatio, number> = { '9:16': 9 / 16, '16:9': 16 / 9, '1:1': 1 };

const clamp = (value: number, low: number, high: number) => Math.min(Math.max(value, low), high);

/** The largest rectangle of a shape in the middle of the picture; the whole for no shape. */
export function centred(size: Size, ratio: number | null): CropBox {
  const wide = ratio !== null && size.width / size.height > ratio;
  const width = ratio === null ? size.width : wide ? size.height * ratio : size.width;
  const height = ratio === null ? size.height : wide ? size.height : size.width / ratio;
  return whole(
    {
      x_px: (size.width - width) / 2,
      y_px: (size.height - height) / 2,
      width_px: width,
      height_px: height,
    },
    size,
  );
}

export function moved(box: CropBox, dx: number, dy: number, size: Size): CropBox {
  return whole(
    {
      ...box,
      x_px: clamp(box.x_px + dx, 0, size.width - box.width_px),
      y_px: clamp(box.y_px + dy, 0, size.height - box.height_px),
    },
    size,
  );
}

/** The rectangle with the held sides moved; with a shape the opposite corner stays. */
export function resized(
  box: CropBox,
  handle: Handle,
  dx: number,
  dy: number,
  size: Size,
  ratio: number | null,
): CropBox {
  const least = Math.min(MIN_SIDE_PX, size.width, size.height);
  const right = box.x_px + box.width_px;
  const bottom = box.y_px + box.height_px;
  const roomX = handle.x < 0 ? right : size.width - box.x_px;
  const roomY = handle.y < 0 ? bottom : size.height - box.y_px;
  let width = clamp(box.width_px + handle.x * dx, least, roomX);
  let height = clamp(box.height_px + handle.y * dy, least, roomY);
  if (ratio !== null) {
    width = clamp(handle.x === 0 ? height * ratio : width, least * Math.max(1, ratio), roomX);
    width = Math.min(width, roomY * ratio);
    height = width / ratio;
  }
  return whole(
    {
      x_px: handle.x < 0 ? right - width : box.x_px,
      y_px: handle.y < 0 ? bottom - height : box.y_px,
      width_px: width,
      height_px: height,
    },
    size,
  );
}

/** Whole pixels, inside the picture. */
function whole(box: CropBox, size: Size): CropBox {
  const x_px = clamp(Math.round(box.x_px), 0, size.width - 1);
  const y_px = clamp(Math.round(box.y_px), 0, size.height - 1);
  return {
    x_px,
    y_px,
    width_px: clamp(Math.round(box.width_px), 1, size.width - x_px),
    height_px: clamp(Math.round(box.height_px), 1, size.height - y_px),
  };
}

export function isWhole(box: CropBox, size: Size): boolean {
  return box.width_px >= size.width && box.height_px >= size.height;
}
