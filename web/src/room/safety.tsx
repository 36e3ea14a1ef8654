import { t } from '../i18n';
import type { RoomView } from '../protocol/types';
import type { Session } from './session';

const VERDICTS = ['fine', 'warn', 'hide', 'remove'] as const;

/** The private question whether what somebody said was all right. */
export function SafetyQuestions({ session, view }: { session: Session; view: RoomView }) {
  const open = Object.values(view.safety).filter((one) => one.verdict == null && one.my_answer == null);
  return (
    <>
      {open.map((one) => (
        <section key={one.case_id} class="card ai private safety" aria-label={t('safety.title')} data-testid="safety" role="alert">
          <p class="card-head">
            <span class="card-by">{t('safety.title')}</span>
            <span class="card-private">{t('card.private')}</span>
          </p>
          <p>{t('safety.ask', { name: view.members[one.about]?.name ?? t('someone') })}</p>
          {one.text && (
            <blockquote class="citation" dir="auto">
              {one.text}
            </blockquote>
          )}
          <p class="muted">{t('safety.how')}</p>
          <p class="card-actions">
            {VERDICTS.map((verdict) => (
              <button key={verdict} type="button" class="button small" data-testid={`safety-${verdict}`} onClick={() => void session.do({ type: 'safety.answer', case_id: one.case_id, verdict })}>
                {t(`safety.${verdict}`)}
              </button>
            ))}
          </p>
        </section>
      ))}
    </>
  );
}
