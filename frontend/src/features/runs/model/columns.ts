/** How the gallery divides its width, and how tall a card is. Pure, so nothing ever shifts. */
export const GAP_PX = 16;
export const FOOTER_PX = 84;
const MAX_COLUMNS = 6;
const ONE_COLUMN_BELOW_PX = 480;
const TALLEST_SINGLE_PX = 460;

export function columnsFor(width: number): number {
  if (width < ONE_COLUMN_BELOW_PX) return 1;
  const wanted = Math.min(Math.max(width / 6.2, 210), 430);
  return Math.min(MAX_COLUMNS, Math.max(2, Math.floor((width + GAP_PX) / (wanted + GAP_PX))));
}

export function columnWidth(width: number, columns: number): number {
  return (width - GAP_PX * (columns - 1)) / columns;
}

/** The height of a card's picture: its own shape, but alone in a row never a whole screen tall. */
export function pictureHeight(
  run: { width: number; height: number },
  width: number,
  columns: number,
): number {
  const natural = (width * run.height) / run.width;
  return Math.round(columns === 1 ? Math.min(natural, TALLEST_SINGLE_PX) : natural);
}
