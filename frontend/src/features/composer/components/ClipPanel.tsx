/** How a motion clip is made: its words or a pack, frames or pictures in turn, and its file. */
import { useEffect, useState } from 'react';
import { useCapabilities } from '@/api/capabilities';
import type { PackList } from '@/api/types';
import { strings } from '@/strings';
import { Choices } from '@/ui/Choices';
import { Field, inputLook, Problem } from '@/ui/Field';
import { listPacks } from '../api/packs';
import {
  BACKENDS,
  CAMERAS,
  type ClipSettings,
  CONTAINERS,
  PRESETS,
  SEED_MODES,
} from '../model/clip';
import { useComposer } from '../model/store';
import { type Need, sentencesAt } from '../model/validation';

const words = strings.clip;
type Change = (change: Partial<ClipSettings>) => void;

export function ClipPanel({ needs }: { needs: Need[] }) {
  const { settings, set } = useComposer();
  const { clip } = settings;
  const change: Change = (part) => set({ clip: { ...clip, ...part } });
  const problem = sentencesAt(needs, 'clip');
  return (
    <section
      aria-label={words.panel}
      className="appear grid max-h-[38vh] gap-x-5 gap-y-3 overflow-y-auto rounded-2xl bg-well/60 p-4 sm:grid-cols-2"
    >
      <PackField clip={clip} change={change} />
      <div className="self-center">
        <Check
          label={words.frames}
          help={words.framesHelp}
          checked={clip.frames}
          onChange={(frames) => change({ frames })}
        />
      </div>
      {problem && (
        <p role="alert" className="text-sm sm:col-span-2">
          <Problem sentence={problem} />
        </p>
      )}
      {clip.frames ? (
        <FramesFields clip={clip} change={change} />
      ) : (
        <StillFields clip={clip} change={change} />
      )}
      <Text label={words.fps} help={words.fpsHelp} name="fps" clip={clip} change={change} />
      <Choices
        label={words.container}
        value={clip.container}
        options={CONTAINERS.map((value) => ({ value, label: words.containers[value] }))}
        onChange={(container) => change({ container })}
      />
      {clip.container !== 'gif' && (
        <Choices
          label={words.preset}
          value={clip.preset}
          options={PRESETS.map((value) => ({ value, label: words.presets[value] }))}
          onChange={(preset) => change({ preset })}
        />
      )}
      <div className="self-center">
        <Check
          label={words.keepFrames}
          help={words.keepFramesHelp}
          checked={clip.keepFrames}
          onChange={(keepFrames) => change({ keepFrames })}
        />
      </div>
    </section>
  );
}

interface Part {
  clip: ClipSettings;
  change: Change;
}

function FramesFields({ clip, change }: Part) {
  const offers = useCapabilities((s) => s.capabilities?.motion_clip.backends);
  return (
    <>
      <Field label={words.backend} help={words.backendHelp[clip.backend]}>
        {({ id, describedBy }) => (
          <select
            id={id}
            aria-describedby={describedBy}
            className={inputLook}
            value={clip.backend}
            onChange={(event) => {
              const backend = BACKENDS.find((one) => one === event.target.value);
              if (backend) change({ backend });
            }}
          >
            {BACKENDS.map((backend) => {
              const there = offers?.find((offer) => offer.name === backend)?.available ?? false;
              const label = words.backends[backend];
              return (
                <option key={backend} value={backend} disabled={!there}>
                  {there ? label : words.notHere(label)}
                </option>
              );
            })}
          </select>
        )}
      </Field>
      <Text
        label={words.numFrames}
        help={words.numFramesHelp}
        name="numFrames"
        clip={clip}
        change={change}
      />
      <Text
        label={words.strength}
        help={words.strengthHelp}
        name="strength"
        clip={clip}
        change={change}
      />
      <Choices
        label={words.seedMode}
        value={clip.seedMode}
        options={SEED_MODES.map((value) => ({ value, label: words.seedModes[value] }))}
        onChange={(seedMode) => change({ seedMode })}
      />
    </>
  );
}

function StillFields({ clip, change }: Part) {
  return (
    <>
      <Text
        label={words.stillSeconds}
        help={words.stillSecondsHelp}
        name="stillSeconds"
        clip={clip}
        change={change}
      />
      <Choices
        label={words.camera}
        value={clip.camera}
        options={CAMERAS.map((value) => ({ value, label: words.cameras[value] }))}
        onChange={(camera) => change({ camera })}
      />
    </>
  );
}

/** One's own words, or a pack that brings them; a pack is shown and never changed. */
function PackField({ clip, change }: Part) {
  const [packs, setPacks] = useState<PackList['packs']>([]);
  useEffect(() => {
    let gone = false;
    listPacks()
      .then((found) => !gone && setPacks(found.packs))
      .catch(() => {
        // Without the list only one's own words can be chosen, and a pack chosen before stays.
      });
    return () => {
      gone = true;
    };
  }, []);
  const refs = packs.map((pack) => ({ ref: `${pack.name}@${pack.version}`, pack }));
  const chosen = refs.find(({ ref }) => ref === clip.pack)?.pack;
  return (
    <Field label={words.pack} help={chosen ? chosen.prompt : words.packHelp}>
      {({ id, describedBy }) => (
        <select
          id={id}
          aria-describedby={describedBy}
          className={inputLook}
          value={clip.pack}
          onChange={(event) => change({ pack: event.target.value })}
        >
          <option value="">{words.ownWords}</option>
          {clip.pack && !chosen && <option value={clip.pack}>{clip.pack}</option>}
          {refs.map(({ ref, pack }) => (
            <option key={ref} value={ref}>
              {`${pack.title} (${pack.version})`}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}

interface TextProps extends Part {
  label: string;
  help: string;
  name: 'numFrames' | 'fps' | 'strength' | 'stillSeconds';
}

function Text({ label, help, name, clip, change }: TextProps) {
  return (
    <Field label={label} help={help}>
      {({ id, describedBy }) => (
        <input
          id={id}
          inputMode="decimal"
          autoComplete="off"
          placeholder={strings.settings.automatic}
          aria-describedby={describedBy}
          className={inputLook}
          value={clip[name]}
          onChange={(event) => change({ [name]: event.target.value })}
        />
      )}
    </Field>
  );
}

interface CheckProps {
  label: string;
  help: string;
  checked: boolean;
  onChange: (checked: boolean) => void;
}

function Check({ label, help, checked, onChange }: CheckProps) {
  return (
    <label className="flex cursor-pointer items-start gap-3 text-sm">
      <input
        type="checkbox"
        className="range mt-0.5 size-4.5"
        checked={checked}
        onChange={(event) => onChange(event.target.checked)}
      />
      <span>
        <span className="font-medium">{label}</span>
        <span className="block text-[0.8125rem] text-muted">{help}</span>
      </span>
    </label>
  );
}
