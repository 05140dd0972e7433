/** Characters or styles that were kept: use one, keep what is on the desk, forget one. */
import { BookmarkPlus, Trash2 } from 'lucide-react';
import { type ReactNode, useCallback, useEffect, useState } from 'react';
import { sentenceOf } from '@/api/http';
import type { CharacterView, PresetView } from '@/api/types';
import { strings } from '@/strings';
import { Button, IconButton } from '@/ui/Button';
import { Dialog } from '@/ui/Dialog';
import { Field, inputLook, Problem } from '@/ui/Field';
import {
  deleteCharacter,
  deletePreset,
  listCharacters,
  listPresets,
  saveCharacter,
  savePreset,
} from '../api/library';
import { attachKept } from '../model/attaching';
import {
  attachmentsOf,
  CHARACTER_ROLES,
  characterOf,
  settingsOfStyle,
  styleOf,
} from '../model/library';
import { useComposer } from '../model/store';

const words = strings.library;

export type Shelf = 'characters' | 'styles';

export function LibraryDialog({ shelf, onClose }: { shelf: Shelf; onClose: () => void }) {
  return (
    <Dialog title={words[shelf].title} onClose={onClose}>
      {shelf === 'characters' ? <Characters done={onClose} /> : <Styles done={onClose} />}
    </Dialog>
  );
}

function Characters({ done }: { done: () => void }) {
  const attachments = useComposer((s) => s.attachments);
  const [list, load, problem, attempt] = useShelf<CharacterView>(
    useCallback(async () => (await listCharacters()).characters, []),
  );
  const ready = characterOf('-', attachments) !== null;
  return (
    <div className="flex flex-col gap-4">
      <Rows empty={list?.length === 0 && words.characters.none}>
        {list?.map((one) => (
          <Row
            key={one.character_id}
            name={one.name}
            detail={words.characters.what(
              one.version,
              one.reference_asset_ids.length + one.pose_sheet_asset_ids.length,
            )}
            picture={one.thumbnail_url}
            onUse={() => {
              void attachKept(attachmentsOf(one), (a) => !CHARACTER_ROLES.includes(a.role));
              done();
            }}
            onForget={() => attempt(() => deleteCharacter(one.character_id).then(load))}
          />
        ))}
      </Rows>
      <Keep
        label={words.characters.keep}
        help={ready ? words.characters.keepHelp : strings.missing.ground_truth}
        disabled={!ready}
        onKeep={(name) =>
          attempt(async () => {
            const draft = characterOf(name, attachments);
            if (draft) await saveCharacter(draft, list ?? []);
            await load();
          })
        }
      />
      {problem && <Problem sentence={problem} />}
    </div>
  );
}

function Styles({ done }: { done: () => void }) {
  const { settings, set } = useComposer();
  const [shared, setShared] = useState(false);
  const [list, load, problem, attempt] = useShelf<PresetView>(
    useCallback(async () => (await listPresets()).presets, []),
  );
  return (
    <div className="flex flex-col gap-4">
      <Rows empty={list?.length === 0 && words.styles.none}>
        {list?.map((one) => (
          <Row
            key={one.preset_id}
            name={one.name}
            detail={[
              one.shared && (one.own ? words.styles.shared : words.styles.fromOthers),
              ...one.style.keywords,
            ]
              .filter(Boolean)
              .join(', ')}
            onUse={() => {
              set(settingsOfStyle(one.style));
              done();
            }}
            onForget={
              one.own ? () => attempt(() => deletePreset(one.preset_id).then(load)) : undefined
            }
          />
        ))}
      </Rows>
      <label className="flex items-center gap-3 text-sm">
        <input
          type="checkbox"
          className="range size-4.5"
          checked={shared}
          onChange={(event) => setShared(event.target.checked)}
        />
        {words.styles.share}
      </label>
      <Keep
        label={words.styles.keep}
        help={words.styles.keepHelp}
        disabled={false}
        onKeep={(name) =>
          attempt(() =>
            savePreset({ name, shared, style: styleOf(settings) }, list ?? []).then(load),
          )
        }
      />
      {problem && <Problem sentence={problem} />}
    </div>
  );
}

type Attempt = (action: () => Promise<unknown>) => void;

/** What lies on a shelf, how to look again, and what went wrong last. */
function useShelf<T>(
  ask: () => Promise<T[]>,
): [T[] | null, () => Promise<void>, string | null, Attempt] {
  const [list, setList] = useState<T[] | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const load = useCallback(async () => setList(await ask()), [ask]);
  const attempt: Attempt = useCallback((action) => {
    setProblem(null);
    action().catch((thrown: unknown) => {
      const { sentence, remedy } = sentenceOf(thrown);
      setProblem(`${sentence} ${remedy}`);
    });
  }, []);
  useEffect(() => {
    let gone = false;
    ask()
      .then((found) => !gone && setList(found))
      .catch((thrown: unknown) => !gone && setProblem(sentenceOf(thrown).sentence));
    return () => {
      gone = true;
    };
  }, [ask]);
  return [list, load, problem, attempt];
}

function Rows({ empty, children }: { empty: string | false | undefined; children: ReactNode }) {
  if (empty) return <p className="text-sm text-muted">{empty}</p>;
  return <ul className="flex max-h-[40vh] flex-col gap-1 overflow-y-auto">{children}</ul>;
}

interface RowProps {
  name: string;
  detail: string;
  picture?: string;
  onUse: () => void;
  onForget?: (() => void) | undefined;
}

function Row({ name, detail, picture, onUse, onForget }: RowProps) {
  return (
    <li className="flex items-center gap-2">
      <button
        type="button"
        onClick={onUse}
        className="flex min-w-0 grow items-center gap-3 rounded-2xl bg-well p-2 text-left transition-colors hover:bg-hover"
      >
        {picture && (
          <img src={picture} alt="" className="size-12 shrink-0 rounded-xl object-cover" />
        )}
        <span className="min-w-0 px-1">
          <span className="block font-medium">{name}</span>
          <span className="block truncate text-[0.8125rem] text-muted">{detail}</span>
        </span>
      </button>
      {onForget && (
        <IconButton label={words.forget(name)} onClick={onForget}>
          <Trash2 aria-hidden size={16} />
        </IconButton>
      )}
    </li>
  );
}

interface KeepProps {
  label: string;
  help: string;
  disabled: boolean;
  onKeep: (name: string) => void;
}

function Keep({ label, help, disabled, onKeep }: KeepProps) {
  const [name, setName] = useState('');
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (disabled || !name.trim()) return;
        onKeep(name);
        setName('');
      }}
    >
      <Field label={label} help={help}>
        {({ id, describedBy }) => (
          <div className="flex gap-2">
            <input
              id={id}
              aria-describedby={describedBy}
              autoComplete="off"
              maxLength={80}
              placeholder={words.name}
              className={inputLook}
              value={name}
              onChange={(event) => setName(event.target.value)}
            />
            <Button
              type="submit"
              icon={<BookmarkPlus aria-hidden size={15} />}
              disabled={disabled || !name.trim()}
            >
              {words.save}
            </Button>
          </div>
        )}
      </Field>
    </form>
  );
}
