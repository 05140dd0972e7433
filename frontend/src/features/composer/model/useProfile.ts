/** What the present task offers in the chosen quality. */
import { useCapabilities } from '@/api/capabilities';
import type { ProfileAvailability, QualityProfile } from '@/api/types';
import { profileOf } from '@/model/tasks';
import { variantOf } from './request';
import { useComposer } from './store';

export function useProfile(quality?: QualityProfile): ProfileAvailability | undefined {
  return useProfiles()(quality);
}

/** The same for any quality: what a menu of qualities needs. */
export function useProfiles(): (quality?: QualityProfile) => ProfileAvailability | undefined {
  const { task, prompt, settings, attachments } = useComposer();
  const capabilities = useCapabilities((s) => s.capabilities);
  const variant = variantOf({ task, prompt, settings }, attachments);
  return (quality = settings.quality) => profileOf(capabilities, task, quality, variant);
}
