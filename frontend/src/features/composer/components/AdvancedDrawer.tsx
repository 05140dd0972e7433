/** Settings that few need; only those that change something in this task and quality. */
import { strings } from '@/strings';
import { Choices } from '@/ui/Choices';
import { seconds } from '@/ui/format';
import { ADHERENCES, CONTROLS, FRAMINGS } from '../model/draft';
import { useComposer } from '../model/store';
import { useProfile } from '../model/useProfile';
import { type Need, sentencesAt } from '../model/validation';
import { Extension, Relighting, TextSetting } from './settings';

const words = strings.settings;
const AUTO = { value: 'auto', label: words.automatic } as const;

export function AdvancedDrawer({ needs }: { needs: Need[] }) {
  const { task, settings, attachments, set } = useComposer();
  const profile = useProfile();
  const wired = (name: string) => profile?.settings.includes(name) ?? false;
  const has = (role: string) => attachments.some((a) => a.role === role);
  const range = profile && ([profile.min_duration_s, profile.max_duration_s] as const);
  return (
    <div
      id="advanced"
      className="appear grid max-h-[40vh] gap-x-5 gap-y-3 overflow-y-auto rounded-2xl bg-well/60 p-4 sm:grid-cols-2"
    >
      {task === 'pose_control' && has('control_video') && (
        <div className="sm:col-span-2">
          <Choices
            label={words.control}
            value={settings.control}
            options={CONTROLS.map((value) => ({ value, label: words.controls[value] }))}
            onChange={(control) => set({ control })}
          />
        </div>
      )}
      <TextSetting
        name="seed"
        numeric
        label={words.seed}
        help={words.seedHelp}
        placeholder={words.random}
        problem={sentencesAt(needs, 'seed')}
      />
      {task !== 'motion_clip' && (
        <TextSetting
          name="duration"
          numeric
          label={words.duration}
          help={range && words.durationHelp(seconds(range[0]), seconds(range[1]))}
          placeholder={words.automatic}
          problem={sentencesAt(needs, 'duration')}
        />
      )}
      {wired('extension_segments') && profile && (
        <Extension profile={profile} problem={sentencesAt(needs, 'extension')} />
      )}
      <TextSetting
        name="keywords"
        label={words.keywords}
        help={words.keywordsHelp}
        problem={sentencesAt(needs, 'keywords')}
      />
      {wired('framing_mode') && (
        <Choices
          label={words.framing}
          value={settings.framing ?? 'auto'}
          options={[AUTO, ...FRAMINGS.map((value) => ({ value, label: words.framings[value] }))]}
          onChange={(value) => set({ framing: value === 'auto' ? null : value })}
        />
      )}
      {wired('audio_adherence_profile') && (
        <Choices
          label={words.adherence}
          value={settings.adherence ?? 'auto'}
          options={[
            AUTO,
            ...ADHERENCES.map((value) => ({ value, label: words.adherences[value] })),
          ]}
          onChange={(value) => set({ adherence: value === 'auto' ? null : value })}
        />
      )}
      {has('pose_sheet') && (
        <TextSetting
          name="poses"
          label={words.poses}
          help={words.posesHelp}
          problem={sentencesAt(needs, 'poses')}
        />
      )}
      {wired('negative_prompt') && (
        <TextSetting
          name="negative"
          label={words.negative}
          help={words.negativeHelp}
          problem={sentencesAt(needs, 'negative')}
        />
      )}
      {wired('relighting') && <Relighting />}
    </div>
  );
}
