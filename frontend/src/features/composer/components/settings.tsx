/** The single settings of the advanced drawer. */
import type { ProfileAvailability } from '@/api/types';
import { strings } from '@/strings';
import { Field, inputLook } from '@/ui/Field';
import { seconds } from '@/ui/format';
import { useComposer } from '../model/store';

const words = strings.settings;

interface TextSettingProps {
  name: 'seed' | 'duration' | 'keywords' | 'poses' | 'negative';
  label: string;
  help?: string | undefined;
  placeholder?: string;
  numeric?: boolean;
  problem: string | undefined;
}

export function TextSetting({ name, numeric, placeholder, ...field }: TextSettingProps) {
  const { settings, set } = useComposer();
  return (
    <Field {...field}>
      {({ id, describedBy, invalid }) => (
        <input
          id={id}
          inputMode={numeric ? 'decimal' : 'text'}
          autoComplete="off"
          placeholder={placeholder}
          aria-describedby={describedBy}
          aria-invalid={invalid}
          className={inputLook}
          value={settings[name]}
          onChange={(event) => set({ [name]: event.target.value })}
        />
      )}
    </Field>
  );
}

interface ExtensionProps {
  profile: ProfileAvailability;
  problem: string | undefined;
}

/** How many parts a longer video may have. */
export function Extension({ profile, problem }: ExtensionProps) {
  const { settings, set } = useComposer();
  const most = profile.max_extension_segments;
  const part_s = profile.max_duration_s / (most + 1);
  return (
    <Field label={words.extension} help={words.extensionHelp} problem={problem}>
      {({ id, describedBy, invalid }) => (
        <select
          id={id}
          aria-describedby={describedBy}
          aria-invalid={invalid}
          className={inputLook}
          value={settings.extension}
          onChange={(event) => set({ extension: event.target.value })}
        >
          <option value="">{words.automatic}</option>
          {Array.from({ length: most + 1 }, (_, extra) => (
            <option key={extra} value={String(extra)}>
              {words.parts(extra + 1, seconds(part_s * (extra + 1)))}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}

export function Relighting() {
  const { settings, set } = useComposer();
  return (
    <label className="flex cursor-pointer items-start gap-3 text-sm">
      <input
        type="checkbox"
        className="range mt-0.5 size-4.5"
        checked={settings.relighting}
        onChange={(event) => set({ relighting: event.target.checked })}
      />
      <span>
        <span className="font-medium">{words.relighting}</span>
        <span className="block text-[0.8125rem] text-muted">{words.relightingHelp}</span>
      </span>
    </label>
  );
}
