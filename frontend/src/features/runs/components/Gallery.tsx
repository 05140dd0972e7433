/** All runs, newest first, in columns; only those near the screen are in the page. */
import { useWindowVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react';
import { strings } from '@/strings';
import { columnsFor, columnWidth, FOOTER_PX, GAP_PX, pictureHeight } from '../model/columns';
import { loadMore } from '../model/loading';
import type { Run } from '../model/run';
import { isNarrowed, matches, useRuns } from '../model/store';
import { type CardActions, RunCard } from './RunCard';
import { Turn } from './Turn';

interface GalleryProps {
  actions: CardActions;
}

export function Gallery({ actions }: GalleryProps) {
  const { runs, filter, cursor, loading } = useRuns();
  // Scrolling renders anew at every step: what only a change of the list changes is kept.
  const shown = useMemo(() => runs.filter((run) => matches(run, filter)), [runs, filter]);
  const shapes = useMemo(
    () => shown.map((run) => `${run.key}${run.width}${run.height}`).join(),
    [shown],
  );
  const room = useRef<HTMLUListElement>(null);
  const { width, top } = useRoom(room);
  const columns = columnsFor(width);
  const wide = columnWidth(width, columns);
  const height = (run: Run) => pictureHeight(run, wide, columns) + FOOTER_PX;

  const virtual = useWindowVirtualizer({
    count: width > 0 ? shown.length : 0,
    lanes: columns,
    gap: GAP_PX,
    // Counted per column, on both sides.
    overscan: 1,
    scrollMargin: top,
    estimateSize: (index) => height(shown[index] as Run),
    getItemKey: (index) => shown[index]?.key ?? index,
  });
  useLayoutEffect(() => virtual.measure(), [virtual, columns, wide, shapes]);

  const items = virtual.getVirtualItems();
  const last = items.at(-1)?.index ?? -1;
  useEffect(() => {
    if (cursor !== null && last >= shown.length - columns * 2) void loadMore();
  }, [cursor, last, shown.length, columns]);

  return (
    <section aria-label={strings.runs.gallery} aria-busy={loading}>
      <h1 className="sr-only">{strings.runs.gallery}</h1>
      <ul ref={room} className="relative" style={{ height: virtual.getTotalSize() }}>
        {items.map((item) => {
          const run = shown[item.index];
          if (!run) return null;
          return (
            <li
              key={item.key}
              aria-posinset={item.index + 1}
              aria-setsize={cursor === null ? shown.length : -1}
              className="absolute"
              style={{
                width: wide,
                height: height(run),
                left: item.lane * (wide + GAP_PX),
                top: item.start - top,
              }}
            >
              <Turn height={pictureHeight(run, wide, columns)}>
                {() => (
                  <RunCard
                    run={run}
                    pictureHeight={pictureHeight(run, wide, columns)}
                    actions={actions}
                  />
                )}
              </Turn>
            </li>
          );
        })}
      </ul>
      <p role="status" className="py-6 text-center text-sm text-faint">
        {loading && runs.length > 0 && strings.runs.loadingMore}
        {!loading && shown.length === 0 && isNarrowed(filter) && strings.runs.noneLike}
      </p>
    </section>
  );
}

/** Width and place of the list in the page. */
function useRoom(room: React.RefObject<HTMLElement | null>) {
  const [place, setPlace] = useState({ width: 0, top: 0 });
  useLayoutEffect(() => {
    const element = room.current;
    if (!element) return;
    const read = () => {
      const box = element.getBoundingClientRect();
      const seen = { width: box.width, top: Math.round(box.top + window.scrollY) };
      setPlace((old) => (old.width === seen.width && old.top === seen.top ? old : seen));
    };
    const observer = new ResizeObserver(read);
    observer.observe(element);
    observer.observe(document.body);
    read();
    return () => observer.disconnect();
  }, [room]);
  return place;
}
