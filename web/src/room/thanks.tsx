/** After the room: thanks, what happens next, the summary and poll once more, one's own words, and withdrawing. */
import { useState } from 'preact/hooks';
import { t } from '../i18n';
import type { JoinInfo } from '../protocol/types';
import { Dialog, useScreen } from '../ui/controls';
import { Reconnecting } from '../ui/reconnecting';
import { toast } from '../ui/toast';
import { TopBar } from '../ui/topbar';
import { since, sorted, Words } from './captions';
import { Closing } from './closing';
import { Credit } from './credit';
import { OwnWords } from './own-words';
import { Record } from './record';
import type { Session } from './session';
import './room.css';

export function Thanks({ session, info }: { session: Session; info: JoinInfo | null }) {
  const view = session.view.value;
  const screen = useScreen(t('thanks.title'));
  const [withdrawing, setWithdrawing] = useState(false);
  const [withdrawn, setWithdrawn] = useState(false);
  if (!view) return null;
  const removed = session.removed.value;
  const own = sorted(view).filter((u) => u.participant_id === session.me.value);
  const consent = view.me.consent;
  const takeBack = (item: 'record' | 'quote') =>
    void session.do({ type: 'consent.withdraw', items: [item] }).then((done) => done && toast(t('withdraw.done')));
  return (
    <div class="page">
      <TopBar />
      <main class="column thanks" data-testid="thanks">
        <Reconnecting socket={session.socket} />
        <p class="eyebrow" dir="auto">{view.title}</p>
        <h1 {...screen}>{t(removed ? 'thanks.removed' : view.close_reason === 'abandoned' ? 'thanks.abandoned' : 'thanks.title')}</h1>
        <p class="lead">{t(removed ? 'thanks.removed.text' : 'thanks.text')}</p>
        <section class="aside-box">
          <h2>{t('thanks.next')}</h2>
          <p>{t('thanks.next.text')}</p>
          {info && <p>{t('thanks.kept', { n: info.privacy.retention_days, contact: info.consent.contact })}</p>}
        </section>
        {!withdrawn && (
          <>
            {(view.closed_at != null || view.summary) && <Closing session={session} />}
            <section class="own-section">
              <h2>{t('thanks.words')}</h2>
              <p class="hint">{t('thanks.words.hint')}</p>
              {own.length === 0 && <p class="muted">{t('thanks.words.none')}</p>}
              <ol class="own-list">
                {own.map((u) => (
                  <li key={u.utterance_id} class="caption own" data-testid="own-utterance" data-utterance={u.utterance_id}>
                    <span class="at muted">{since(view, u.started_at)}</span>
                    <Words u={u} />
                    {!u.struck && !u.hidden && <OwnWords session={session} u={u} />}
                  </li>
                ))}
              </ol>
            </section>
            {view.closed_at != null && <Credit token={session.token} words={Object.fromEntries(own.map((u) => [u.utterance_id, u.text]))} />}
            <section>
              <h2>{t('withdraw.title')}</h2>
              <p class="hint">{t('withdraw.text')}</p>
              <div class="actions">
                {consent['record'] && (
                  <button type="button" class="button" data-testid="withdraw-record" onClick={() => takeBack('record')}>
                    {t('withdraw.record')}
                  </button>
                )}
                {consent['quote'] && (
                  <button type="button" class="button" data-testid="withdraw-quote" onClick={() => takeBack('quote')}>
                    {t('withdraw.quote')}
                  </button>
                )}
                <button type="button" class="button danger" data-testid="withdraw-all" onClick={() => setWithdrawing(true)}>
                  {t('withdraw.all')}
                </button>
              </div>
            </section>
            <details class="after-record">
              <summary>{t('record.title')}</summary>
              <Record view={view} />
            </details>
          </>
        )}
        {withdrawn && <p class="lead">{t('withdraw.all.done')}</p>}
      </main>
      {withdrawing && (
        <Dialog title={t('withdraw.all')} onClose={() => setWithdrawing(false)}>
          <p>{t('withdraw.all.text')}</p>
          <div class="actions">
            <button
              type="button"
              class="button danger"
              data-testid="withdraw-confirm"
              onClick={() =>
                void session.leave(true).then(() => {
                  setWithdrawing(false);
                  setWithdrawn(session.gone.value);
                })
              }
            >
              {t('withdraw.all')}
            </button>
            <button type="button" class="button quiet" onClick={() => setWithdrawing(false)}>
              {t('cancel')}
            </button>
          </div>
        </Dialog>
      )}
    </div>
  );
}
