/** The closing stage, and afterwards: check the summary, then answer the poll again. */
import { useState } from 'preact/hooks';
import { t } from '../i18n';
import { GroupStatements } from './group-statement';
import { Poll } from './poll';
import type { Session } from './session';
import { Summary } from './summary';

export function Closing({ session }: { session: Session }) {
  const view = session.view.value;
  if (!view) return null;
  return (
    <div class="closing">
      <GroupStatements view={view} session={session} />
      <Summary view={view} session={session} />
      {view.poll.length > 0 && <ClosingPoll session={session} />}
    </div>
  );
}

export function ClosingPoll({ session }: { session: Session }) {
  const view = session.view.value;
  const given = view?.me.polls['closing'];
  const [answers, setAnswers] = useState<Record<string, number>>(given ?? {});
  const [busy, setBusy] = useState(false);
  if (!view) return null;
  const whole = view.poll.every((question) => answers[question.id] !== undefined);
  const same = given && view.poll.every((question) => given[question.id] === answers[question.id]);
  return (
    <section class="closing-poll">
      <h2>{t('poll.closing')}</h2>
      <p class="hint">{t('poll.closing.hint')}</p>
      <Poll questions={view.poll} answers={answers} onAnswer={(id, value) => setAnswers({ ...answers, [id]: value })} />
      <button
        type="button"
        class="button primary"
        disabled={!whole || busy || same}
        data-testid="poll-submit"
        onClick={() => {
          setBusy(true);
          void session.do({ type: 'poll.answer', poll: 'closing', answers }).finally(() => setBusy(false));
        }}
      >
        {t(same ? 'poll.done' : given ? 'poll.change' : 'poll.submit')}
      </button>
    </section>
  );
}
