/** The composer's standing check: what is still needed, and what the gateway would make of it. */
import { useEffect, useMemo, useState } from 'react';
import { useCapabilities } from '@/api/capabilities';
import { ProblemError } from '@/api/http';
import type { JobPlan } from '@/api/types';
import { preview } from '../api/preview';
import { type RequestBody, requestOf } from './request';
import { useComposer } from './store';
import { useProfile } from './useProfile';
import { type Need, needsOf, needsOfProblems } from './validation';

const ASK_AFTER_MS = 350;

export interface Check {
  body: RequestBody;
  needs: Need[];
  plan: JobPlan | null;
}

interface Answer {
  question: string;
  plan: JobPlan | null;
  needs: Need[];
}

export function useCheck(): Check {
  const { task, prompt, settings, attachments, refusals } = useComposer();
  const capabilities = useCapabilities((s) => s.capabilities);
  const profile = useProfile();
  const [answer, setAnswer] = useState<Answer | null>(null);

  const { body, own } = useMemo(() => {
    const draft = { task, prompt, settings };
    return {
      body: requestOf(draft, attachments, profile),
      own: needsOf(draft, attachments, capabilities, profile),
    };
  }, [task, prompt, settings, attachments, profile, capabilities]);
  const question = JSON.stringify(body);
  const complete = own.length === 0;

  useEffect(() => {
    if (!complete) return;
    let stale = false;
    const timer = setTimeout(() => {
      void ask(question).then((found) => {
        if (!stale && found) setAnswer(found);
      });
    }, ASK_AFTER_MS);
    return () => {
      stale = true;
      clearTimeout(timer);
    };
  }, [question, complete]);

  const current = complete && answer?.question === question ? answer : null;
  return {
    body,
    needs: [...own, ...(current?.needs ?? []), ...refusals],
    plan: current?.plan ?? null,
  };
}

/** The answer, or null when nobody answered: a lost connection is shown elsewhere. */
async function ask(question: string): Promise<Answer | null> {
  try {
    const { plan, problems } = await preview(JSON.parse(question) as RequestBody);
    return { question, plan, needs: needsOfProblems(problems) };
  } catch (thrown) {
    if (!(thrown instanceof ProblemError)) return null;
    const { errors, detail, remedy, code } = thrown.problem;
    const named = errors.length > 0 ? errors : [{ field: null, sentence: detail, remedy, code }];
    return { question, plan: null, needs: needsOfProblems(named) };
  }
}
