/** A dense table: headings, rows, and what stands there when there are none. */
import type { ReactNode } from 'react';

interface TableProps {
  label: string;
  headings: string[];
  rows: { key: string; cells: ReactNode[] }[];
  empty: string;
}

export function Table({ label, headings, rows, empty }: TableProps) {
  return (
    <div
      className="overflow-x-auto rounded-2xl bg-surface"
      tabIndex={0}
      role="region"
      aria-label={label}
    >
      <table className="w-full text-left text-[0.8125rem]">
        <thead>
          <tr className="text-muted">
            {headings.map((heading) => (
              <th key={heading} scope="col" className="px-3 py-2 font-medium whitespace-nowrap">
                {heading}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.key} className="border-t border-line/60 align-top hover:bg-well/60">
              {row.cells.map((cell, at) => (
                <td key={headings[at]} className="px-3 py-2">
                  {cell}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {rows.length === 0 && <p className="px-3 pb-3 text-[0.8125rem] text-muted">{empty}</p>}
    </div>
  );
}
