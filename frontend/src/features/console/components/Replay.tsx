/** Makes an ended job again: from a step of its own, or with another version of its workflow. */
import { useState } from 'react';
import { useLocation } from 'wouter';
import type { JobView } from '@/api/types';
import { strings } from '@/strings';
import { Field, inputLook } from '@/ui/Field';
import { getWorkflows, replayJob } from '../api/admin';
import { useAsked } from '../model/useAsked';
import { Act } from './Act';

const words = strings.console;
const STARTS = ['', 'media', 'composition', 'execution', 'collection'] as const;

export function Replay({ job, done }: { job: JobView; done: () => void }) {
  const [start, setStart] = useState<(typeof STARTS)[number]>('');
  const [version, setVersion] = useState('');
  const [, navigate] = useLocation();
  const [name, own] = (job.workflow_template ?? '').split('@');
  const released = useAsked('workflows', getWorkflows).answer ?? [];
  const others = released.filter(
    (one) => one.workflow_name === name && one.workflow_version !== own,
  );
  return (
    <Act
      label={words.replay}
      what={words.replayWhat}
      act={() =>
        replayJob(job.job_id, {
          ...(start && { start }),
          ...(version && { workflow_version: version }),
        })
      }
      done={(made) => {
        if (made.job_id === job.job_id) done();
        else navigate(`/console/jobs/${made.job_id}`);
      }}
    >
      <div className="mt-3 flex flex-col gap-1">
        {job.status === 'failed' && (
          <Field label={words.replayFrom}>
            {({ id }) => (
              <select
                id={id}
                value={start}
                onChange={(event) => setStart(event.target.value as typeof start)}
                className={inputLook}
              >
                {STARTS.map((one) => (
                  <option key={one} value={one}>
                    {words.replayFromWhere[one]}
                  </option>
                ))}
              </select>
            )}
          </Field>
        )}
        {others.length > 0 && (
          <Field label={words.replayVersion}>
            {({ id }) => (
              <select
                id={id}
                value={version}
                onChange={(event) => setVersion(event.target.value)}
                className={inputLook}
              >
                <option value="">{words.sameVersion}</option>
                {others.map(({ workflow_version: one }) => (
                  <option key={one}>{one}</option>
                ))}
              </select>
            )}
          </Field>
        )}
      </div>
    </Act>
  );
}
