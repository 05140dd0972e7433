/** Puts a sample project on the desk, through the same doors as a person's own files. */
import { attachFiles, attachKept, useComposer } from '@/features/composer';
import type { Sample } from '@/features/samples';

type Files = { role: Sample['files'][number]['role']; file: File }[];

export function useSampleLoader() {
  return (sample: Sample, files: Files) => {
    const composer = useComposer.getState();
    void attachKept([]);
    composer.load({
      task: sample.task,
      prompt: sample.prompt,
      settings: {
        ...composer.settings,
        aspect: sample.aspect_ratio,
        quality: sample.quality_profile,
      },
    });
    for (const { role, file } of files) attachFiles([file], role);
  };
}
