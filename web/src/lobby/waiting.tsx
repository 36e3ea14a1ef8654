/** Waiting for a group, and what interrupts a visit: another page in the seat, a link that no longer opens, removal. */
import { dateTime, t, type Key } from '../i18n';
import type { JoinInfo } from '../protocol/types';
import type { Session } from '../room/session';
import { clock, now, Paragraphs, useScreen } from '../ui/controls';
import { Reconnecting } from '../ui/reconnecting';
import { TopBar } from '../ui/topbar';
import { read } from '../net/tokens';
import { DevicePanel, Preview } from './devices';

export function Waiting({ session, info, onStartAgain }: { session: Session; info: JoinInfo | null; onStartAgain: () => void }) {
  const lobby = session.lobby.value;
  const screen = useScreen(t('waiting.title'));
  const opensIn = lobby?.opens_at != null ? lobby.opens_at - now.value : 0;
  const places = lobby ? Math.max(lobby.target_size, lobby.waiting) : 0;
  return (
    <div class="page">
      <TopBar />
      <main class="entrance waiting" data-testid="lobby-waiting">
        <Reconnecting socket={session.socket} />
        <section class="entrance-form">
          <p class="eyebrow" dir="auto">{info?.title}</p>
          <h1 {...screen}>{t('waiting.title')}</h1>
          {!lobby ? (
            <p>{t('waiting.connecting')}</p>
          ) : opensIn > 0 ? (
            <p>{t('waiting.opens', { time: dateTime(lobby.opens_at ?? 0), left: clock(opensIn) })}</p>
          ) : (
            <div aria-live="polite">
              <div class="places" aria-hidden="true">
                {Array.from({ length: Math.min(places, 12) }, (_, index) => (
                  <span key={index} class={index < lobby.waiting ? `place taken seat-${(index % 8) + 1}` : 'place'} />
                ))}
              </div>
              <p class="lead" data-testid="waiting-count" data-waiting={lobby.waiting}>
                {t('waiting.count', { n: lobby.waiting })}
              </p>
              <p>
                {lobby.waiting < lobby.min_size
                  ? t('waiting.needs', { n: lobby.min_size - lobby.waiting })
                  : lobby.starts_in != null && lobby.starts_in > 0
                    ? t('waiting.starts', { left: clock(lobby.starts_in), target: lobby.target_size })
                    : t('waiting.forming')}
              </p>
            </div>
          )}
          {lobby?.practice && (lobby.waiting <= 1 || info?.preview) && !session.view.value && (
            <div class="aside-box">
              <h2>{t('practice.title')}</h2>
              <p>{t(info?.preview ? 'preview.room' : 'practice.text')}</p>
              <button type="button" class="button" data-testid="practice-start" onClick={() => session.practise()}>
                {t('practice.start')}
              </button>
            </div>
          )}
          <p>
            <button type="button" class="link" data-testid="waiting-leave" onClick={() => void session.withdrawWaiting().then((done) => done && onStartAgain())}>
              {t('waiting.leave')}
            </button>
          </p>
          {info && (
            <section class="while">
              <h2>{t('waiting.meanwhile')}</h2>
              <p class="question" dir="auto">{info.question}</p>
              {info.briefing.map((part) => (
                <details key={part.title}>
                  <summary dir="auto">{part.title}</summary>
                  <Paragraphs text={part.text ?? ''} />
                  {part.url && (
                    <p>
                      <a href={part.url} target="_blank" rel="noreferrer noopener">
                        {part.url}
                      </a>
                    </p>
                  )}
                </details>
              ))}
            </section>
          )}
        </section>
        {read(localStorage, `parley.mode.${session.deliberation}`) !== 'chat' && <section class="entrance-look" aria-label={t('lobby.devices')}>
          <Preview devices={session.devices} />
          <DevicePanel devices={session.devices} sound={session.sound} />
        </section>}
      </main>
    </div>
  );
}

export function Interrupted({ session, onStartAgain }: { session: Session; onStartAgain: () => void }) {
  const reason = session.seatTaken.value ? 'seat_taken' : session.refused.value ? 'refused' : (session.socket.bye.value ?? 'slow');
  const title = `interrupted.${reason}` as Key;
  const screen = useScreen(t(title));
  const here = reason === 'seat_taken' || reason === 'takeover' || reason === 'elsewhere';
  const refused = session.refused.value;
  return (
    <div class="page">
      <TopBar />
      <main class="notice" data-testid={`interrupted-${reason}`}>
        <h1 {...screen}>{t(title)}</h1>
        <p>{refused ? `${refused.message} ${refused.hint}` : t(`${title}.text` as Key)}</p>
        <div class="actions">
          {here && (
            <button type="button" class="button primary" data-testid="takeover" onClick={() => session.takeOver()}>
              {t('interrupted.takeover')}
            </button>
          )}
          {reason === 'slow' && (
            <button type="button" class="button primary" data-testid="retry" onClick={() => session.socket.retry()}>
              {t('retry')}
            </button>
          )}
          {reason === 'refused' && (
            <button type="button" class="button" onClick={onStartAgain}>
              {t('interrupted.again')}
            </button>
          )}
        </div>
      </main>
    </div>
  );
}
