/** The request of a finished job, put together again from what is on record of it. */
import { useCapabilities } from '@/api/capabilities';
import { type againOf, type RequestBody, requestOfKept, variantOf } from '@/features/composer';
import { profileOf } from '@/model/tasks';

export function rebuilt(made: ReturnType<typeof againOf>): RequestBody {
  const { capabilities } = useCapabilities.getState();
  const variant = variantOf(made, made.attachments);
  return requestOfKept(made, profileOf(capabilities, made.task, made.settings.quality, variant));
}
