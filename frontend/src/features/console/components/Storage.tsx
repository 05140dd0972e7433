/** How much room the media take, and how much came on each of the last days. */
import { strings } from '@/strings';
import { bytes } from '@/ui/format';
import { getStorage } from '../api/admin';
import { useAsked } from '../model/useAsked';
import { Part, Trouble } from './Bits';
import { Table } from './Table';

const words = strings.console;
const { columns } = words;

export function Storage() {
  const asked = useAsked('storage', getStorage);
  const held = asked.answer;
  const empty = held ? words.none : strings.loading;
  return (
    <Part title={words.storage}>
      <Trouble sentence={asked.trouble} />
      <p className="max-w-3xl text-[0.8125rem] text-muted">
        {words.storageWhat} {held?.free_bytes ? words.freeSpace(bytes(held.free_bytes)) : ''}
      </p>
      <Table
        label={words.storage}
        headings={[columns.kind, columns.items, columns.size]}
        rows={(held?.kinds ?? []).map((one) => ({
          key: one.kind,
          cells: [one.kind, one.items, bytes(one.size_bytes)],
        }))}
        empty={empty}
      />
      <Table
        label={words.perDay}
        headings={[columns.day, columns.uploaded, columns.delivered]}
        rows={(held?.days ?? []).map((one) => ({
          key: one.day,
          cells: [one.day, bytes(one.uploaded_bytes), bytes(one.delivered_bytes)],
        }))}
        empty={empty}
      />
    </Part>
  );
}
