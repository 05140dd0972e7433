/** One quiet line under the prompt: what is still needed, a remark, or a hint on words. */
import type { JobPlan } from '@/api/types';
import { strings } from '@/strings';
import { Problem } from '@/ui/Field';
import { isUseless } from '../model/attachment';
import { rolesIn } from '../model/roles';
import { useComposer } from '../model/store';
import { type Need, sentencesAt } from '../model/validation';

interface HelperLineProps {
  needs: Need[];
  plan: JobPlan | null;
  tried: boolean;
}

export function HelperLine({ needs, plan, tried }: HelperLineProps) {
  const { task, attachments, remark } = useComposer();
  const wrong = sentencesAt(
    needs,
    'general',
    'task',
    'aspect',
    'quality',
    'reference',
    'pose_sheet',
  );
  const refused = attachments.find((a) => isUseless(a) && a.problem)?.problem;
  const atFiles = rolesIn(task)
    .map((role) => {
      const said = sentencesAt(needs, role);
      const plain = said === strings.missing[role];
      return plain && !tried ? undefined : said;
    })
    .filter((said) => said !== undefined);
  const problems = [refused && `${refused.sentence} ${refused.remedy}`, wrong, ...atFiles].filter(
    Boolean,
  );
  return (
    <p role="status" className="min-h-5 px-1 text-[0.8125rem] text-muted">
      {problems.length > 0 ? (
        <Problem sentence={problems.join(' ')} />
      ) : (
        (remark ?? notesOf(plan) ?? hint(task, needs))
      )}
    </p>
  );
}

function notesOf(plan: JobPlan | null): string | undefined {
  return plan && plan.notes.length > 0 ? plan.notes.join(' ') : undefined;
}

function hint(task: keyof typeof strings.tasks, needs: Need[]): string {
  const files = needs.filter((n) => n.place !== 'prompt' && n.place !== 'files');
  return files.length > 0 ? files.map((n) => n.sentence).join(' ') : strings.tasks[task].example;
}
